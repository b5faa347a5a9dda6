"""Holds a document against the SDKs' own models: no member they do not know, no value of another type."""

import datetime as dt
import enum
import sys
import types
import typing
from functools import cache
from typing import Any

EXPLAINED = {
    # Recorded from the service at older api-versions and still sent; the newest model has dropped it.
    "allowTaskPreemption",
}


@cache
def _names(module: str) -> dict[str, Any]:
    """What the annotations of the models of a module, such as `azure.batch.models._models`, refer to."""
    known = {**vars(sys.modules[module]), **vars(sys.modules[module.rpartition(".")[0]])}
    return {**known, "_models": types.SimpleNamespace(**known)}


def findings(model: type, document: dict[str, Any], where: str = "") -> list[str]:
    """What the model does not allow in this document."""
    model()  # the first one tells the model its members
    fields = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}  # type: ignore[attr-defined]
    hints = typing.get_type_hints(model, _names(model.__module__))
    found: list[str] = []
    for member, value in document.items():
        if member.startswith("odata."):
            continue
        if member not in fields:
            if member not in EXPLAINED:
                found.append(f"{where}/{member} is not in {model.__name__}")
            continue
        found += _value(hints[fields[member]], value, f"{where}/{member}")
    return found


def _value(kind: Any, value: Any, where: str) -> list[str]:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        results = [_value(part, value, where) for part in parts if part is not type(None)]
        return min(results, key=len)
    if origin is list:
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [
            text for index, item in enumerate(value) for text in _value(parts[0], item, f"{where}/{index}")
        ]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{where} is no object"]
    if isinstance(kind, type):
        return _plain(kind, value, where)
    return []


def _plain(kind: type, value: Any, where: str) -> list[str]:
    if hasattr(kind, "as_dict"):
        return findings(kind, value, where) if isinstance(value, dict) else [f"{where} is no object"]
    if issubclass(kind, enum.Enum):
        known = {member.value.lower() for member in kind}
        return (
            []
            if isinstance(value, str) and value.lower() in known
            else [f"{where}: {value!r} is no {kind.__name__}"]
        )
    # Large integers are strings on the wire, times and durations are too (recorded).
    wire: dict[type, tuple[type, ...]] = {
        bool: (bool,),
        int: (int, str),
        float: (int, float),
        dt.datetime: (str,),
        dt.timedelta: (str,),
    }
    good = isinstance(value, wire.get(kind, (kind,))) and not (kind is int and isinstance(value, bool))
    return [] if good else [f"{where}: {value!r} is no {kind.__name__}"]
