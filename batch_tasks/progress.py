"""Where a run stands, told to whoever watches it: a progress bar, an artifact, a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """A moment of a run. `phase` is the stage's name; the counts are files while uploading and retrieving,
    Batch tasks while polling. `nodes` counts compute nodes by state; `seconds` is the time in the phase.
    """

    phase: str
    total: int
    done: int = 0
    running: int = 0
    queued: int = 0
    failed: int = 0
    nodes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


Watcher = Callable[[Progress], None]
_watchers: ContextVar[tuple[Watcher, ...]] = ContextVar("progress_watchers", default=())


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """While the block runs, `watcher` hears of every step. It may be called from several threads."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


def tell(progress: Progress) -> None:
    """Tell the watchers of this context."""
    for watcher in _watchers.get():
        watcher(progress)


class Counting:
    """Counts what is done in a phase, from any thread, and tells after each."""

    def __init__(self, phase: str, total: int) -> None:
        self._phase = phase
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def add_one(self) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            done = self._done
        tell(Progress(self._phase, self._total, done, seconds=time.monotonic() - self._began))
