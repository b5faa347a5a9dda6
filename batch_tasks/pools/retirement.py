"""When Azure takes VM sizes away: from a dated file, since the Batch data plane does not tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from batch_tasks.pools.images import END_IS_NEAR


@dataclass(frozen=True)
class Series:
    """A series of VM sizes that ends: `sizes` is a pattern of their names in lower case."""

    name: str
    sizes: re.Pattern[str]
    retires: date


@dataclass(frozen=True)
class Retirements:
    """The series that end, and where and when that was read."""

    source: str
    read: date
    series: tuple[Series, ...]


@cache
def retirements() -> Retirements:
    """What `vm_series.json` beside this module says."""
    said = json.loads(files(__package__).joinpath("vm_series.json").read_text("utf-8"))
    series = [
        Series(one["name"], re.compile(one["sizes"]), date.fromisoformat(one["retires"]))
        for one in said["series"]
    ]
    return Retirements(said["source"], date.fromisoformat(said["read"]), tuple(series))


def retired(vm_size: str, today: date) -> Iterator[str]:
    """Why the size cannot be had on that day, in a sentence; nothing while it can. Pure."""
    for series in _series_of(vm_size):
        if series.retires <= today:
            yield (
                f"The VM size {vm_size} is of the series {series.name}, which Azure retired on "
                f"{series.retires} {_where()}. Choose another, such as standard_d2s_v5."
            )


def near_end(vm_size: str, today: date) -> Iterator[str]:
    """That the size will not be had for long, in a sentence. Pure."""
    for series in _series_of(vm_size):
        days = (series.retires - today).days
        if 0 < days < END_IS_NEAR.days:
            yield (
                f"The VM size {vm_size} is of the series {series.name}, which Azure retires on "
                f"{series.retires}, in {days} days {_where()}."
            )


def _series_of(vm_size: str) -> Iterator[Series]:
    return (series for series in retirements().series if series.sizes.fullmatch(vm_size.lower()))


def _where() -> str:
    return f"({retirements().source}, read on {retirements().read})"
