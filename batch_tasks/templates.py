"""Templates of commands and of file names: what stands in `{braces}` is filled in, for the shell or as it is.

`{input}` and the other placeholders are filled in; `{{word}}` stands for a literal `{word}`; `${word}` and
any other brace is left to the shell.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

PART = "part"
PLACEHOLDERS = ("input", "name", "stem", "suffix", "output", PART)

FIELD = re.compile(r"(?P<shell>\$\{[^}]*\})|\{\{(?P<literal>\w+)\}\}|\{(?P<name>\w+)\}")
_MAY_MISLEAD = re.compile(r"[-+@]|.*[:=]", re.DOTALL)


def is_pattern(output: str) -> bool:
    """Whether an output template is a pattern rather than a name."""
    return any(letter in output for letter in "*?[")


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields as they are: for names that no shell sees."""
    literal = is_pattern(template)

    def value(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found["shell"] or f"{{{found['literal']}}}"
        text = values[found["name"]]
        return re.sub(r"([*?[])", r"[\1]", text) if literal else text

    return FIELD.sub(value, template)


def shell_line(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields quoted for the shell.

    A name that begins a word gets `./` before it where programs could take it for something else: an option
    (`-x`), a host or a protocol (`a:b`, as `ffmpeg` and `tar` do), an assignment (`a=b`, as `awk` does).
    A suffix alone is no name.
    """

    def value(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found["shell"] or f"{{{found['literal']}}}"
        text = values[found["name"]]
        begins_word = found.start() == 0 or template[found.start() - 1].isspace()
        is_name = begins_word and found["name"] != "suffix"
        return shlex.quote(f"./{text}" if is_name and _MAY_MISLEAD.match(text) else text)

    return FIELD.sub(value, template)


def template_problems(what: str, template: str, known: set[str]) -> Iterator[str]:
    """A sentence for each field of the template that is not among the known placeholders."""
    for found in FIELD.finditer(template):
        name = found["name"]
        if name is not None and name not in known:
            listed = ", ".join(f"{{{field}}}" for field in PLACEHOLDERS if field in known)
            yield f"The {what} has {{{name}}}, none of {listed}. Write {{{{{name}}}}} for the text itself."


def shell_command(command: str) -> str:
    """A shell line as a Batch command line, which is split like a shell's but run by none (documented)."""
    return "/bin/sh -c '" + command.replace("'", "'\"'\"'") + "'"
