"""A client of HTTP for the tests."""

import atexit
from functools import cache

import httpx


@cache
def client() -> httpx.Client:
    """One for all requests: to make it takes longer than they do."""
    made = httpx.Client(timeout=60)
    atexit.register(made.close)
    return made
