"""How many cores a VM size has, read from its name: what quotas and usage are counted in."""

import re

_NUMBERED = re.compile(r"(?:standard|basic)_[a-z]+(\d+)(?:-(\d+))?[a-z0-9-]*(?:_[a-z0-9_]+)?", re.ASCII)
# In the oldest series the number is that of the size and not of its cores (documented in the lists of sizes).
_BY_NAME = {
    **dict.fromkeys(("a0", "a1", "f1", "f1s", "d1", "ds1"), 1),
    **dict.fromkeys(("a2", "a5", "d2", "ds2", "d11", "ds11", "g1", "gs1"), 2),
    **dict.fromkeys(("a3", "a6", "d3", "ds3", "d12", "ds12", "g2", "gs2"), 4),
    **dict.fromkeys(("a4", "a7", "a8", "a10", "d4", "ds4", "d13", "ds13", "g3", "gs3"), 8),
    **dict.fromkeys(("a9", "a11", "d5", "ds5", "d14", "ds14", "g4", "gs4"), 16),
    **dict.fromkeys(("d15", "ds15"), 20),
    **dict.fromkeys(("g5", "gs5"), 32),
}
_OLD = re.compile(r"(?:standard|basic)_([a-z]+\d+)(?:i?_v2)?(?:_promo)?", re.ASCII)


MOST_SLOTS = 256
SLOTS_PER_CORE = 4


def cores(vm_size: str) -> int:
    """Number of cores of a VM size such as `standard_d4s_v5`; 1 where the name does not tell."""
    return told_cores(vm_size) or 1


def told_cores(vm_size: str) -> int | None:
    """The same; None where the name does not tell."""
    name = vm_size.lower()
    old = _OLD.fullmatch(name)
    if old is not None and old[1] in _BY_NAME and not (old[1].startswith("a") and name.endswith("_v2")):
        return _BY_NAME[old[1]]
    numbered = _NUMBERED.fullmatch(name)
    return int(numbered[2] or numbered[1]) or None if numbered is not None else None


def most_slots(vm_size: str) -> int:
    """How many task slots a node of this size can have: 4 for each core, 256 at most (documented)."""
    known = told_cores(vm_size)
    return MOST_SLOTS if known is None else min(SLOTS_PER_CORE * known, MOST_SLOTS)
