"""Faults as people write them: objects with the name of the fault and its members, checked by name."""

import math
from collections.abc import Collection
from dataclasses import MISSING, Field, asdict, fields
from fnmatch import fnmatchcase
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from batch_emulator.faults.kinds import FAULTS, NAMES, Fault, Quota, RequestFault
from batch_emulator.tables import Mistake

_HOW_OFTEN = ("next", "every", "probability")


def parse(body: Any, operations: Collection[str]) -> list[Fault]:
    """The faults in an object: one, or several as its `faults`.

    Args:
        body: parsed JSON or TOML.
        operations: the names that the member `operation` can have.

    Raises:
        Mistake: an unknown fault or member, a missing one, or a value that it cannot have; says which.
    """
    if isinstance(body, dict) and isinstance(body.get("faults"), list) and len(body) == 1:
        return [_fault(item, operations, f"faults[{index}]: ") for index, item in enumerate(body["faults"])]
    return [_fault(body, operations, "")]


def document(fault: Fault) -> dict[str, Any]:
    """A fault as it was written; members without a value are left out."""
    members = {name: value for name, value in asdict(fault).items() if value is not None}
    return {"fault": NAMES[type(fault)], **members}


def _fault(body: Any, operations: Collection[str], where: str) -> Fault:
    if not isinstance(body, dict):
        raise Mistake(f"{where}a fault is an object such as {{'fault': 'throttled', 'next': 2}}")
    kind = FAULTS.get(body["fault"]) if isinstance(body.get("fault"), str) else None
    if kind is None:
        raise Mistake(f"{where}there is no fault {body.get('fault')!r}; there are {', '.join(FAULTS)}")
    name, hints = NAMES[kind], get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}
    members: dict[str, Any] = {}
    for member, value in body.items():
        if member == "fault":
            continue
        if member not in known:
            raise Mistake(f"{where}{name} has no member {member!r}; it has {', '.join(known)}")
        try:
            members[member] = _checked(value, hints[member], known[member])
        except Mistake as error:
            raise Mistake(f"{where}{name}: {member} is {value!r}; {error}") from None
    for member, one in known.items():
        if member not in members and one.default is MISSING:
            raise Mistake(f"{where}{name} needs the member {member!r}")
    fault = kind(**members)
    _check_whole(fault, members, operations, where + name)
    return fault


def _check_whole(fault: Fault, members: dict[str, Any], operations: Collection[str], where: str) -> None:
    often = [name for name in _HOW_OFTEN if name in members]
    if len(often) > 1:
        raise Mistake(f"{where}: give one of {', '.join(often)}")
    if isinstance(fault, Quota) and not members:
        raise Mistake(f"{where}: say which quota")
    if isinstance(fault, RequestFault) and not any(fnmatchcase(one, fault.operation) for one in operations):
        raise Mistake(f"{where}: there is no operation {fault.operation!r}")


def _checked(value: Any, hint: Any, member: "Field[Any]") -> Any:
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kind = next(one for one in kinds if one is not NoneType)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise Mistake(f"give one of {', '.join(get_args(kind))}")
        return value
    if kind is float:
        return float(_number(value, int | float, member, "a number"))
    if kind is int:
        return _number(value, int, member, "a whole number")
    if not isinstance(value, kind):
        raise Mistake("give true or false" if kind is bool else "give a text")
    return value


def _number(value: Any, kind: Any, member: "Field[Any]", what: str) -> Any:
    low, high = member.metadata.get("low", -math.inf), member.metadata.get("high", math.inf)
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        limit = f"at least {low:g}" if high == math.inf else f"within {low:g} and {high:g}"
        raise Mistake(f"give {what}, {limit}")
    return value
