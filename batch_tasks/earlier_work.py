"""What of a run is done before an attempt begins, from the stage that finds it to the one that reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from batch_tasks.plan import RunPlan
from batch_tasks.report import FileReport


class EarlierWork:
    """The plan of what is left, the reports of the files that are done, by key, and when the first attempt
    began that left something; None where none has.

    No dataclass: Prefect would look for futures in each of 10,000 reports.
    """

    def __init__(self, rest: RunPlan, done: Mapping[str, FileReport], began: datetime | None = None) -> None:
        self.rest = rest
        self.done = done
        self.began = began

    def completed(self, plan: RunPlan, reports: Iterable[FileReport]) -> list[FileReport]:
        """A report for each file of the whole plan, in its order: of this attempt or of an earlier one."""
        by_key = {**self.done, **{report.key: report for report in reports}}
        return [by_key[file.input.key] for task in plan.tasks for file in task.files]
