"""When Azure takes VM sizes away: from a dated file, since the Batch data plane does not tell."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

from batch_tasks.pre_flight.findings import Findings

END_IS_NEAR = timedelta(days=180)


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


def size_findings(vm_size: str, today: date) -> Findings:
    """What there is to say about using the size on that day. Pure."""
    known = retirements()
    found = Findings()
    for series in known.series:
        if not series.sizes.fullmatch(vm_size.lower()):
            continue
        where = f"({known.source}, read on {known.read})"
        if series.retires <= today:
            found.problems.append(
                f"The VM size {vm_size} is of the series {series.name}, which Azure retired on "
                f"{series.retires} {where}. Choose another, such as standard_d2s_v5."
            )
        elif series.retires - today < END_IS_NEAR:
            days = (series.retires - today).days
            found.notes.append(
                f"The VM size {vm_size} is of the series {series.name}, which Azure retires on "
                f"{series.retires}, in {days} days {where}."
            )
    return found
