"""The input files a run works on: paths, folders, globs and URLs made into files with keys.

A file's key is its path in storage and in the output folder: its name for a file; its path below the folder
for a folder, also one in storage; its path below the fixed part for a glob. `@list.txt` stands for the lines
of that file, one path, folder, glob or URL each, for more than Prefect takes as parameters, and for URLs with
a signature, which Prefect would show to all who see the run. Keys that would be equal are widened with the
names of their parent folders until they differ. A file named twice counts once.
As in a shell, hidden files are taken only where they are named, not from folders or by `*`. Inside folders,
links to folders are not followed. Nor are files of the output folder taken from a folder or glob around it: a
run would take the outputs of the one before for its inputs.
"""

from __future__ import annotations

import glob
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch_tasks.errors import InputError
from batch_tasks.stored_inputs import (
    StoredFile,
    StoredPlace,
    is_signed,
    is_url,
    stored_files,
    stored_place,
    unsigned,
)

_PROBLEMS_SHOWN = 20
_UNCOUNTED = "hidden ones and those in the output folder"


@dataclass(frozen=True)
class InputFile:
    """One file; `key` is relative, with `/` between its parts; `size` in bytes.

    `url` is where it is in storage, signed if that was given; "" for a file on this machine.
    """

    path: str
    key: str
    size: int
    url: str = field(default="", repr=False)


Look = Callable[[StoredPlace], Iterable[StoredFile]]


def not_looked(_place: StoredPlace) -> tuple[StoredFile, ...]:
    """Stands for asking storage where nobody is signed in yet: URLs then give no files."""
    return ()


@dataclass
class Outputs:
    """The output folder, and how many files of it have been left out."""

    folder: Path
    left_out: int = 0

    def within(self, folder: Path) -> Callable[[Path], bool]:
        """Tells of files in the folder whether they are in the output folder, when that is within; counts."""
        outputs, outer = self.folder.resolve(), folder.resolve()
        place = folder / outputs.relative_to(outer) if outer in outputs.parents else None

        def hold(path: Path) -> bool:
            held = place is not None and path.is_relative_to(place)
            self.left_out += held
            return held

        return hold


def find_inputs(
    sources: Iterable[str], look: Look = stored_files, outputs: Outputs | None = None
) -> tuple[InputFile, ...]:
    """The files that these sources stand for, in the order given, each once. `look` asks storage. Files among
    the outputs are left out where they are not named themselves.

    Raises:
        InputError: with every problem in it: what is missing, empty, unreadable, or matches nothing.
    """
    outputs = outputs or Outputs(Path(os.devnull))  # around which there is nothing to take
    problems: list[str] = []
    files: dict[str, InputFile] = {}
    for source in _with_lists_read(sources, problems):
        try:
            for identity, file in _files_of(source, look, outputs):
                files.setdefault(identity, file)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        raise InputError(problems[:_PROBLEMS_SHOWN] + ([f"... and {more} more."] if more > 0 else []))
    return tuple(_with_distinct_keys(list(files.values())))


def _with_lists_read(sources: Iterable[str], problems: list[str]) -> list[str]:
    """The sources, each `@list` replaced by its lines; what is wrong is added to the problems."""
    given = [source for source in sources if source.strip()]
    if not given:
        problems.append("No input files are given: name files, folders or patterns such as 'texts/*.txt'.")
    found: list[str] = []
    problems += [
        f"The URL {unsigned(source)!r} brings a signature, and Prefect shows parameters to all who see the "
        "run. Write the URL into a file, one on each line, and name that file instead: '@list.txt'."
        for source in given
        if is_signed(source)
    ]
    for source in (source for source in given if not is_signed(source)):
        if not source.startswith("@") or os.path.lexists(source):
            found.append(source)
            continue
        try:
            text = Path(_with_home(source[1:])).read_text("utf-8", "surrogateescape")
        except OSError as error:
            problems.append(f"The list {source[1:]!r} of input files cannot be read: {error.strerror}.")
            continue
        lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
        named = [line for line in lines if line.strip()]
        if not named:
            problems.append(f"The list {source[1:]!r} of input files is empty: write one path per line.")
        found += named
    return found


def _files_of(source: str, look: Look, outputs: Outputs) -> Iterator[tuple[str, InputFile]]:
    """The files that one source stands for, each with what tells it from all others."""
    if is_url(source):
        for stored in look(stored_place(source)):
            yield stored.path, InputFile(stored.path, stored.key, stored.size, stored.url)
        return
    for path, key in _expand(_with_home(source), outputs):
        yield str(path.resolve()), InputFile(str(path), key, _readable_size(path))


def _with_home(source: str) -> str:
    return str(Path(source).expanduser()) if source.startswith("~") else source


def _expand(source: str, outputs: Outputs) -> Iterator[tuple[Path, str]]:
    """The files that one source stands for, with their keys."""
    path = Path(source)
    if path.is_dir():
        yield from _in_folder(path, outputs)
    elif os.path.lexists(path):
        yield path, path.name
    elif glob.has_magic(source):
        yield from _matching(source, outputs)
    else:
        raise InputError([f"There is no file or folder {source!r}. Paths are relative to {Path.cwd()}."])


def _in_folder(folder: Path, outputs: Outputs) -> Iterator[tuple[Path, str]]:
    found, held = False, outputs.within(folder)
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or not path.is_file():
                continue
            if not held(path):
                found = True
                yield path, str(path.relative_to(folder))
    if unreadable:
        raise InputError(
            [f"Cannot read the folder {error.filename!r}: {error.strerror}." for error in unreadable]
        )
    if not found:
        raise InputError([f"The folder {str(folder)!r} holds no files ({_UNCOUNTED} do not count)."])


def _matching(pattern: str, outputs: Outputs) -> Iterator[tuple[Path, str]]:
    fixed = _fixed_part(pattern)
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  Path.glob() would take hidden files
    held = outputs.within(Path(fixed))
    files = [path for path in map(Path, matches) if path.is_file() and not held(path)]
    if not files:
        raise InputError(
            [f"No file matches {pattern!r} ({_UNCOUNTED} do not count). Paths are relative to {Path.cwd()}."]
        )
    for path in files:
        below = os.path.relpath(path, fixed)
        yield path, path.name if below.startswith("..") else below


def _fixed_part(pattern: str) -> str:
    """The folder before the first part with a wildcard."""
    parts = pattern.split("/")[:-1]
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), parts))
    return "/".join(fixed) or ("/" if pattern.startswith("/") else ".")


def _readable_size(path: Path) -> int:
    if not path.is_file():
        what = "neither a file nor a folder" if path.exists() else "a link to nothing"
        raise InputError([f"{str(path)!r} is {what}."])
    if not os.access(path, os.R_OK):
        raise InputError([f"The file {str(path)!r} cannot be read: you lack the permission."])
    return path.stat().st_size


def _with_distinct_keys(files: list[InputFile]) -> list[InputFile]:
    """The same files; those whose keys are equal get as many parent folders in front as it takes."""
    keys = [file.key for file in files]
    wider = [_wider_keys(file) for file in files]
    while True:
        by_key = defaultdict(list)
        for number, key in enumerate(keys):
            by_key[key].append(number)
        crowded = [number for numbers in by_key.values() if len(numbers) > 1 for number in numbers]
        if not crowded:
            return [replace(file, key=key) for file, key in zip(files, keys, strict=True)]
        for number in crowded:
            keys[number] = next(wider[number], keys[number])


def _wider_keys(file: InputFile) -> Iterator[str]:
    """The key with one more parent folder each time, up to the absolute path; those differ, so it ends."""
    parts = os.path.abspath(file.path).lstrip("/").split("/")  # noqa: PTH100  Path.resolve() follows links
    for start in range(len(parts) - file.key.count("/") - 2, -1, -1):
        yield "/".join(parts[start:])
