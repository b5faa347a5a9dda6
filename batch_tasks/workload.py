"""What differs between one use of the pipeline and another: data, never code.

A workload says what goes to the node, which command runs for one file, and which outputs to expect. The
command is a line for `/bin/sh` on the node, run in a fresh folder that holds the file under its own name.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from batch_tasks.shell_reading import misplaced_fields
from batch_tasks.templates import (
    PART,
    PLACEHOLDERS,
    filled,
    is_pattern,
    shell_command,
    shell_line,
    template_problems,
)

LONGEST_COMMAND = 32_768
"""Characters; what Batch allows a command line (seen in its error text), kept for ours too."""
LONGEST_FILE_NAME = 255  # bytes, on Linux
RUNNER = "run_files.py"
"""The script that every task runs; it lies beside the shipped files."""
TAKEN_ON_NODES = frozenset({RUNNER, "result.json", "files", "inputs", "outputs", "parts"})
"""Names in a task's working directory that a shipped file cannot have."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OUR_VARIABLES = frozenset({"RUN_FILES", "FILE_NAME", "TASK_FILES_DIR"})


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


CONTAINER_HOST = Image("microsoft-dsvm", "ubuntu-hpc", "2404", "batch.node.ubuntu 24.04")
"""An image whose nodes can run containers (documented: capability DockerCompatible)."""


@dataclass(frozen=True)
class FileRun:
    """The command for one file, ready for the shell, and its outputs, relative to the file's folder; `part`
    is the one that a merge reads.
    """

    command: str
    outputs: tuple[str, ...]
    patterns: tuple[str, ...]
    part: str = ""


@dataclass(frozen=True)
class Merge:
    """One more Batch task, after all others: it reads a part that each file's command left for it.

    Attributes:
        part: the template of the file that each command also leaves, such as `{name}.counts`. The command
            knows it as `{part}`. It stays in storage.
        command: a shell line as a workload's. Its `{input}` is the list of the parts, JSON: a list of
            `{"file": key of the input, "part": path}`, in the order of the inputs. Paths are relative to
            "$TASK_FILES_DIR"; there is none for a file that failed.
        outputs: what the command must leave, in the output folder itself.
        node_files: scripts shipped for it, beside those of the workload.
    """

    part: str
    command: str
    outputs: tuple[str, ...]
    node_files: tuple[Path, ...] = ()


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
        container_image: runs the commands within a container of this image, which must hold `python3`.
        merge: what is made of all files together.
        file_minutes: how long the command for one file may take before it is ended.
        retries: how often Batch runs a failed task again.
    """

    name: str
    command: str
    outputs: tuple[str, ...]
    node_files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    start_task: StartTask | None = None
    image: Image = Image()
    container_image: str = ""
    merge: Merge | None = None
    file_minutes: float = 60.0
    retries: int = 0

    def for_file(self, name: str) -> FileRun:
        """The command and the outputs for a file of this name."""
        path = PurePosixPath(name)
        values = {"input": name, "name": name, "stem": path.stem, "suffix": path.suffix}
        literal = tuple(filled(text, values) for text in self.outputs if not is_pattern(text))
        patterns = tuple(filled(text, values) for text in self.outputs if is_pattern(text))
        if literal:
            values["output"] = literal[0]
        if self.merge:
            values[PART] = filled(self.merge.part, values)
        return FileRun(shell_line(self.command, values), literal, patterns, values.get(PART, ""))

    @property
    def merging(self) -> Workload | None:
        """The merge as a workload of its own, which runs on the list of the parts."""
        merge = self.merge
        if merge is None:
            return None
        return replace(
            self, command=merge.command, outputs=merge.outputs, node_files=merge.node_files, merge=None
        )

    @property
    def shipped(self) -> tuple[Path, ...]:
        """Every file that some node gets, each once."""
        return tuple(dict.fromkeys((*self.node_files, *(self.merge.node_files if self.merge else ()))))

    def problems(self) -> list[str]:
        """What is wrong with the workload itself, in sentences; empty when it can run."""
        found = [*self._command_problems(), *self._node_file_problems(), *self._environment_problems()]
        return [*found, *self._start_task_problems(), *self._merge_problems()]

    def _start_task_problems(self) -> Iterator[str]:
        """What is sent is a command line of Batch's, in which each `'` takes five characters."""
        if self.start_task is None:
            return
        length = len(shell_command(self.start_task.command))
        if length > LONGEST_COMMAND:
            yield (
                f"The command that prepares a node has {length} characters as it is sent, five for each ' in "
                f"it; {LONGEST_COMMAND} may be."
            )
        yield from _untellable("The command that prepares a node", self.start_task.command)

    def _merge_problems(self) -> list[str]:
        if self.merge is None or self.merging is None:
            return []
        part = self.merge.part
        found = [f"In the merge: {problem}" for problem in self.merging._command_problems()]  # noqa: SLF001
        found.extend(template_problems(f"part {part!r}", part, self._known(in_command=False)))
        if is_pattern(part) or "/" in part or not part:
            found.append(f"The part {part!r} must name one file: no '/', '*', '?' or '['.")
        return found

    def _command_problems(self) -> list[str]:
        found = list(template_problems("command", self.command, self._known(in_command=True)))
        if not self.command.strip():
            found.append("The command is empty: say what to run for each file.")
        if not self.outputs:
            found.append("No output is named: say which files the command leaves, such as '{stem}.out'.")
        for text in self.outputs:
            found.extend(template_problems(f"output {text!r}", text, self._known(in_command=False)))
            if text.startswith("/") or ".." in PurePosixPath(text).parts or text in {"", "."}:
                found.append(
                    f"The output {text!r} must lie in the folder the command runs in: no '/' first, no '..'."
                )
            found.extend(_untellable(f"The output {text!r}", text))
        found += [f"The output {text!r} is named twice." for text in _repeated(self.outputs)]
        found += dict.fromkeys(misplaced_fields(self.command))
        found += _untellable("The command", self.command)
        if len(self.command) > LONGEST_COMMAND:
            found.append(f"The command has {len(self.command)} characters; {LONGEST_COMMAND} may be.")
        return found

    def _node_file_problems(self) -> Iterator[str]:
        names = [path.name for path in self.shipped]
        for path in self.shipped:
            if not path.is_file():
                yield f"The file {str(path)!r} to ship to the nodes does not exist, or is no file."
            if path.name in TAKEN_ON_NODES:
                yield f"The file {str(path)!r} cannot be shipped under a name that every task uses itself."
        for name in _repeated(names):
            yield f"{names.count(name)} files to ship are called {name!r}: they would replace one another."

    def _environment_problems(self) -> Iterator[str]:
        for name, value in self.environment.items():
            yield from _untellable(f"The environment variable {name!r}", value)
            if not _VARIABLE.fullmatch(name):
                yield f"The environment variable {name!r} must be of letters, digits and '_', no digit first."
            elif name in _OUR_VARIABLES or name.startswith("AZ_BATCH_"):
                yield f"The environment variable {name} is set by every task itself: choose another name."

    def file_problems(self, name: str) -> list[str]:
        """What is wrong with running this workload on a file of this name."""
        run = self.for_file(name)
        found = [
            f"The output of {name!r} gets a name of over {LONGEST_FILE_NAME} bytes: shorten the input's."
            for output in (*run.outputs, run.part)
            if any(len(os.fsencode(part)) > LONGEST_FILE_NAME for part in output.split("/"))
        ]
        found += [
            f"Two outputs of {name!r} would be called {path!r}: name them apart."
            for path in _repeated([str(PurePosixPath(output)) for output in run.outputs])
        ]
        if len(run.command) > LONGEST_COMMAND:
            found.append(
                f"The command for {name!r} has {len(run.command)} characters; {LONGEST_COMMAND} may be."
            )
        return found

    def _known(self, *, in_command: bool) -> set[str]:
        known = set(PLACEHOLDERS) - {PART}
        if not in_command or all(is_pattern(text) for text in self.outputs):
            known.discard("output")
        if in_command and self.merge:
            known.add(PART)
        return known


def _repeated(texts: Sequence[str]) -> list[str]:
    return [text for text, times in Counter(texts).items() if times > 1]


def _untellable(what: str, text: str) -> Iterator[str]:
    """A sentence if no process can be told the text."""
    try:
        fine = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        fine = False
    if not fine:
        yield f"{what} holds a character that no process can be told, such as NUL: take it out."
