"""Wait until the Prefect server at PREFECT_API_URL answers, which after `make ui` takes a while."""
# ruff: noqa: INP001, S310 - not a package; the address is the user's own

import os
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

PATIENCE = 120.0
"""Seconds for a server on this machine: with a fresh database it took 18, on a busy machine 50 (measured).
Others get no time.
"""


def answers(url: str) -> bool:
    """Whether anything that speaks HTTP is there: what it wants for a sign-in is for Prefect to say."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def main() -> int:
    """0 once it answers; 1, with the remedy, when it does not."""
    url = os.environ["PREFECT_API_URL"].rstrip("/")
    here = urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
    ends = time.monotonic() + (PATIENCE if here else 0)
    if not answers(url) and here:
        print(f"Waiting for the Prefect server at {url} ...", file=sys.stderr)
    while not answers(url):
        if time.monotonic() > ends:
            remedy = "Start it in another terminal with `make ui`." if here else "Is PREFECT_API_URL right?"
            print(f"No Prefect server answers at {url}. {remedy}", file=sys.stderr)
            return 1
        time.sleep(0.5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
