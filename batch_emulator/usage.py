"""Pool usage metrics: core hours by pool and aggregation interval, from the stays of nodes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from batch_emulator.ledger import Stay
from batch_emulator.vm_sizes import cores

INTERVAL = 1800.0
"""Seconds of an aggregation interval (seen in the documented example)."""
LAG = 7200.0
"""Seconds until an interval is available: a range must end two hours before the present (documented)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one pool used in one interval, which begins `start` seconds since the epoch."""

    pool_id: str
    vm_size: str
    start: float
    core_hours: float


def last_interval(now: float) -> tuple[float, float]:
    """Begin and end of the newest interval that is available."""
    end = (now - LAG) // INTERVAL * INTERVAL
    return end - INTERVAL, end


def metrics(stays: Iterable[Stay], begin: float, end: float, now: float) -> list[Usage]:
    """The usage between two times, by interval and pool; intervals without any are left out."""
    seconds: dict[tuple[float, str, str], float] = defaultdict(float)
    for stay in stays:
        for since, until in stay.billed(now):
            for start, overlap in _cut(max(since, begin), min(until, end)):
                seconds[start, stay.pool_id, stay.vm_size] += overlap
    return [
        Usage(pool_id, vm_size, start, used * cores(vm_size) / 3600.0)
        for (start, pool_id, vm_size), used in sorted(seconds.items())
    ]


def _cut(since: float, until: float) -> Iterator[tuple[float, float]]:
    """The intervals that a time lies in, and how many seconds of it lie in each."""
    start = since // INTERVAL * INTERVAL
    while start < until and since < until:
        yield start, min(until, start + INTERVAL) - max(since, start)
        start += INTERVAL
