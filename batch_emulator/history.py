"""What was decided, event by event: kept for a look, told to whoever follows along."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from batch_emulator.events import Event, Instruction

KEPT = 10_000
"""How many of the last entries are kept."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event and what it led to. `number` grows by one; `at` is seconds since the epoch."""

    number: int
    at: float
    event: Event
    instructions: Sequence[Instruction]


class History:
    """The last entries, in their order."""

    def __init__(self, kept: int = KEPT) -> None:
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._next = 1
        self._news: asyncio.Event | None = None

    def add(self, at: float, event: Event, instructions: Sequence[Instruction]) -> None:
        """Keep an event and what it led to."""
        self._entries.append(Entry(self._next, at, event, instructions))
        self._next += 1
        if self._news is not None:
            self._news.set()
            self._news = None

    def since(self, number: int) -> list[Entry]:
        """The entries after this number that are still kept; 0 gives all of them."""
        first = self._entries[0].number if self._entries else self._next
        skipped = max(number + 1 - first, 0)
        return [entry for index, entry in enumerate(self._entries) if index >= skipped]

    async def follow(self, number: int) -> AsyncIterator[Entry]:
        """The entries after this number, and each new one as it comes; ends only when it is closed."""
        while True:
            for entry in self.since(number):
                number = entry.number
                yield entry
            if number + 1 >= self._next:
                self._news = self._news or asyncio.Event()
                await self._news.wait()
