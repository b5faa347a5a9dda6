"""What was decided, kept and followed."""

import asyncio

from batch_emulator.events import EnableJob
from batch_emulator.history import Entry, History


def test_the_last_entries_are_kept_under_their_numbers() -> None:
    history = History(kept=3)
    for number in range(1, 6):
        history.add(float(number), EnableJob(f"job-{number}"), [])
    assert [entry.number for entry in history.since(0)] == [3, 4, 5]
    assert [entry.number for entry in history.since(4)] == [5]
    assert history.since(5) == []
    assert history.since(99) == []
    assert History().since(0) == []


def test_who_follows_gets_what_was_and_what_comes_each_once() -> None:
    async def follow() -> list[Entry]:
        history = History()
        history.add(1.0, EnableJob("a"), [])
        seen: list[Entry] = []
        enough = asyncio.Event()

        async def read() -> None:
            async for entry in history.follow(0):
                seen.append(entry)
                if len(seen) == 3:
                    enough.set()

        readers = [asyncio.create_task(read())]
        await asyncio.sleep(0)
        for name in ("b", "c"):
            history.add(2.0, EnableJob(name), [])
            await asyncio.sleep(0)
        await asyncio.wait_for(enough.wait(), timeout=5)
        for reader in readers:
            reader.cancel()
        return seen

    assert [entry.event for entry in asyncio.run(follow())] == [
        EnableJob("a"),
        EnableJob("b"),
        EnableJob("c"),
    ]
