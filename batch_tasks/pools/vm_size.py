"""What the name of a VM size tells: cores, family and architecture. Azure names sizes by a documented
convention; those it does not hold for are in a dated table, `vm_cores.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

MOST_SLOTS = 256
"""Task slots of a node; also at most four times its cores (documented)."""
_SIZE = re.compile(r"(?:standard|basic)_([a-z]+)(\d+)(?:-(\d+))?([a-z]*)(?:_(v\d+)|_[a-z0-9_]+)?", re.ASCII)


def architecture(vm_size: str) -> str:
    """`arm64` for sizes with a `p` among their features, such as `standard_d2ps_v5` (documented); else
    `x64`.
    """
    found = _SIZE.fullmatch(vm_size.lower())
    return "arm64" if found and "p" in found[4] else "x64"


def cores(vm_size: str) -> int | None:
    """The cores of a size that is in the table, or whose name ends in a version as all newer ones do; None
    where neither tells.
    """
    size = vm_size.lower()
    if size in _table():
        return _table()[size][0]
    found = _SIZE.fullmatch(size)
    if not found or not re.search(r"_v[3-9]$", size):
        return None
    return int(found[3] or found[2])


def family(vm_size: str) -> str:
    """The name under which Azure counts the cores of a size, in lower case: `standarddsv5family`. Most names
    are made so, the table has others; "" where it is not told.
    """
    size = vm_size.lower()
    if size in _table():
        return _table()[size][1]
    found = _SIZE.fullmatch(size)
    return f"standard{found[1]}{found[4]}{found[5]}family" if found and found[5] else ""


@cache
def _table() -> Mapping[str, tuple[int, str]]:
    """Cores and family by size, all in lower case, as `vm_cores.json` beside this module says."""
    said = json.loads(files(__package__).joinpath("vm_cores.json").read_text("utf-8"))
    return {size: (count, name) for name, sizes in said["families"].items() for size, count in sizes.items()}


def spelled(vm_size: str) -> str:
    """The size with Azure's capitals, such as `Standard_NC4as_T4_v3`. Batch itself does not mind."""
    tier, _, size = vm_size.lower().partition("_")
    size, *rest = size.split("_")
    family = re.match(r"[a-z]*", size)
    letters = family[0] if family else ""
    named = (part if re.fullmatch(r"v\d+|cc", part) else part.upper() for part in rest)
    return "_".join((tier.capitalize(), letters.upper() + size.removeprefix(letters), *named))


def problems(vm_size: str, slots: int) -> list[str]:
    """What is wrong with the size or with so many tasks at once on it, in sentences."""
    if not _SIZE.fullmatch(vm_size.lower()):
        lists = "`az batch location list-skus --location <region>` lists those of a region."
        return [f"{vm_size!r} is no name of a VM size: they look like standard_d2s_v5. {lists}"]
    known = cores(vm_size)
    most = min(MOST_SLOTS, 4 * known) if known else MOST_SLOTS
    if slots > most:
        return [f"{slots} tasks at once are too many for a node of {vm_size}: Batch allows {most} there."]
    return []
