"""Looks at a run's nodes while nobody else does: files go up, or a job is waited for, and nodes are paid.

One request in half a minute, and none in the first: by then a run that is small is waiting for its tasks. A
look that fails changes nothing; there will be another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from azure.batch.models import BatchNode
from azure.core.exceptions import AzureError

from batch_tasks.clients import batch_client
from batch_tasks.money.spending import NODE_FIELDS, nodes_seen, too_expensive
from batch_tasks.unfinished import TooExpensive

EVERY = 30.0
"""Seconds from one look to the next."""


class Watch:
    """The looks at one pool. Many threads may ask; one at a time looks, and all hear what came of it."""

    def __init__(self, pool_id: str, every: float = EVERY, now: Callable[[], float] = time.monotonic) -> None:
        self._pool_id = pool_id
        self._every = every
        self._now = now
        self._due = now() + every
        self._looking = threading.Lock()
        self._over: str | None = None

    def stop_if_too_expensive(self) -> None:
        """Look, if a look is due.

        Raises:
            TooExpensive: the run has cost what it may cost.
        """
        if self._now() >= self._due and self._looking.acquire(blocking=False):
            try:
                self._look()
                self._over = too_expensive()
                self._due = self._now() + self._every
            finally:
                self._looking.release()
        if self._over:
            raise TooExpensive(self._over)

    def _look(self) -> None:
        try:
            nodes: list[BatchNode] = list(batch_client().list_nodes(self._pool_id, select=[NODE_FIELDS]))
        except AzureError:  # no pool yet, or no answer: then the nodes are taken to be as they were
            return
        nodes_seen(nodes)


_watch: ContextVar[Watch | None] = ContextVar("watch_of_the_run", default=None)


@contextmanager
def watched(watch: Watch | None) -> Iterator[None]:
    """Within the block `stop_if_too_expensive` looks by this watch; in threads that copy the context, too."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def stop_if_too_expensive() -> None:
    """For stages that take long beside nodes: between files, requests and waits.

    Raises:
        TooExpensive: the run of this context has cost what it may cost.
    """
    watch = _watch.get()
    if watch is not None:
        watch.stop_if_too_expensive()
