"""The errors a run can end with. Each says what happened, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

if TYPE_CHECKING:
    from batch_tasks.report import FinishedTask, RunReport

_FILES_SHOWN = 10
_LINES_SHOWN = 6


class RunError(Exception):
    """What this pipeline has to say itself; trying the same again would not help."""


class AccountError(RunError):
    """The Azure account cannot be used as it is set."""


class InputError(RunError):
    """The input is refused, before anything was created. `problems` are sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(list(problems))
        self.problems = list(problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        listed = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems with the input:\n{listed}"


class PreFlightFailed(RunError):
    """The run cannot go well on this account; nothing was created. `problems` are sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(list(problems))
        self.problems = list(problems)

    def __str__(self) -> str:
        counted = "1 problem stands" if len(self.problems) == 1 else f"{len(self.problems)} problems stand"
        listed = "\n".join(f"  {number}. {text}" for number, text in enumerate(self.problems, start=1))
        return f"{counted} in the way; nothing was made:\n{listed}"


class ResourceBusy(RunError):
    """Something of the same name is still being deleted by Azure."""


class CleanUpFailed(RunError):
    """Something of the run could not be deleted."""


class RunClosing(RunError):
    """The run is being closed: a stage that still worked in a thread stops here."""


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


class SubmitFailed(RunError):
    """Batch refused tasks, or did not take them in time."""


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


def error_code(error: AzureError) -> str:
    """The service's own code of an error, such as `PoolExists`; "" when the answer held none."""
    code = getattr(error, "error_code", None)  # storage
    if code is None and isinstance(error, HttpResponseError) and error.error is not None:  # Batch
        code = error.error.code
    return str(getattr(code, "value", code) or "")


def code_of(error: AzureError) -> str:
    """Status and code of an error, for people: `403 AuthorizationFailed`."""
    status = getattr(error, "status_code", None)
    return " ".join(filter(None, (str(status or ""), error_code(error)))) or type(error).__name__


def is_refusal(error: BaseException) -> bool:
    """Whether Azure, or signing in to it, refused who we are or what we may do."""
    if isinstance(error, ClientAuthenticationError):
        return True
    return isinstance(error, HttpResponseError) and error.status_code in {401, 403}


def without_secrets(text: str) -> str:
    """The text with the signatures of signed URLs blotted out."""
    return re.sub(r"(?i)\b(sig=)[^&\s\"']+", r"\1...", text)
