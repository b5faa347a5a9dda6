"""The files of a node or task as the file operations show them; nothing outside of the given root, ever.

Names are relative to the root, with `/`. Links are followed only while they stay inside; files are opened
part by part without following links, so a task that swaps a folder for a link at the wrong moment wins
nothing.
"""

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

CHUNK = 256 << 10
_TEXT = frozenset(
    {".c", ".cfg", ".conf", ".css", ".csv", ".err", ".htm", ".html", ".ini", ".js", ".json", ".log", ".md"}
    | {".out", ".py", ".r", ".rst", ".sh", ".sql", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class FileNotFound(Exception):
    """There is no such file below the root, or the name leads out of it."""


class InvalidRange(Exception):
    """The byte range is malformed or begins beyond the end of the file."""


class DirectoryNotEmpty(Exception):
    """A directory with something in it is deleted only when asked to do so recursively."""


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A file or directory. `created` is the last change of its metadata where no birth time is kept."""

    name: str
    is_directory: bool
    size: int
    modified: float
    created: float
    mode: int
    """All of `st_mode`, for example 0o100644."""

    @property
    def content_type(self) -> str:
        """`text/plain` or `application/octet-stream`, by the name; only these two are recorded."""
        suffix = PurePosixPath(self.name).suffix.lower()
        return "text/plain" if suffix in _TEXT else "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Content:
    """An open file, or the part of it that was asked for: `length` bytes, also while the file grows."""

    file: NodeFile
    length: int
    stream: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        """The bytes; closes the file at the end."""
        left = self.length
        with self.stream:
            while left and (data := self.stream.read(min(CHUNK, left))):
                left -= len(data)
                yield data


def list_files(root: Path, *, recursive: bool) -> list[NodeFile]:
    """What is below `root`, by name; directories too. Links that lead out of it are not shown.

    Raises:
        FileNotFound: there is no such root.
    """
    limit = os.path.realpath(root)
    if not Path(limit).is_dir():
        raise FileNotFound(str(root.name))
    found: list[NodeFile] = []
    todo = [(limit, "")]
    while todo:
        folder, below = todo.pop()
        for entry in _entries(folder):
            name = below + entry.name
            if entry.is_symlink() and not _within(os.path.realpath(entry.path), limit):
                continue
            with contextlib.suppress(OSError):  # it went while we looked, as running tasks' files do
                found.append(_described(name, entry.stat()))
            if recursive and entry.is_dir(follow_symlinks=False):
                todo.append((entry.path, name + "/"))
    return sorted(found, key=lambda file: file.name)


def describe(root: Path, name: str) -> NodeFile:
    """One file or directory.

    Raises:
        FileNotFound: there is none of this name below `root`.
    """
    try:
        return _described(name, Path(_resolved(root, name)).stat())
    except OSError:
        raise FileNotFound(name) from None


def read(root: Path, name: str, byte_range: str | None = None) -> Content:
    """Open a file to be read, whole or in part; `byte_range` is the value of `ocp-range`, `bytes=a-b`.

    Both ends count; the last may lie beyond the end of the file or be left out (recorded, as sent by
    callers).

    Raises:
        FileNotFound: there is no file of this name below `root`.
        InvalidRange: no byte of the file is in the range.
    """
    try:
        fd = _open_within(root, name)
    except OSError:
        raise FileNotFound(name) from None
    status = os.fstat(fd)
    try:
        first, length = _part(byte_range, status)
    except BaseException:
        os.close(fd)
        raise
    stream = os.fdopen(fd, "rb")
    stream.seek(first)
    return Content(_described(name, status), length, stream)


def delete(root: Path, name: str, *, recursive: bool = False) -> None:
    """Delete a file, a link (never what it leads to) or a directory; the root itself cannot be deleted.

    Raises:
        FileNotFound: there is none of this name below `root`.
        DirectoryNotEmpty: it is a directory that holds something and `recursive` is false.
    """
    parts = _parts(name)
    try:
        parent = _open_within(root, "/".join(parts[:-1]), os.O_DIRECTORY)
    except OSError:
        raise FileNotFound(name) from None
    try:
        _delete_entry(parent, parts[-1], recursive=recursive)
    except FileNotFoundError:
        raise FileNotFound(name) from None
    finally:
        os.close(parent)


def _delete_entry(parent: int, name: str, *, recursive: bool) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
    elif recursive:
        shutil.rmtree(name, dir_fd=parent)
    else:
        try:
            os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            raise
        except OSError:
            raise DirectoryNotEmpty(name) from None


def _part(byte_range: str | None, status: os.stat_result) -> tuple[int, int]:
    """First byte and number of bytes."""
    size = status.st_size
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFound("this is not a file")
    if byte_range is None:
        return 0, size
    found = _RANGE.fullmatch(byte_range.strip())
    if found is None:
        raise InvalidRange(f"{byte_range!r}: write bytes=<first>-<last>")
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if first >= size or (found[2] and int(found[2]) < first):
        raise InvalidRange(f"{byte_range!r}: the file has {size} bytes")
    return first, last - first + 1


def _parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part]
    if not parts or name.startswith("/") or "\0" in name or any(part in {".", ".."} for part in parts):
        raise FileNotFound(name)
    return parts


def _resolved(root: Path, name: str) -> str:
    """The real path of what `name` means."""
    limit = os.path.realpath(root)
    path = os.path.realpath(Path(limit, *_parts(name))) if name else limit
    if not _within(path, limit):
        raise FileNotFound(name)
    return path


def _open_within(root: Path, name: str, flags: int = 0) -> int:
    """A descriptor of what `name` means, opened without following any link below the root."""
    limit = os.path.realpath(root)
    parts = os.path.relpath(_resolved(root, name), limit).split("/")
    fd = os.open(limit, os.O_RDONLY | os.O_DIRECTORY)
    for index, part in enumerate(parts):
        kind = flags if index == len(parts) - 1 else os.O_DIRECTORY
        try:
            deeper = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | kind, dir_fd=fd)
        finally:
            os.close(fd)
        fd = deeper
    return fd


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _within(path: str, limit: str) -> bool:
    return path == limit or path.startswith(limit.rstrip("/") + "/")


def _described(name: str, status: os.stat_result) -> NodeFile:
    directory = stat.S_ISDIR(status.st_mode)
    return NodeFile(
        name=name,
        is_directory=directory,
        size=0 if directory else status.st_size,
        modified=status.st_mtime,
        created=getattr(status, "st_birthtime", status.st_ctime),
        mode=status.st_mode,
    )
