"""What differs between one use of the pipeline and another: data, never code.

A workload says what goes to the node, which command runs for one file, and which outputs to expect. The
command is a line for `/bin/sh` on the node, run in a fresh folder that holds the file under its own name.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

PLACEHOLDERS = ("input", "name", "stem", "suffix", "output")
LONGEST_COMMAND = 32_768
"""Characters; what Batch allows a command line (seen in its error text), kept for ours too."""
LONGEST_FILE_NAME = 255  # bytes, on Linux

_FIELD = re.compile(r"(?P<shell>\$\{[^}]*\})|\{\{(?P<literal>\w+)\}\}|\{(?P<name>\w+)\}")


@dataclass(frozen=True)
class StartTask:
    """What prepares a node before its first task: a `/bin/sh` line, as administrator or not."""

    command: str
    elevated: bool = False
    retries: int = 2


@dataclass(frozen=True)
class Image:
    """A VM image by reference, and the node agent that fits it."""

    publisher: str = "canonical"
    offer: str = "ubuntu-24_04-lts"
    sku: str = "server"
    node_agent: str = "batch.node.ubuntu 24.04"


@dataclass(frozen=True)
class FileRun:
    """The command for one file, ready for the shell, and its outputs, relative to the file's folder."""

    command: str
    outputs: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class Workload:
    """One kind of work. See `problems()` for what makes it legal.

    Attributes:
        name: in every id and container name; at most 22 lower-case letters, digits and dashes.
        command: a shell line. `{input}` and `{name}` are the file's name, `{stem}` and `{suffix}` its parts,
            `{output}` the first of the outputs; all are quoted for the shell here: put no quotes around them.
            `{{word}}` stands for a literal `{word}`. Shipped files are in the folder "$TASK_FILES_DIR".
        outputs: what the command must leave, e.g. `{stem}.mp3`. With `*`, `?` or `[` in the template it is a
            pattern that must match at least one file.
        node_files: scripts shipped to the node.
        environment: settings the command sees.
        start_task: what prepares a node.
        file_minutes: how long one file may take before its task is ended.
        retries: how often Batch runs a failed task again.
    """

    name: str
    command: str
    outputs: tuple[str, ...]
    node_files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    start_task: StartTask | None = None
    image: Image = Image()
    file_minutes: float = 60.0
    retries: int = 0

    def for_file(self, name: str) -> FileRun:
        """The command and the outputs for a file of this name."""
        path = PurePosixPath(name)
        values = {"input": name, "name": name, "stem": path.stem, "suffix": path.suffix}
        literal = tuple(_filled(text, values) for text in self.outputs if not is_pattern(text))
        patterns = tuple(_filled(text, values) for text in self.outputs if is_pattern(text))
        if literal:
            values["output"] = literal[0]
        return FileRun(_shell_line(self.command, values), literal, patterns)

    def problems(self) -> list[str]:
        """What is wrong with the workload itself, in sentences; empty when it can run."""
        found = list(_template_problems("command", self.command, self._known(in_command=True)))
        if not self.command.strip():
            found.append("The command is empty: say what to run for each file.")
        if not self.outputs:
            found.append("No output is named: say which files the command leaves, such as '{stem}.out'.")
        for text in self.outputs:
            found.extend(_template_problems(f"output {text!r}", text, self._known(in_command=False)))
            if text.startswith("/") or ".." in PurePosixPath(text).parts or text in {"", "."}:
                found.append(
                    f"The output {text!r} must lie in the folder the command runs in: no '/' first, no '..'."
                )
        found += [
            f"The command has quotes around {{{name}}}: take them away, it is quoted already."
            for name in _quoted_fields(self.command)
        ]
        found += [
            f"The script {path} to ship to the nodes does not exist."
            for path in self.node_files
            if not path.is_file()
        ]
        return found

    def file_problems(self, name: str) -> list[str]:
        """What is wrong with running this workload on a file of this name."""
        run = self.for_file(name)
        found = [
            f"The output of {name!r} gets a name of over {LONGEST_FILE_NAME} bytes: shorten the input's."
            for output in run.outputs
            if any(len(os.fsencode(part)) > LONGEST_FILE_NAME for part in output.split("/"))
        ]
        if len(run.command) > LONGEST_COMMAND:
            found.append(
                f"The command for {name!r} has {len(run.command)} characters; {LONGEST_COMMAND} may be."
            )
        return found

    def _known(self, *, in_command: bool) -> set[str]:
        known = set(PLACEHOLDERS)
        if not in_command or all(is_pattern(text) for text in self.outputs):
            known.discard("output")
        return known


def is_pattern(output: str) -> bool:
    """Whether an output template is a pattern rather than a name."""
    return any(letter in output for letter in "*?[")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields as they are: for names that no shell sees."""
    literal = is_pattern(template)

    def value(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found["shell"] or f"{{{found['literal']}}}"
        text = values[found["name"]]
        return re.sub(r"([*?[])", r"[\1]", text) if literal else text

    return _FIELD.sub(value, template)


def _shell_line(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields quoted for the shell. A name that begins a word and has a leading dash
    gets `./` before it, so that no command takes it for an option.
    """

    def value(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found["shell"] or f"{{{found['literal']}}}"
        text = values[found["name"]]
        begins_word = found.start() == 0 or template[found.start() - 1].isspace()
        return shlex.quote(f"./{text}" if begins_word and text.startswith("-") else text)

    return _FIELD.sub(value, template)


def _template_problems(what: str, template: str, known: set[str]) -> Iterator[str]:
    for found in _FIELD.finditer(template):
        name = found["name"]
        if name is not None and name not in known:
            listed = ", ".join(f"{{{field}}}" for field in PLACEHOLDERS if field in known)
            yield f"The {what} has {{{name}}}, none of {listed}. Write {{{{{name}}}}} for the text itself."


def _quoted_fields(command: str) -> Iterator[str]:
    """The fields that stand inside shell quotes, where our own quoting would be undone."""
    quote = ""
    position = 0
    fields = {found.start(): found for found in _FIELD.finditer(command)}
    while position < len(command):
        found = fields.get(position)
        letter = command[position]
        if found is not None:
            if quote and found["name"] in PLACEHOLDERS:
                yield found["name"]
            position = found.end()
            continue
        if letter == "\\" and quote != "'":
            position += 2
            continue
        if letter in "'\"" and quote in {"", letter}:
            quote = "" if quote else letter
        position += 1
