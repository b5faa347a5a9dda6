"""The N most frequent words of many texts, on a Batch node: standard library only, Python 3.10 to 3.13.

One idea: each text left all its words with their counts, in order of first appearance; they are added up in
the order of the texts, so that the result is exactly that of one count over all of them, ties included.

It is given a JSON list of {"file": name of a text, "part": path of its counts}, paths below the folder that
TASK_FILES_DIR names. Texts without a part are named in the result: it never passes for more than it is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

RULE = "-" * 30
ENVIRONMENT = (("Node: ", "NODE"), ("Task: ", "TASK"), ("Job:  ", "JOB"), ("Pool: ", "POOL"))
LACKING_SHOWN = 20  # on stderr; the result names all


class ExitCode(IntEnum):
    """What the task's exit code says; 1 stays an unexpected error, with a traceback."""

    DONE = 0
    WRONG_COMMAND_LINE = 2  # argparse's own
    WRONG_LIST = 3
    WRONG_PART = 4
    NO_PARTS = 5
    UNWRITABLE = 6


class Refused(Exception):
    """Why there is no result: an exit code and a sentence for the reader."""

    def __init__(self, exit_code: ExitCode, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.exit_code = exit_code


class Part(NamedTuple):
    """A text, and where its counts are if it has some."""

    file: str
    path: Path


def parts_in(parts_list: Path, folder: Path) -> list[Part]:
    """The parts that the list names, or Refused."""
    try:
        entries = json.loads(parts_list.read_text(encoding="utf-8"))
        return [Part(entry["file"], folder / entry["part"]) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{str(parts_list)!r} is no list of parts: {type(error).__name__}: {error}"
        raise Refused(ExitCode.WRONG_LIST, what) from None


def add_up(parts: Iterable[Part]) -> tuple[Counter[str], list[str]]:
    """All words with their counts, in order of first appearance; and the texts that have no part."""
    total: Counter[str] = Counter()
    lacking = []
    for part in parts:
        try:
            with part.path.open(encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    word, count = line.split("\t")
                    total[word] += int(count)
        except FileNotFoundError:
            lacking.append(part.file)
        except (OSError, ValueError) as error:
            raise Refused(
                ExitCode.WRONG_PART, f"the counts of {part.file!r} cannot be read: {error}"
            ) from None
    return total, lacking


def table(most_common: Iterable[tuple[str, int]], total: int, lacking: list[str]) -> Iterator[str]:
    """The lines of the result; the Batch service names node, task, job and pool in the environment."""
    yield f"Word\tCount\n{RULE}\n"
    for word, count in most_common:
        yield f"{word}:\t{count}\n"
    yield f"{RULE}\nFiles: {total - len(lacking)} of {total}\n"
    for name in lacking:
        yield f"Lacks: {name!r}\n"
    for label, name in ENVIRONMENT:
        yield f"{label}{os.environ.get(f'AZ_BATCH_{name}_ID', '')}\n"


def run(parts_list: Path, folder: Path, n: int, output: Path) -> None:
    """Merge and write, or raise Refused."""
    parts = parts_in(parts_list, folder)
    total, lacking = add_up(parts)
    if lacking:
        named = ", ".join(map(repr, lacking[:LACKING_SHOWN]))
        more = f" and {len(lacking) - LACKING_SHOWN} more" if len(lacking) > LACKING_SHOWN else ""
        print(f"merge_counts: {len(lacking)} of {len(parts)} texts lack: {named}{more}", file=sys.stderr)
    if len(lacking) == len(parts):
        raise Refused(ExitCode.NO_PARTS, "no text left any counts: there is nothing to merge")
    partial = output.parent / f"{output.name}.partial"
    try:
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(table(total.most_common(n), len(parts), lacking))
        partial.replace(output)
    except OSError as error:
        what = f"{str(output)!r} cannot be written: {error.strerror}"
        raise Refused(ExitCode.UNWRITABLE, what) from None


def main(argv: list[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(
        prog="merge_counts.py", description="Find the most frequent words of many counted texts."
    )
    parser.add_argument("parts", type=Path, help="JSON list of the texts and their counts")
    parser.add_argument("--n", type=int, default=3, help="how many words, at least 1 (default: 3)")
    parser.add_argument("--output", type=Path, required=True, help="where the table goes")
    options = parser.parse_args(argv)
    if options.n < 1:
        parser.error("--n must be at least 1")
    try:
        run(options.parts, Path(os.environ.get("TASK_FILES_DIR", ".")), options.n, options.output)
    except Refused as refused:
        print(f"merge_counts: {refused}", file=sys.stderr)
        return refused.exit_code
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
