"""Many small transfers at the same time, in threads that keep the context: account, progress, closing."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
WORKERS = 8
"""Below the ten connections that the SDK's transport keeps per host."""


def concurrently(function: Callable[[T], R], items: Iterable[T], *, workers: int = WORKERS) -> list[R]:
    """`[function(item) for item in items]`, several at a time, results in the order of the items.

    The first error cancels what has not begun, waits for what has, and is raised. An interrupt (Ctrl-C,
    cancellation) does not wait: the run's closing event stops the threads.
    """
    executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="transfer")
    try:
        futures = [executor.submit(contextvars.copy_context().run, function, item) for item in items]
        results = [future.result() for future in futures]
    except Exception:
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()
    return results
