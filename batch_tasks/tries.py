"""The tries at each file: which failures are given to a new Batch task, and what became of a file in the end.

A new task has only the files that failed and may be tried again; its id follows from their keys and from the
number of the try, so that a driver that begins anew finds the tries of the one before. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from batch_tasks import naming
from batch_tasks.failures import failure_kind
from batch_tasks.options import RetryOptions
from batch_tasks.plan import PlannedTask, RunPlan
from batch_tasks.report import FileReport, FinishedTask

Reports = Callable[[PlannedTask, FinishedTask | None], Sequence[FileReport]]
"""What became of the files of one Batch task, given how it ended."""


def may_be_tried_again(failed: FinishedTask, tried: int, retry: RetryOptions) -> bool:
    """Whether the reports of the files of a failed task are worth reading: none is tried again else.

    Of a task of several files Batch knows one exit code for all, so any that is named may be theirs.
    """
    kind = failure_kind(failed.failure, failed.exit_code)
    codes = max(retry.exit.values(), default=0) if kind == "user" else 0
    return tried <= max(retry.allowed(kind, failed.exit_code), codes)


def next_try(
    task: PlannedTask, reports: Iterable[FileReport], tried: int, retry: RetryOptions
) -> PlannedTask | None:
    """The task for the files that failed and may be tried again, after so many tries; None without any."""
    again = {
        report.key
        for report in reports
        if report.state == "failed"
        and report.kind is not None
        and tried <= retry.allowed(report.kind, report.exit_code)
    }
    files = tuple(file for file in task.files if file.input.key in again)
    if not files:
        return None
    return replace(task, task_id=naming.task_id([file.input.key for file in files], tried + 1), files=files)


def reports_of(
    task: PlannedTask, ended: Mapping[str, FinishedTask], retry: RetryOptions, reports: Reports
) -> Iterator[FileReport]:
    """What became of each file of a task through all its tries. `ended` is by id in lower case."""
    yield from _reports_of(task, ended, retry, reports, 1)


def _reports_of(
    task: PlannedTask, ended: Mapping[str, FinishedTask], retry: RetryOptions, reports: Reports, tried: int
) -> Iterator[FileReport]:
    finished = ended.get(task.task_id.lower())
    told = list(reports(task, finished))
    again = next_try(task, told, tried, retry) if finished and not finished.succeeded else None
    later: dict[str, FileReport] = {}
    if again is not None and again.task_id.lower() in ended:
        later = {one.key: one for one in _reports_of(again, ended, retry, reports, tried + 1)}
    for one in told:
        yield _with_earlier(later[one.key], one) if one.key in later else one


def _with_earlier(last: FileReport, earlier: FileReport) -> FileReport:
    """The report of the last try, with what the one before it took."""
    return replace(
        last,
        attempts=last.attempts + earlier.attempts,
        preemptions=last.preemptions + earlier.preemptions,
        wasted_seconds=last.wasted_seconds + earlier.wasted_seconds,
        earlier_tasks=(earlier.task_id, *last.earlier_tasks),
    )


class Tries:
    """All tasks of a run while it is polled: those of its plan, and the tries that follow from failures."""

    def __init__(self, plan: RunPlan) -> None:
        self._retry = plan.retry
        self._merge = plan.merge
        self._tried: dict[str, tuple[PlannedTask, int]] = {}
        self._judged: set[str] = set()
        self._follow([task for task in plan.tasks if not task.is_merge])

    def __len__(self) -> int:
        return len(self._tried)

    @property
    def retried(self) -> int:
        """How many tasks are tries again."""
        return sum(tried > 1 for _, tried in self._tried.values())

    def all_ended(self, finished: Iterable[FinishedTask]) -> bool:
        """Whether each task is among the finished ones."""
        return self._tried.keys() <= {task.task_id.lower() for task in finished}

    def worth_reading(self, finished: Iterable[FinishedTask]) -> list[tuple[PlannedTask, FinishedTask]]:
        """The failed tasks not judged yet, of which files may be tried again."""
        found = []
        for task in finished:
            planned, tried = self._tried.get(task.task_id.lower(), (None, 0))
            if planned is None or task.succeeded or task.task_id.lower() in self._judged:
                continue
            if may_be_tried_again(task, tried, self._retry):
                found.append((planned, task))
            else:
                self._judged.add(task.task_id.lower())
        return found

    def after(self, task: PlannedTask, reports: Iterable[FileReport]) -> PlannedTask | None:
        """The next try after this failed task, which counts as one of the run's from now on."""
        key = task.task_id.lower()
        tried = self._tried[key][1]
        self._judged.add(key)
        again = next_try(task, reports, tried, self._retry)
        if again is not None:
            self._follow([again], tried + 1)
        return again

    def merge(self) -> PlannedTask | None:
        """The merge, once: when nothing else is left to try."""
        merge, self._merge = self._merge, None
        if merge is not None:
            self._follow([merge])
        return merge

    def forget(self, tasks: Iterable[PlannedTask]) -> None:
        """These could not be submitted: what they were to do stays undone."""
        for task in tasks:
            del self._tried[task.task_id.lower()]

    def left(self, finished: Iterable[FinishedTask]) -> list[str]:
        """The keys of the inputs whose last try has not ended."""
        ended = {task.task_id.lower() for task in finished}
        return [
            file.input.key
            for key, (task, _) in self._tried.items()
            if key not in ended and not task.is_merge
            for file in task.files
        ]

    def _follow(self, tasks: Iterable[PlannedTask], tried: int = 1) -> None:
        self._tried.update({task.task_id.lower(): (task, tried) for task in tasks})
