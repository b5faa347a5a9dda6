"""`$filter`, `$select` and `$expand`: texts in, predicates and smaller documents out.

A filter becomes a program for a small stack machine, both parsed and run without recursion, so that no text
from outside can exhaust the stack.
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from batch_emulator.errors import BatchError, InvalidQueryParameterValue
from batch_emulator.queryable import Kind
from batch_emulator.wire.values import parse_timestamp

Scalar = str | int | float | bool | None
Accessor = Callable[[str], Scalar]
"""Gives the value of a property by its path (`executionInfo/exitCode`); None when it is absent."""
Predicate = Callable[[Accessor], bool]
Selection = dict[str, "Selection"]
"""Members to keep by name; an empty selection keeps the member whole."""

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<open>\() | (?P<close>\)) | (?P<comma>,)
      | (?P<time>[Dd][Aa][Tt][Ee][Tt][Ii][Mm][Ee]'[^']*')
      | (?P<text>'(?:[^']|'')*')
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<word>[A-Za-z_][\w/]*)""",
    re.VERBOSE | re.ASCII,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "startswith": lambda value, prefix: value.startswith(prefix),
}
_PRECEDENCE = {"or": 1, "and": 2, "not": 3}
_LONGEST_NUMBER = 40


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class _Test:
    """One comparison of a property with a literal."""

    path: str
    kind: Kind
    operation: str
    literal: Scalar

    def holds(self, get: Accessor) -> bool:
        value = get(self.path)
        if value is None or self.literal is None:
            # As OData has it: null equals only null, and is neither before nor after anything.
            equal = value is self.literal
            return {"eq": equal, "ne": not equal}.get(self.operation, False)
        if self.kind is Kind.TIME and isinstance(value, str):
            value = parse_timestamp(value)
        return _COMPARE[self.operation](value, self.literal)


def parse_filter(text: str, allowed: Mapping[str, Kind]) -> Predicate:
    """The predicate that a `$filter` describes.

    Args:
        text: such as `state eq 'active' and startswith(id,'a')`. Property names are case-sensitive.
        allowed: the properties that may be filtered on (see `queryable`).

    Returns:
        A function of an accessor. A time may be given to it as ISO 8601 text or as seconds since 1970.

    Raises:
        InvalidQueryParameterValue: the text is not a filter on these properties; says where.
    """
    program = _Parser(text, allowed).parse()

    def predicate(get: Accessor) -> bool:
        stack: list[bool] = []
        for step in program:
            if isinstance(step, _Test):
                stack.append(step.holds(get))
            elif step == "not":
                stack.append(not stack.pop())
            else:
                right, left = stack.pop(), stack.pop()
                stack.append((left and right) if step == "and" else (left or right))
        return stack[0]

    return predicate


class _Parser:
    """Reads a filter from left to right into postfix order."""

    def __init__(self, text: str, allowed: Mapping[str, Kind]) -> None:
        self.text = text
        self.allowed = allowed
        self.tokens = self._tokens()
        self.next = 0
        self.program: list[_Test | str] = []
        self.waiting: list[_Token] = []

    def parse(self) -> list[_Test | str]:
        while True:
            self._operand()
            token = self._take()
            while token.kind == "close":
                self._close(token)
                token = self._take()
            word = token.text.lower()
            if token.kind == "end":
                return self._finish()
            if token.kind != "word" or word not in {"and", "or"}:
                self._refuse(token, "'and', 'or' or the end is expected here")
            self._emit(_PRECEDENCE[word])
            self.waiting.append(_Token("word", word, token.at))

    def _operand(self) -> None:
        token = self._take()
        while token.kind == "open" or (token.kind == "word" and token.text.lower() == "not"):
            self.waiting.append(_Token(token.kind, token.text.lower(), token.at))
            token = self._take()
        if token.kind != "word":
            self._refuse(token, "a property is expected here")
        if token.text.lower() == "startswith":
            self.program.append(self._starts_with())
        else:
            self.program.append(self._comparison(token))

    def _comparison(self, name: _Token) -> _Test:
        kind = self._kind(name)
        operation = self._take()
        if operation.kind != "word" or operation.text not in _COMPARE or operation.text == "startswith":
            self._refuse(operation, "one of eq, ne, gt, ge, lt, le is expected here")
        self._allow(kind, operation)
        return _Test(name.text, kind, operation.text, self._literal(kind))

    def _starts_with(self) -> _Test:
        self._expect("open")
        name = self._expect("word")
        kind = self._kind(name)
        self._allow(kind, _Token("word", "startswith", name.at))
        self._expect("comma")
        prefix = self._expect("text")
        self._expect("close")
        return _Test(name.text, kind, "startswith", _unquoted(prefix.text))

    def _kind(self, name: _Token) -> Kind:
        kind = self.allowed.get(name.text)
        if kind is None:
            self._refuse(name, f"{name.text!r} is none of {', '.join(sorted(self.allowed))}")
        return kind

    def _allow(self, kind: Kind, operation: _Token) -> None:
        if operation.text not in kind.operations:
            self._refuse(operation, f"this property can only be compared by {', '.join(kind.operations)}")

    def _literal(self, kind: Kind) -> Scalar:
        token = self._take()
        if token.text.lower() == "null":
            return None
        if token.kind != kind.literal:
            self._refuse(token, f"a {kind.literal} is expected here, such as {kind.example}")
        try:
            return _LITERALS[kind.literal](token.text)
        except ValueError as error:
            self._refuse(token, str(error))

    def _close(self, token: _Token) -> None:
        self._emit()
        if not self.waiting:
            self._refuse(token, "this parenthesis was never opened")
        self.waiting.pop()

    def _finish(self) -> list[_Test | str]:
        self._emit()
        if self.waiting:
            self._refuse(self.waiting[-1], "this parenthesis is never closed")
        return self.program

    def _emit(self, binding: int = 0) -> None:
        """Move the operators that bind at least so tightly, back to the last open parenthesis."""
        while self.waiting and self.waiting[-1].kind != "open":
            if _PRECEDENCE[self.waiting[-1].text] < binding:
                return
            self.program.append(self.waiting.pop().text)

    def _take(self) -> _Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def _expect(self, kind: str) -> _Token:
        token = self._take()
        if token.kind != kind:
            self._refuse(token, "startswith(property,'text') is expected here")
        return token

    def _tokens(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                self._refuse(_Token("", "", at), "this is no part of a filter")
            kind = match.lastgroup or ""
            if kind == "word" and match.group().lower() in {"true", "false"}:
                kind = "boolean"
            if kind != "blank":
                tokens.append(_Token(kind, match.group(), at))
            at = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    def _refuse(self, token: _Token, reason: str) -> NoReturn:
        raise _invalid("$filter", self.text, f"At character {token.at + 1}: {reason}.")


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _number(text: str) -> int | float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("this number is too long")
    return float(text) if "." in text else int(text)


_LITERALS: Mapping[str, Callable[[str], Scalar]] = {
    "text": _unquoted,
    "number": _number,
    "boolean": lambda text: text.lower() == "true",
    "time": lambda text: parse_timestamp(text[text.index("'") + 1 : -1]),
}


def parse_select(text: str | None, selectable: Collection[str]) -> Selection | None:
    """The members that a `$select` names; None for all of them.

    Args:
        text: such as `id,state,executionInfo/exitCode`.
        selectable: names of the top-level members that this resource can have.

    Raises:
        InvalidQueryParameterValue: it names a member that this resource never has (assumed: the service's
            own answer to this is not recorded).
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if not names or "*" in names:
        return None
    whole = {name for name in names if "/" not in name}
    selection: Selection = {name: {} for name in whole}
    for name in names:
        first, *rest = name.split("/")
        if first not in selectable or "" in rest:
            raise _invalid("$select", text or "", f"{name!r} is no property of this resource.")
        if first not in whole:
            _add(selection, first, rest)
    return selection


def _add(selection: Selection, first: str, rest: list[str]) -> None:
    at = selection.setdefault(first, {})
    for name in rest:
        at = at.setdefault(name, {})


def select(document: Mapping[str, Any], selection: Selection | None) -> Mapping[str, Any]:
    """The document with nothing but the selected members, in its own order; without a selection as it is."""
    if selection is None:
        return document
    reduced: dict[str, Any] = {}
    for name, value in document.items():
        below = selection.get(name)
        if below is None:
            continue
        if not below or not isinstance(value, Mapping):
            reduced[name] = value
        elif part := select(value, below):
            reduced[name] = part
    return reduced


def parse_expand(text: str | None) -> frozenset[str]:
    """What an `$expand` asks for: `stats` is the only thing there is.

    Raises:
        InvalidQueryParameterValue: it asks for something else.
    """
    names = frozenset(name.strip() for name in (text or "").split(",") if name.strip())
    if names - {"stats"}:
        raise _invalid("$expand", text or "", "Only 'stats' can be expanded.")
    return names


def _invalid(parameter: str, text: str, reason: str) -> BatchError:
    return InvalidQueryParameterValue(
        QueryParameterName=parameter, QueryParameterValue=text[:1000], Reason=reason
    )
