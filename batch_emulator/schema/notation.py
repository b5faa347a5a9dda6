"""Turns the tables of models into checks.

A model is written as its members, `name:type` with blanks between: `name*` is required, `name!` is
read-only (accepted and dropped). The types are

    bool  int  int(0..256)  str  str(1..1024)  duration  duration(PT5M..P7D)  time  command  formula  url
    secret  any  the patterns of `kinds`  an enumeration  another model  [type]  [type](1..100)

where either end of a range may be missing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from batch_emulator.errors import InvalidPropertyValue, InvalidRequestBody
from batch_emulator.schema import kinds
from batch_emulator.schema.flaw import Flaw, missing
from batch_emulator.schema.kinds import Check

Document = dict[str, Any]
Rule = Callable[[Document], None]
"""Looks at a whole object whose members are good; raises a Flaw if they do not go together."""

_MEMBER = re.compile(r"(\w+)([*!]?)(?::(\S+))?")
_TYPE = re.compile(r"(\[.+\]|\w+)(?:\(([^()]*)\))?")
_PLAIN: Mapping[str, Check] = {
    "bool": kinds.boolean,
    "time": kinds.time,
    "command": kinds.command,
    "formula": kinds.formula,
    "url": kinds.url,
    "secret": kinds.secret,
    "any": kinds.anything,
}
_PATTERNS = frozenset({"id", "prefix", "mode", "natname", "subnet", "image"})


class Model:
    """One type of object: its members, and the rules about several of them."""

    __slots__ = ("members", "name", "read_only", "required", "rules")

    def __init__(self, name: str) -> None:
        """Start empty: models refer to each other before they are complete."""
        self.name = name
        self.members: dict[str, Check] = {}
        self.read_only: frozenset[str] = frozenset()
        self.required: tuple[str, ...] = ()
        self.rules: Sequence[Rule] = ()

    def check(self, body: Any) -> Document:
        """The object as it is kept: without nulls and read-only members.

        Raises:
            Flaw: it is not such an object.
        """
        if not isinstance(body, dict):
            raise Flaw(InvalidRequestBody, "an object is expected")
        members = self.members
        kept: Document = {}
        for name, value in body.items():
            member = members.get(name)
            if member is None:
                self._meet(name)
            elif value is not None:
                try:
                    kept[name] = member(value)
                except Flaw as flaw:
                    flaw.within(name)
                    raise
        for name in self.required:
            if name not in kept:
                missing(name)
        for rule in self.rules:
            rule(kept)
        return kept

    def _meet(self, name: str) -> None:
        """Pass over a member that is not kept, or refuse one that there is not."""
        if name not in self.read_only and not name.startswith("odata.") and "@odata." not in name:
            raise Flaw(InvalidRequestBody, f"the property {name[:100]!a} does not exist on {self.name}")


def compile_models(
    tables: Mapping[str, str], enums: Mapping[str, str], rules: Mapping[str, Sequence[Rule]]
) -> dict[str, Model]:
    """All models by name.

    Args:
        tables: the notation by model.
        enums: the values by enumeration, with blanks between.
        rules: by model.

    Raises:
        ValueError: a table is not in the notation; says which member.
    """
    models = {name: Model(name) for name in tables}
    choices = {name: kinds.choice(spellings) for name, spellings in enums.items()}
    for name, table in tables.items():
        model = models[name]
        parsed = [_member(name, text) for text in table.split()]
        model.read_only = frozenset(member for member, mark, _ in parsed if mark == "!")
        model.required = tuple(member for member, mark, _ in parsed if mark == "*")
        model.members = {member: _type(kind, models, choices) for member, mark, kind in parsed if mark != "!"}
        model.rules = rules.get(name, ())
    return models


def _member(model: str, text: str) -> tuple[str, str, str]:
    match = _MEMBER.fullmatch(text)
    if match is None or (match[3] is None) != (match[2] == "!"):
        raise ValueError(f"{model}: {text!r} is not in the notation")
    return match[1], match[2], match[3] or ""


def _type(text: str, models: Mapping[str, Model], choices: Mapping[str, Check]) -> Check:
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not in the notation")
    kind, limits = match[1], match[2] or ".."
    low, _, high = limits.partition("..")
    if kind.startswith("["):
        return _items(_type(kind[1:-1], models, choices), _number(low) or 0, _number(high))
    if kind in models:
        return models[kind].check
    if kind == "int":
        return kinds.integer(_number(low), _number(high))
    if kind == "str":
        return kinds.string(_number(low), _number(high))
    if kind == "duration":
        return kinds.span(low or None, high or None)
    if kind in _PATTERNS:
        return kinds.pattern(kind)
    known = _PLAIN.get(kind) or choices.get(kind)
    return known or _unknown(kind)


def _unknown(kind: str) -> NoReturn:
    raise ValueError(f"there is no type {kind!r}")


def _number(text: str) -> int | None:
    return int(text) if text else None


def _items(item: Check, least: int, most: int | None) -> Check:
    def check(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Flaw(InvalidRequestBody, "a list is expected")
        if len(value) < least or (most is not None and len(value) > most):
            limit = f"at least {least}" if len(value) < least else f"at most {most}"
            raise Flaw(InvalidPropertyValue, f"it must have {limit} items", f"{len(value)} items")
        kept = []
        for index, part in enumerate(value):
            try:
                kept.append(item(part))
            except Flaw as flaw:
                flaw.within(index)
                raise
        return kept

    return check
