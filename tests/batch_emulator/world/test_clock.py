"""Time that stands still until it is moved."""

import asyncio

from batch_emulator.clock import SteppedClock, sleep


def test_what_is_due_is_called_back_in_its_order_at_its_time() -> None:
    clock = SteppedClock(start=1000.0)
    seen: list[tuple[str, float]] = []
    for name, seconds in (("late", 5.0), ("early", 2.0), ("as early", 2.0), ("never", 11.0)):
        clock.call_later(seconds, lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]
    clock.advance(10.0)
    assert seen == [("early", 1002.0), ("as early", 1002.0), ("late", 1005.0)]
    assert clock.now() == 1010.0


def test_what_a_call_back_sets_is_part_of_the_same_step_if_it_is_due_in_it() -> None:
    clock = SteppedClock(start=0.0)
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.now())
        clock.call_later(3.0, again)

    clock.call_later(0.0, again)
    clock.advance(7.0)
    assert seen == [0.0, 3.0, 6.0]


def test_what_is_due_at_once_needs_no_step_where_a_loop_runs() -> None:
    async def due() -> bool:
        clock = SteppedClock()
        await asyncio.wait_for(sleep(clock, 0.0), timeout=5)
        later = asyncio.ensure_future(sleep(clock, 1.0))
        for _ in range(10):
            await asyncio.sleep(0)
        waits = not later.done()
        clock.advance(1.0)
        await asyncio.wait_for(later, timeout=5)
        return waits

    assert asyncio.run(due())
