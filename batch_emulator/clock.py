"""Time as the emulator sees it: the one seam between what is decided and the clock on the wall."""

import asyncio
import time
from collections.abc import Callable
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
        self._scale = scale
        self._real_start = time.monotonic()
        self._start = time.time()

    def now(self) -> float:
        """Seconds since the epoch; never goes back."""
        return self._start + (time.monotonic() - self._real_start) * self._scale

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once so much emulated time has passed."""
        asyncio.get_running_loop().call_later(seconds / self._scale, callback)
