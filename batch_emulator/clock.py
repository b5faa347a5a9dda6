"""Time as the emulator sees it: the one seam between what is decided and the clock on the wall.

Emulated time can be real, run faster, or stand still until a test moves it. What concerns a caller's own
clock, the age of a signature and of a token, is held against real time, never against this one.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Protocol


class Clock(Protocol):
    """Tells the time and calls back later; seconds are seconds of emulated time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once so much time has passed."""
        ...


class WallClock:
    """Real time, or real time run faster: at a scale of 60, an emulated minute takes a second.

    Needs a running event loop for `call_later`.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._real_start = time.monotonic()
        self._start = time.time()

    def now(self) -> float:
        """Seconds since the epoch; never goes back."""
        return self._start + (time.monotonic() - self._real_start) * self.scale

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once so much emulated time has passed."""
        asyncio.get_running_loop().call_later(seconds / self.scale, callback)


class SteppedClock:
    """Time that stands still until it is moved, so that a test decides when what happens.

    What is due at once is called back by the running event loop, if there is one; else by the next step.
    """

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self._order = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once the clock has been moved so far."""
        heapq.heappush(self._timers, (self._now + max(seconds, 0.0), next(self._order), callback))
        if seconds <= 0 and (loop := _running_loop()) is not None:
            loop.call_soon(self.advance, 0.0)

    def advance(self, seconds: float) -> None:
        """Let time pass, with everything that comes due in it, in its order."""
        for _ in self.steps(seconds):
            pass

    def steps(self, seconds: float) -> Iterator[None]:
        """Let time pass; stops after each call back, so that others get their turn."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, callback = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            callback()
            yield
        self._now = max(self._now, end)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def sleep(clock: Clock, seconds: float) -> None:
    """Wait until so much emulated time has passed."""
    over = asyncio.get_running_loop().create_future()
    clock.call_later(seconds, lambda: None if over.done() else over.set_result(None))
    await over
