"""Flows of the product, each with one thing that a test of teardown needs otherwise."""

from flows.run_command import run_command
from flows.top_n_words import top_n_words

impatient = top_n_words.with_options(timeout_seconds=30)
mortal = run_command.with_options(name="mortal")
"""Has a name of its own, so that an automation can look at it alone."""
