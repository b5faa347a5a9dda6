"""A flow of the product that is short of time."""

from flows.top_n_words import top_n_words

impatient = top_n_words.with_options(timeout_seconds=30)
