"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def until(holds: Callable[[], bool], what: str, within: float = 120) -> None:
    """Wait until it holds; fail when it does not come to that."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.25)
