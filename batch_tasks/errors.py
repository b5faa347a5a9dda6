"""The errors a run can end with. Each says what happened, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

if TYPE_CHECKING:
    from batch_tasks.report import FileReport, FinishedTask, RunReport

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


class RunStopped(RunError):
    """Batch will not finish this run. `finished` are the tasks that had ended by then."""

    def __init__(self, message: str, finished: Sequence[FinishedTask] = ()) -> None:
        super().__init__(message, tuple(finished))
        self.finished = tuple(finished)

    def __str__(self) -> str:
        return str(self.args[0])

    def __repr__(self) -> str:  # Prefect logs it: thousands of tasks are not for there
        return f"{type(self).__name__}({self.args[0]!r})"


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


class TasksFailed(RunError):
    """Some files failed; the outputs of the others are there. `report` tells about each file."""

    def __init__(self, report: RunReport, stopped: RunStopped | None = None) -> None:
        super().__init__(report, stopped)
        self.report = report
        self.stopped = stopped

    def __repr__(self) -> str:
        return f"TasksFailed({str(self).splitlines()[0]!r})"

    def __str__(self) -> str:
        failed = self.report.failed
        files = [file for file in failed if file is not self.report.merged]
        lines = [f"{len(files)} of {len(self.report.files)} files failed."]
        if len(files) < len(failed):
            lines.append("The merge of their outputs failed.")
        if self.stopped is not None:
            lines.append(str(self.stopped))
        for file in failed[:_FILES_SHOWN]:
            lines.extend(_told(file))
        if len(failed) > _FILES_SHOWN:
            lines.append(f"... and {len(failed) - _FILES_SHOWN} more.")
        return "\n".join(lines)


def _told(file: FileReport) -> list[str]:
    reason = file.reason or f"exit code {file.exit_code}"
    tail = [f"    {line}" for line in file.stderr_tail.strip().splitlines()[-_LINES_SHOWN:]]
    return [f"  {file.key}: {file.state}, {reason}", *tail]


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
