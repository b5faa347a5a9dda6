"""The whole account as one document, for a person to read and a test to compare. Secrets are masked."""

import re
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from batch_emulator.emulator import Emulator
from batch_emulator.resources import Document
from batch_emulator.wire import nodes
from batch_emulator.wire.values import timestamp

MASK = "***"
_SECRET = frozenset({"password", "accountKey", "sasKey", "sshPrivateKey", "sshPublicKey"})
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*")
_TIMES = frozenset(
    {
        "allocated", "allocation_since", "at", "booted", "completed", "created", "ended", "imaged",
        "last_requeue", "last_retry", "last_run", "left", "modified", "next_run", "now", "open", "since",
        "started", "state_since",
    }
)  # fmt: skip
_OMITTED = frozenset({"container", "samples"})
_LONGEST = 1000
"""Characters of a text that are shown."""


def document(emulator: Emulator) -> Document:
    """Pools with their nodes, jobs with their tasks, job schedules, and what is under way."""
    world = emulator.world
    return {
        "account": emulator.account_name,
        "now": moment(emulator.clock.now()),
        **{field.name: plain(getattr(world.account, field.name)) for field in fields(world.account)},
        "stays": [nodes.stay(stay, emulator.clock.now()) for stay in world.account.stays.values()],
        "runs": plain(world.runs),
        "quotas": plain(world.quotas),
        "delays": plain(world.delays),
    }


def moment(epoch: float) -> str:
    """A time as the service writes it."""
    return timestamp(epoch)


def plain(value: Any, name: str = "") -> Any:
    """A value as JSON has it: resources as objects, times as the service writes them, secrets masked."""
    if value is None or isinstance(value, bool):
        return value
    if name in _TIMES and isinstance(value, int | float):
        return moment(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, int | float):
        return value
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, Mapping):
        counted = isinstance(value, Counter)
        return {str(key): _member(value, key) for key in value if not counted or value[key]}
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [plain(item) for item in value]
    return str(value)


def _object(value: Any) -> Document:
    shown = {
        field.name: plain(getattr(value, field.name), field.name)
        for field in fields(value)
        if field.name not in _OMITTED
    }
    return {name: part for name, part in shown.items() if part is not None and part not in ([], {})}


def _member(holder: Mapping[Any, Any], key: Any) -> Any:
    # An environment setting can be a secret; what a metadata item says is none.
    setting = key == "value" and set(holder) == {"name", "value"}
    return MASK if key in _SECRET or setting else plain(holder[key], str(key))


def mask(text: str) -> str:
    """A text without the queries of URLs, where a SAS stands, and not too long."""
    shown = _QUERY.sub(rf"\1?{re.escape(MASK)}", text) if "?" in text else text
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "..."
