"""How a run ends whose files are not all done: errors that know what is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from batch_tasks.errors import RunError
from batch_tasks.report import FinishedTask, RunReport

_FILES_SHOWN = 10
_LINES_SHOWN = 6


class _KeptSmall(RunError):
    """Its one argument is its sentence, and that, with its notes, is all that is kept of it elsewhere.

    Prefect pickles the error of a failed run into its result storage: what hangs on the error, and grows with
    the number of files, is for who catches it in this process. Read elsewhere, the error has none of that.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        notes = getattr(self, "__notes__", None)
        return _with_sentence, (type(self), str(self)), {"__notes__": notes} if notes else None


def _with_sentence(kind: type[_KeptSmall], sentence: str) -> _KeptSmall:
    return kind.__new__(kind, sentence)


class RunStopped(_KeptSmall):
    """Batch will not finish this run. `finished` are the tasks that had ended by then."""

    def __init__(self, message: str, finished: Sequence[FinishedTask] = ()) -> None:
        super().__init__(message)
        self.finished = tuple(finished)


class PoolUnusable(RunStopped):
    """No node of the pool can run the tasks."""


class JobEnded(RunStopped):
    """The job ended, or was deleted, before its tasks did."""


class TimedOut(RunStopped):
    """The time the run may take is over."""


class TooExpensive(RunStopped):
    """The run has cost what it may cost."""


class TasksFailed(_KeptSmall):
    """Some files failed; the outputs of the others are there. `report` tells about each file.

    `stopped` is why Batch did not finish the run, where it did not.
    """

    def __init__(self, report: RunReport, stopped: RunStopped | None = None) -> None:
        super().__init__("\n".join(_failures(report, stopped)))
        self.report = report
        self.stopped = stopped

    def __repr__(self) -> str:
        return f"TasksFailed({str(self).splitlines()[0]!r})"


def _failures(report: RunReport, stopped: RunStopped | None) -> Iterator[str]:
    """What failed, for people. Prefect's UI shows it as one paragraph: each part tells where it begins."""
    failed = report.failed
    files = [file for file in failed if file is not report.merged]
    yield f"{len(files)} of {len(report.files)} files failed."
    if len(files) < len(failed):
        yield "The merge of their outputs failed."
    if stopped is not None:
        yield str(stopped)
    for number, file in enumerate(failed[:_FILES_SHOWN], start=1):
        reason = file.reason or f"exit code {file.exit_code}"
        tail = file.stderr_tail.strip().splitlines()[-_LINES_SHOWN:]
        yield f"  ({number}) {file.key}: {file.state}, {reason}{':' if tail else '.'}"
        yield from (f"      | {line}" for line in tail)
    if len(failed) > _FILES_SHOWN:
        yield f"... and {len(failed) - _FILES_SHOWN} more."
