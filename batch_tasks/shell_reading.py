"""Where in a shell line the fields of a template stand: at some places no quoting of ours would hold.

The line is read as `/bin/sh` reads it, as far as needed: quotes, of which those within `$(...)` are a matter
of their own; backquotes; comments; here-documents. A `)` that ends a pattern of `case` within `$(...)` is
taken for the end of the latter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from batch_tasks.templates import FIELD, PLACEHOLDERS

MISPLACED = {
    "quotes": "The command has quotes around {field}: take them away, it is quoted already.",
    "backslash": "The command has a backslash before {field}: take it away, it is quoted already.",
    "backquotes": "The command has {field} within backquotes, where no quoting holds: write $(...) instead.",
    "comment": "The command has {field} in a comment, which a name of two lines would leave: take it out.",
    "here-document": "The command has {field} in a here-document, where it cannot be quoted: set a variable "
    "before, as in x={field}, and write $x there.",
}
"""What to say of a field by its place."""
_HERE_DOCUMENT = re.compile(r"""<<(?P<tabs>-?)[ \t]*(?P<end>(?:'[^']*'|"[^"]*"|\\.|[^\s;&|<>()'"\\])+)""")


def misplaced_fields(command: str) -> Iterator[str]:
    """A sentence for each field of the command that stands where quoting it would not do."""
    reader = _Reader(command)
    fields = {found.start(): found for found in FIELD.finditer(command)}
    while reader.at < len(command):
        found, began = fields.get(reader.at), reader.at
        if found is None:
            place = reader.step()
            passed = [field for at, field in fields.items() if place and began < at < reader.at]
        else:
            place, passed = reader.place, [found]
            reader.at = found.end()
        for field in passed:
            if place and field["name"] in PLACEHOLDERS:
                yield MISPLACED[place].format(field=field.group())


class _Reader:
    """Reads a shell line piece by piece; `at` is the next letter.

    `within` says in what it is, the innermost last: `'` or `"`, `(` for a command of its own, `((` for
    arithmetic, "`", or "" for the line itself.
    """

    def __init__(self, line: str) -> None:
        self.at = 0
        self.within = [""]
        self._line = line
        self._awaited: list[tuple[str, str]] = []

    @property
    def place(self) -> str:
        """Where the next letter stands, as in MISPLACED; "" where a field may be."""
        if "`" in self.within:
            return "backquotes"
        return "quotes" if self.within[-1] in {"'", '"'} else ""

    def step(self) -> str:
        """Read on; the place, as in MISPLACED, of what was passed over."""
        inside, letter = self.within[-1], self._line[self.at]
        self.at += 1
        if inside == "'":
            self._leave(on=letter == "'")
        elif letter == "\\":
            self.at += 1
            return "backslash"
        elif letter == inside and letter in {'"', "`"}:
            self._leave(on=True)
        elif letter in {'"', "`"}:
            self.within.append(letter)
        elif letter == "$" and self._next("("):
            self.within.append("((" if self._next("((") else "(")
            self.at += len(self.within[-1])
        elif inside != '"':
            return self._unquoted(letter)
        return ""

    def _unquoted(self, letter: str) -> str:
        if letter in {"'", "("}:
            self.within.append(letter)
        elif letter == ")" and self.within[-1] == "((":
            self._leave(on=self._next(")"))
        elif letter == ")":
            self._leave(on=self.within[-1] == "(")
        elif letter == "#" and self._begins_word():
            self.at = self._end_of_line()
            return "comment"
        elif letter == "<" and "((" not in self.within and self._line[self.at - 2 : self.at] != "<<":
            self._await_here_document()
        elif letter == "\n" and self._awaited:
            self._pass_here_documents()
            return "here-document"
        return ""

    def _await_here_document(self) -> None:
        found = _HERE_DOCUMENT.match(self._line, self.at - 1)
        if found:
            self._awaited.append((re.sub(r"['\"\\]", "", found["end"]), found["tabs"]))
            self.at = found.end()

    def _pass_here_documents(self) -> None:
        for end, tabs in self._awaited:
            line = None
            while line != end and self.at < len(self._line):
                after = self._end_of_line()
                line = self._line[self.at : after].lstrip("\t" if tabs else "")
                self.at = after + 1
        self._awaited = []

    def _leave(self, *, on: bool) -> None:
        """Leave the innermost, if so."""
        if on:
            self.at += self.within.pop() == "(("

    def _begins_word(self) -> bool:
        return self.at == 1 or self._line[self.at - 2] in " \t\n;&|()`"

    def _end_of_line(self) -> int:
        found = self._line.find("\n", self.at)
        return len(self._line) if found < 0 else found

    def _next(self, text: str) -> bool:
        return self._line.startswith(text, self.at)
