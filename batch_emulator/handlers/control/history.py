"""What was decided, as lines of JSON: one for each event, with the instructions that followed from it."""

import json
from collections.abc import AsyncIterator
from dataclasses import fields, is_dataclass
from typing import Any

from batch_emulator.events import After
from batch_emulator.handlers.control import state
from batch_emulator.history import Entry, History
from batch_emulator.resources import Document, Job, JobSchedule, Pool, Task


async def lines(history: History, since: int, *, follow: bool) -> AsyncIterator[bytes]:
    """The entries after a number, and with `follow` each new one as it comes."""
    if follow:
        async for entry in history.follow(since):
            yield line(entry)
        return
    for entry in history.since(since):
        yield line(entry)


def line(entry: Entry) -> bytes:
    """One entry as a line."""
    document = {
        "number": entry.number,
        "at": state.moment(entry.at),
        **_named(entry.event),
        "instructions": [_named(one) for one in entry.instructions],
    }
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def _named(happening: Any) -> Document:
    name = type(happening).__name__
    if isinstance(happening, After):
        return {"name": name, "seconds": happening.seconds, "event": _named(happening.event)}
    members = {field.name: _shown(getattr(happening, field.name), field.name) for field in fields(happening)}
    return {"name": name, **{name: part for name, part in members.items() if part is not None}}


def _shown(value: Any, name: str) -> Any:
    if isinstance(value, Pool | Job | JobSchedule | Task):
        return value.id
    if name == "document" or (is_dataclass(value) and not hasattr(value, "__slots__")):
        return None
    return state.plain(value, name)
