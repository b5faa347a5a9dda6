"""Draws request bodies from the emulator's own tables of models: mostly right, now and then wrong."""

import re
from random import Random
from typing import Any

from batch_emulator.schema import jobs, machines, pools, tasks
from batch_emulator.schema.enums import ENUMS

TABLES = {**pools.MODELS, **machines.MODELS, **jobs.MODELS, **tasks.MODELS}
IDS = [f"id{number}" for number in range(6)]
COMMANDS = ("true", "false", "sh -c 'exit 3'", "sh -c 'echo $AZ_BATCH_TASK_ID > note.txt'", "no-such-program")
"""What tasks run; nothing else is ever sent as a command line, for it would be run."""
CLOSED = "http://127.0.0.1:9/container/blob?sig=none"
"""Where nobody answers; no other URL is ever sent, for it would be asked."""
DURATIONS = ("PT0S", "PT1S", "PT5M", "PT1H", "P1D", "P10675199DT2H48M5.4775807S", "PT", "P-1D", "soon")
TIMES = ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00.1234567Z", "2024-02-30T00:00:00Z", "now", "")
FORMULAS = (
    "$TargetDedicatedNodes=1",
    "$TargetDedicatedNodes=max(0,$ActiveTasks.GetSample(1))",
    "$TargetLowPriorityNodes=1/0",
    "a=",
    "((((",
)
TEXTS = ("", "a", "ü\u0000\ud83d", "x" * 300, "../../etc/passwd", "%2e%2e", "' or 1 eq 1", "$metadata", "İ")
JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    1.5,
    1e308,
    "",
    "a",
    [],
    [None],
    {},
    {"a": {}},
    [[[[]]]],
    "0" * 5000,
)
MOST = 3
"""The largest number drawn for how many there are of something: each node is really there."""
DEEPEST = 5

_MEMBER = re.compile(r"(\w+)([*!]?)(?::(\S+))?")
_TYPE = re.compile(r"(\[.+\]|\w+)(?:\(([^()]*)\))?")


def body(random: Random, model: str, depth: int = 0) -> Any:
    """A body of this model."""
    if random.random() < 0.02:
        return random.choice(JUNK)
    drawn: dict[str, Any] = {}
    for name, mark, kind in _MEMBER.findall(TABLES[model]):
        likely = 0.97 if mark == "*" else 0.05 if mark == "!" else 0.25 / (1 + depth)
        if random.random() < likely:
            drawn[name] = random.choice(JUNK) if mark == "!" else value(random, name, kind, depth)
    if random.random() < 0.02:
        drawn[random.choice(("colour", "odata.type", "ID", ""))] = random.choice(JUNK)
    return drawn


def value(random: Random, name: str, kind: str, depth: int) -> Any:
    """A value of a type in the tables' notation; commands and URLs are never anything but harmless."""
    match = _TYPE.fullmatch(kind)
    assert match is not None, kind
    plain, limits = match[1], match[2] or ""
    if plain in ("command", "url"):
        return random.choice(COMMANDS) if plain == "command" else CLOSED
    if random.random() < 0.03 and "commandLine" not in name:
        return random.choice(JUNK)
    if plain.startswith("["):
        if depth >= DEEPEST:
            return []
        return [value(random, name, plain[1:-1], depth + 1) for _ in range(random.randrange(MOST + 1))]
    if plain in TABLES:
        return body(random, plain, depth + 1) if depth < DEEPEST else {}
    if plain in ENUMS:
        return random.choice([*ENUMS[plain].split(), "other"])
    if plain == "int":
        return number(random, name, limits)
    return text(random, name, plain)


def number(random: Random, name: str, limits: str) -> Any:
    """A number near one of its limits; of nodes and slots never more than a few."""
    if "odes" in name or "nstances" in name:
        return random.choice((0, 1, 2, MOST, -1, "1"))
    low, _, high = limits.partition("..")
    near = [int(one) for one in (low, high) if one] or [0, 100]
    return random.choice([*near, near[0] - 1, near[-1] + 1, str(near[0])])


def text(random: Random, name: str, plain: str) -> Any:
    """A text of a kind that the tables know by name."""
    known: dict[str, tuple[Any, ...]] = {
        "bool": (True, False),
        "duration": DURATIONS,
        "time": TIMES,
        "formula": FORMULAS,
        "mode": ("0770", "9", "07777"),
        "id": (*IDS, *IDS, *TEXTS),
        "any": JUNK,
    }
    if plain in known:
        return random.choice(known[plain])
    if name.lower().endswith("id") or name == "taskIds":
        return random.choice((*IDS, *TEXTS))
    return random.choice((*TEXTS, "name", "latest", "batch.node.ubuntu 22.04"))
