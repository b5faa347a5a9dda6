"""What the Prefect UI shows of a run, as plain text and rows. Pure, and small for any number of files."""

from __future__ import annotations

import base64
import json
import re
import textwrap
from collections.abc import Iterator

from batch_tasks.keep_report import Kept
from batch_tasks.progress import Progress
from batch_tasks.report import FileReport, RunReport
from batch_tasks.report_page import failures_first, reason_of
from batch_tasks.run_picture import run_picture
from batch_tasks.timeline import duration

MOST_ROWS = 500
MOST_FAILURES = 40
LARGEST_TABLE = 400_000
LARGEST_FAILURES = 150_000
"""Characters, as JSON; a Prefect server keeps artifacts in its database and sends each whole."""
_LONGEST_CELL = 300
_TAIL = 1500
_BREAKS = str.maketrans("", "", "\n\t")
_LINE = 64  # letters of a code block in a window of 1280 pixels (seen)

Row = dict[str, str | int | float | None]


def files_table(report: RunReport) -> list[Row]:
    """A row a file, failures first; at most `MOST_ROWS` and, whatever the names are, `LARGEST_TABLE`."""
    rows: list[Row] = []
    size = 0
    for file in failures_first(report, MOST_ROWS):
        row = _row(file)
        size += len(json.dumps(row))
        if size > LARGEST_TABLE:
            break
        rows.append(row)
    return rows


def table_words(report: RunReport, rows: int, results: Kept) -> str:
    """What stands above the table: how much of the run it shows, and where all of it is."""
    total = len(report.files) + (report.merged is not None)
    which = f"All {total} files" if rows == total else f"{rows} of {total} files"
    return f"{which}, failures first. The full list: {_where(results)}"


def report_markdown(report: RunReport, results: Kept, page: Kept) -> str:
    """The picture of the run, its numbers, where everything is, and why files failed."""
    place = f"container {report.output_container}" if report.output_container else report.output_dir
    return "\n".join(
        (
            f"# {report.outcome}",
            "",
            f"![Which task ran on which node when]({_data_url(run_picture(report, still=True))})",
            "",
            *_cost(report),
            f"- Outputs: {_code(place)}",
            f"- Report: {_where(page)}",
            f"- Results of every file: {_where(results)}",
            *_failures(report),
            "",
        )
    )


def progress_words(progress: Progress) -> str:
    """One line on where a run stands."""
    counts = (
        (progress.done, "done"),
        (progress.running, "running"),
        (progress.queued, "queued"),
        (progress.failed, "failed"),
    )
    words = ", ".join(f"{count} {what}" for count, what in counts if count or what == "done")
    return f"{progress.phase}: {words} of {progress.total}, {duration(progress.seconds)}"


def progress_markdown(progress: Progress) -> str:
    """Where a run stands, as a small table: tasks by state, nodes by state, the time in the phase."""
    nodes = ", ".join(f"{count} {state}" for state, count in sorted(progress.nodes.items())) or "none yet"
    rows = [
        ("Phase", progress.phase),
        ("Done", f"{progress.done} of {progress.total}"),
        ("Running", str(progress.running)),
        ("Queued", str(progress.queued)),
        ("Failed", str(progress.failed)),
        ("In this phase", duration(progress.seconds)),
    ]
    if progress.phase == "poll-tasks":
        rows.insert(5, ("Nodes", nodes))
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows) + "\n"


def percent(progress: Progress) -> float:
    """How much of the phase is done, from 0 to 100."""
    ended = progress.done + progress.failed
    return round(min(100.0, 100.0 * ended / progress.total), 1) if progress.total else 100.0


def _row(file: FileReport) -> Row:
    outputs = ", ".join(output.path for output in file.outputs[:3])
    more = f" and {len(file.outputs) - 3} more" if len(file.outputs) > 3 else ""
    return {
        "File": _cell(file.key),
        "State": file.state,
        "Reason": _cell(reason_of(file)),
        "Seconds": file.seconds,
        "Exit code": file.exit_code,
        "Attempts": file.attempts,
        "Outputs": _cell(outputs) + more,
        "Batch task": file.task_id,
        "Node": file.node_id,
    }


def _cost(report: RunReport) -> Iterator[str]:
    if report.cost:
        yield f"- Cost of nodes: {_escaped(report.cost.cost)}, {_escaped(report.cost.prices)}"
        yield f"- Node-hours: {_escaped(report.cost.apart)}"


def _failures(report: RunReport) -> Iterator[str]:
    if not report.failed:
        return
    yield "\n## What failed"
    size = told = 0
    for file in failures_first(report, min(MOST_FAILURES, len(report.failed))):
        text = f"\n**{_escaped(_cell(file.key))}**: {_escaped(_cell(reason_of(file)))}\n"
        if tail := file.stderr_tail.strip()[-_TAIL:]:
            text += f"\n{_fenced(_wrapped(plain(tail)))}\n"
        size += len(json.dumps(text))
        if size > LARGEST_FAILURES:
            break
        told += 1
        yield text
    if told < len(report.failed):
        yield f"\n... and {len(report.failed) - told} more."


def _where(kept: Kept) -> str:
    """Where a file is: a link where it is kept in storage, its path on the machine that ran the flow."""
    places = ([f"[{kept.name} in storage]({kept.url})"] if kept.url else []) + (
        [_code(kept.path)] if kept.path else []
    )
    return " and ".join(places) or "could not be kept"


def _data_url(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def plain(text: str) -> str:
    """The text with what cannot be printed, or sent as UTF-8, as escapes; line breaks stay."""
    if text.translate(_BREAKS).isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1] for letter in text
    )


def _wrapped(text: str) -> str:
    """The lines no longer than Prefect's page shows of them; it cuts off the rest."""
    lines = (textwrap.wrap(line, _LINE, drop_whitespace=False) or [""] for line in text.split("\n"))
    return "\n".join(part for parts in lines for part in parts)


def _cell(text: str) -> str:
    text = plain(text).replace("\n", "\\n")
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", text)


def _code(text: str) -> str:
    text = plain(text).replace("\n", "\\n")
    ticks = _longer_than_in(text, 0)
    return f"{ticks} {text} {ticks}" if len(ticks) > 1 else f"`{text}`"


def _fenced(text: str) -> str:
    fence = _longer_than_in(text, 2)
    return f"{fence}text\n{text}\n{fence}"


def _longer_than_in(text: str, least: int) -> str:
    return "`" * (max([least, *(len(run) for run in re.findall(r"`+", text))]) + 1)
