"""The words of a formula, each with its place."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, NoReturn

from batch_emulator.autoscale.errors import AutoScaleFormulaError, Position

TokenKind = Literal["number", "name", "string", "sign", "end"]

WORD = re.compile(
    r"""
    (?P<blank>[ \t\r\n\f\v]+|//[^\n]*)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)
    |(?P<string>"[^"\r\n]*")
    |(?P<sign>&&|\|\||[<>=!]=|[-+*/<>!?:;,.()=])
    """,
    re.VERBOSE,
)
KINDS: dict[str, TokenKind] = {"number": "number", "name": "name", "string": "string", "sign": "sign"}


class Token(NamedTuple):
    """One word; `text` is as written, for a string without its quotes."""

    kind: TokenKind
    text: str
    position: Position

    def __str__(self) -> str:
        return "the end of the formula" if self.kind == "end" else f"'{self.text}'"

    def is_sign(self, *signs: str) -> bool:
        """Whether this is one of these signs (and not a string with that text)."""
        return self.kind == "sign" and self.text in signs


def tokens(formula: str) -> Iterator[Token]:
    """Yield the words of a formula and a last one of kind "end"; comments and blanks are left out.

    Raises:
        AutoScaleFormulaError: where a character belongs to no word.
    """
    at, line, line_start = 0, 1, 0
    while at < len(formula):
        position = Position(line, at - line_start + 1)
        word = WORD.match(formula, at)
        if word is None:
            raise AutoScaleFormulaError(_why_no_word(formula[at]), position)
        if kind := KINDS.get(word.lastgroup or ""):
            yield Token(kind, word[0].strip('"'), position)
        at = word.end()
        if newlines := word[0].count("\n"):
            line += newlines
            line_start = word.start() + word[0].rindex("\n") + 1
    yield Token("end", "", Position(line, at - line_start + 1))


def _why_no_word(character: str) -> str:
    if character == '"':
        return 'this string has no closing " on its line'
    if character == "'":
        return 'strings are written in double quotes, as in time("2030-01-01T00:00:00Z")'
    if character in "&|":
        return f"'{character}' alone is no operator; write '{character * 2}'"
    return f"the character {character!r} has no meaning in a formula"


class Words:
    """The words of a formula and how far they have been read."""

    def __init__(self, formula: str) -> None:
        self._tokens = list(tokens(formula))
        self._at = 0

    @property
    def next(self) -> Token:
        """The word that is read next."""
        return self._tokens[self._at]

    def at_end(self) -> bool:
        """Whether all words have been read."""
        return self.next.kind == "end"

    def assignment_follows(self) -> bool:
        """Whether the next two words are a name and "="."""
        return self.next.kind == "name" and self._tokens[self._at + 1].is_sign("=")

    def take(self) -> Token:
        """Read the next word, whatever it is; the end is read any number of times."""
        word = self.next
        if word.kind != "end":
            self._at += 1
        return word

    def accept(self, sign: str) -> bool:
        """Read the next word if it is this sign, and say whether it was."""
        found = self.next.is_sign(sign)
        self._at += found
        return found

    def expect(self, sign: str, problem: str) -> None:
        """Read this sign.

        Raises:
            AutoScaleFormulaError: if another word follows.
        """
        if not self.accept(sign):
            self.fail(f"{problem} before {self.next}")

    def fail(self, problem: str) -> NoReturn:
        """Raise an error at the next word."""
        raise AutoScaleFormulaError(problem, self.next.position)
