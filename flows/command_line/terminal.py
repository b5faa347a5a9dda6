"""What a command shows: words and a progress bar on stderr, the result on stdout."""

import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect.logging.configuration import setup_logging
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from batch_tasks.pre_flight import ASKED_FOR
from batch_tasks.progress import Progress, watching
from batch_tasks.report import FileReport, RunReport
from flows.run_log import FAILED

ROWS_SHOWN = 30
OUTPUTS_SHOWN = 8
LARGEST_SHOWN = 2000
"""Bytes of an output that is shown."""


def say(text: str) -> None:
    """A line about what happens, on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def complain(error: BaseException, text: str | None = None) -> None:
    """What went wrong, with the notes that the error carries."""
    for line in (text or str(error), *getattr(error, "__notes__", ())):
        say(line)


def conclude(report: RunReport) -> int:
    """Print what became of the files, and short outputs in full; returns the exit code."""
    if not report.files:
        print("Nothing stands in the way of this run. It was only checked: nothing was made.")
        return 0
    folder = report.output_container or _from_here(report.output_dir)
    place = f"the container {folder}" if report.output_container else f"{folder}/"
    succeeded, total = len(report.succeeded), len(report.files)
    print(printable(f"{succeeded} of {total} files succeeded; outputs are in {place}\n"))
    for line in table([*report.files, *([report.merged] if report.merged else [])], folder):
        print(printable(line))
    for path, text in short_outputs(report):
        print(printable(f"\n{folder}/{path}:\n{text.rstrip()}"))
    sys.stdout.flush()
    return 1 if report.failed else 0


def table(files: Sequence[FileReport], folder: str) -> list[str]:
    """A line for each file under a heading; of over ROWS_SHOWN, the failures first and the rest counted."""
    shown = list(files)
    if len(shown) > ROWS_SHOWN:
        shown = sorted(shown, key=lambda file: file.state == "succeeded")[:ROWS_SHOWN]
    rows = [("File", "State", "Seconds", "Output"), *(_row(file, folder) for file in shown)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join(
            [*(_padded(text, width) for text, width in zip(row, widths, strict=False)), row[3]]
        ).rstrip()
        for row in rows
    ]
    return lines + ([f"... and {len(files) - len(shown)} more"] if len(files) > len(shown) else [])


def short_outputs(report: RunReport) -> list[tuple[str, str]]:
    """Path and text of the outputs, when they are few, small and text; else nothing."""
    outputs = [output for file in (*report.succeeded, report.merged) if file for output in file.outputs]
    if (
        report.output_container
        or len(outputs) > OUTPUTS_SHOWN
        or any(output.size > LARGEST_SHOWN for output in outputs)
    ):
        return []
    try:
        return [
            (output.path, Path(report.output_dir, output.path).read_text("utf-8-sig")) for output in outputs
        ]
    except (OSError, UnicodeDecodeError):
        return []


def printable(text: str) -> str:
    """The text with what could steer a terminal, or cannot be written to it, shown as an escape."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1] for letter in text
    )


@contextmanager
def progress_shown() -> Iterator[None]:
    """While the block runs, Prefect's warnings and what a check found appear as single lines and, on a
    terminal, phases as bars.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    setup_logging()  # now, since it would take our handler away later
    lines = _Lines(console)
    logger = logging.getLogger("prefect")
    logger.addHandler(lines)
    try:
        with (
            Bars(*columns, console=console, disable=not console.is_terminal) as bars,
            watching(_Phases(bars).show),
        ):
            yield
    finally:
        logger.removeHandler(lines)


class _Phases:
    """One bar for each phase of the run, in the order they begin; told from several threads."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._ids: dict[str, TaskID] = {}
        self._ended: dict[str, int] = {}
        self._lock = threading.Lock()

    def show(self, progress: Progress) -> None:
        phase = progress.phase
        with self._lock:
            # Two threads may tell in another order than they counted.
            ended = max(progress.done + progress.failed, self._ended.get(phase, 0))
            self._ended[phase] = ended
            if phase not in self._ids:
                self._ids[phase] = self._bars.add_task(phase, total=progress.total, detail="")
            self._bars.update(self._ids[phase], completed=ended, detail=_detail(progress))


class _Lines(logging.Handler):
    """Warnings and what was asked for, as lines; without how the run ended, which the command says itself."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        asked_for = getattr(record, ASKED_FOR, False)
        if not asked_for and (record.levelno < logging.WARNING or record.exc_info):
            return
        if not message.startswith(("Finished in state", "Crash detected", FAILED)):
            style = "" if asked_for else "yellow"
            self._console.print(
                printable(message), style=style, markup=False, highlight=False, soft_wrap=True
            )


def _detail(progress: Progress) -> str:
    counts = {"running": progress.running, "queued": progress.queued, "failed": progress.failed}
    words = [f"{count} {what}" for what, count in counts.items() if count]
    nodes = ", ".join(f"{count} {state}" for state, count in sorted(progress.nodes.items()))
    return ", ".join(words) + (f" (nodes: {nodes})" if nodes else "")


def _row(file: FileReport, folder: str) -> tuple[str, str, str, str]:
    seconds = "" if file.seconds is None else f"{file.seconds:.2f}"
    paths = [f"{folder}/{output.path}" for output in file.outputs]
    if len(paths) > 1:
        paths = [f"{len(paths)} files, the first {paths[0]}"]
    return file.key, file.state, seconds, paths[0] if paths else file.reason


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _from_here(folder: str) -> str:
    relative = os.path.relpath(folder)
    return folder if relative.startswith("..") else relative
