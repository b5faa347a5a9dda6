"""Finds the files that the pattern of an output file means.

The rules are documented: `*`, `?` and brackets within one name, `**` for any folders, a leading dot only
where the pattern has one, brackets to escape (`[*]`), variables replaced first. Assumed: `**` at the end
means every file below; a pattern whose only brackets are such escapes is a literal name.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batch_emulator.compute_node.environment import expand

_ESCAPE = re.compile(r"\[([*?\[\]!])\]")
_WILD = re.compile(r"[*?]|\[.+\]")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to upload: where it really is, and its name below the fixed part of the pattern."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class FilePattern:
    """A pattern, its variables replaced: a fixed folder, then names to match."""

    base: Path
    segments: tuple[str, ...]

    @property
    def literal(self) -> bool:
        """Whether it names one file: it has no wildcard."""
        return all(_literal(segment) is not None for segment in self.segments)

    @classmethod
    def parse(cls, pattern: str, working: Path, environment: Mapping[str, str]) -> "FilePattern":
        """Read a pattern that is relative to the folder `working`.

        Raises:
            ValueError: it is empty or has a NUL character.
        """
        # A folder of ours may be called anything; only what the user wrote is a pattern.
        safe = {
            name: _escaped(value) if name.startswith("AZ_BATCH_") else value
            for name, value in environment.items()
        }
        text = expand(pattern, safe)
        segments = [segment for segment in text.split("/") if segment not in {"", "."}]
        if not segments or "\0" in text:
            raise ValueError(f"file pattern {pattern!r} names no file")
        base = "/" if text.startswith("/") else str(working)
        while len(segments) > 1 and (name := _literal(segments[0])) is not None:
            base = f"{base}/{name}"
            del segments[0]
        return cls(Path(os.path.normpath(base)), tuple(segments))

    def files(self, task: Path) -> list[Found]:
        """The regular files that match, by name. A link out of the task's folder is not followed.

        Where the pattern's fixed part is outside of `task`, that part is what must not be left.
        """
        limit = os.path.realpath(task if self.base.is_relative_to(task) else self.base)
        found: dict[str, Found] = {}
        for path, name in self._walk(limit):
            real = os.path.realpath(path)
            if _within(real, limit) and _is_file(real):
                found[name] = Found(Path(real), name)
        return [found[name] for name in sorted(found)]

    def _walk(self, limit: str) -> Iterator[tuple[str, str]]:
        """Paths that match, and their names below the fixed part; folders among them."""
        todo = [(str(self.base), "", 0)]
        seen = set(todo)
        while todo:
            folder, below, at = todo.pop()
            segment, last = self.segments[at], at == len(self.segments) - 1
            deep = segment == "**"
            next_steps = [(folder, below, at + 1)] if deep and not last else []
            for entry in _entries(folder, limit):
                name = below + entry.name
                if not _matches(entry.name, "*" if deep else segment):
                    continue
                if last:
                    yield entry.path, name
                if entry.is_dir(follow_symlinks=not deep) and (deep or not last):
                    next_steps.append((entry.path, name + "/", at if deep else at + 1))
            todo += [step for step in next_steps if step not in seen]
            seen.update(next_steps)


def _entries(folder: str, limit: str) -> list["os.DirEntry[str]"]:
    """What is in a folder; nothing when it is outside of `limit` or cannot be read."""
    if not _within(os.path.realpath(folder), limit):
        return []
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _matches(name: str, segment: str) -> bool:
    hidden = name.startswith(".") and not segment.startswith(".")
    return not hidden and fnmatch.fnmatchcase(name, segment)


def _literal(segment: str) -> str | None:
    """The one name that a segment means, or None when it has a wildcard."""
    if _WILD.search(_ESCAPE.sub("", segment)):
        return None
    return _ESCAPE.sub(r"\1", segment)


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
