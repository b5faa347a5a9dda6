"""What an earlier attempt of the same flow run left, so that a retry does only what is missing.

The truth is in storage and on this disk, not in anybody's memory: a file is done when its outputs are whole
in the output container, or lie in the output folder just as this run told of them. A job that is
still active is waited on, with every task it holds; one that ended, or whose outputs were taken away, is made
anew for the files that are left. The first attempt of a run finds nothing, in two requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from batch_tasks import naming
from batch_tasks.clean_up import delete_job
from batch_tasks.clients import batch_client, blob_service
from batch_tasks.concurrently import concurrently
from batch_tasks.earlier_work import EarlierWork
from batch_tasks.file_reports import report_task
from batch_tasks.keep_report import RESULTS, own_folder
from batch_tasks.owned_resources import metadata_of, time_of
from batch_tasks.patience import FIRST_CONTACT, patiently
from batch_tasks.plan import PlannedTask, PlannedTasks, RunPlan
from batch_tasks.poll_tasks import finished_tasks
from batch_tasks.report import FileReport, FinishedTask, Output
from batch_tasks.retrieve_outputs import is_here
from batch_tasks.stage import log, stage
from batch_tasks.submit_tasks import submitted_ids
from batch_tasks.upload_inputs import Stored, stored_blobs
from batch_tasks.verified_outputs import VerifiedOutputs
from batch_tasks.wire import wire_value

_ENDED = frozenset({"completed", "terminating", "deleting"})
_SHARE_OF_TIME = 0.5


@dataclass(frozen=True)
class _EarlierJob:
    """The job of an earlier attempt, as it was before storage was looked at: what a task of it has left since
    is there, too. Ids are in lower case, as Batch compares them.
    """

    ended: bool
    created: datetime | None
    expires: datetime | None
    tasks: frozenset[str]
    succeeded: frozenset[str]


@stage("find-earlier-work")
def find_earlier_work(plan: RunPlan, output_dir: str) -> EarlierWork:
    """What is done of the plan, and the plan of what is left; the run's time is its job's where that goes on.

    Raises:
        AzureError: Batch or storage cannot be reached or refuses.
    """
    job = _earlier_job(plan.names.job_id)
    stored, created = _stored(plan.names.output_container)
    found = _Found(plan, stored, reports_here(plan, Path(output_dir)))
    goes_on = job is not None and not job.ended and _has_time(job, plan) and found.has_outputs_of(job)
    waits_on = job.tasks if job and goes_on else frozenset()
    tasks, done = found.split(waits_on)
    if job and tasks and not goes_on:
        _delete_job(plan.names.job_id)
    expires = job.expires if job and goes_on else None
    if done or waits_on:
        log().info("An earlier attempt left %d files done and %d tasks in its job", len(done), len(waits_on))
    began = min(filter(None, (created, job.created if job else None)), default=None)
    rest = replace(plan, tasks=PlannedTasks(tasks), expires=expires or plan.expires)
    return EarlierWork(rest, done, began)


class _Found:
    """What storage and this disk hold of a run's outputs."""

    def __init__(self, plan: RunPlan, stored: Mapping[str, Stored], here: Mapping[str, FileReport]) -> None:
        self._plan = plan
        self._stored = stored
        self._here = here

    def split(self, waits_on: frozenset[str]) -> tuple[list[PlannedTask], dict[str, FileReport]]:
        """The tasks to run or to wait on, without the files that are done; and the reports of the latter.

        A merge is done when nothing else is left to do; it waits for what is, and reads the rest in storage.
        """

        def one(task: PlannedTask) -> tuple[PlannedTask | None, dict[str, FileReport]]:
            return self._left(task, waits_on)

        merge = self._plan.merge
        results = concurrently(one, [task for task in self._plan.tasks if not task.is_merge])
        done = {key: report for _, reports in results for key, report in reports.items()}
        tasks = [task for task, _ in results if task is not None]
        if merge is None:
            return tasks, done
        left, merged = (merge, {}) if tasks else self._left(merge, waits_on)
        if left is None:
            return tasks, done | merged
        return [*tasks, replace(left, after=tuple(task.task_id for task in tasks))], done

    def has_outputs_of(self, job: _EarlierJob) -> bool:
        """Whether the outputs of the job's tasks are there; somebody may have deleted their container."""
        return not any(
            report.state != "succeeded"
            for task in self._plan.tasks
            if task.task_id.lower() in job.succeeded
            for report in self._reports(task)
        )

    def _left(
        self, task: PlannedTask, waits_on: frozenset[str]
    ) -> tuple[PlannedTask | None, dict[str, FileReport]]:
        """The task without what is done, which is a task of another id; that one may have run, too."""
        if task.task_id.lower() in waits_on:
            return task, {}
        done = {report.key: report for report in self._reports(task) if report.state == "succeeded"}
        files = tuple(file for file in task.files if file.input.key not in done)
        if not files:
            return None, done
        if not done:
            return task, {}
        fewer = replace(task, task_id=naming.task_id([file.input.key for file in files]), files=files)
        left, more = self._left(fewer, waits_on)
        return left, done | more

    def _reports(self, task: PlannedTask) -> Iterator[FileReport]:
        told: Sequence[FileReport] = ()
        if naming.result_blob(task.task_id) in self._stored:
            as_if = FinishedTask(task.task_id, succeeded=True)
            told = list(report_task(self._plan, task, as_if, self._stored))
        in_storage = {report.key: report for report in told if report.state == "succeeded"}
        for file in task.files:
            report = in_storage.get(file.input.key) or self._here.get(file.input.key)
            yield report or FileReport(file.input.key, "not run", task.task_id)


def reports_here(plan: RunPlan, folder: Path) -> Mapping[str, FileReport]:
    """The files whose outputs lie in the folder whole, as this same run told: in its `results.json`, or one
    by one as they came down before it was killed.
    """
    if plan.merge:
        return {}  # a merge reads what the others left in storage
    reports = [*_told_at_the_end(plan, folder), *_told_as_they_came(plan, folder)]
    root = folder.absolute()
    return {
        report.key: report
        for report in reports
        if report.outputs and all(is_here(root / output.path, output) for output in report.outputs)
    }


def _told_at_the_end(plan: RunPlan, folder: Path) -> list[FileReport]:
    try:
        told = json.loads((own_folder(plan, str(folder)) / RESULTS).read_text("utf-8"))
        if told["flow_run_id"] != plan.names.flow_run_id:
            return []
        return [_report(entry) for entry in told["files"] if entry["state"] == "succeeded"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # none, or not ours: then the files are worked on


def _told_as_they_came(plan: RunPlan, folder: Path) -> Iterator[FileReport]:
    for entry in VerifiedOutputs(own_folder(plan, str(folder))).read():
        with suppress(KeyError, TypeError):
            yield _report(entry)


def _report(entry: Mapping[str, Any]) -> FileReport:
    return FileReport(
        key=entry["input"],
        state="succeeded",
        task_id=entry["task"],
        node_id=entry["node"],
        exit_code=entry["exit_code"],
        seconds=entry["seconds"],
        outputs=tuple(Output(**output) for output in entry["outputs"]),
        attempts=entry["attempts"],
    )


def _stored(container: str) -> tuple[Mapping[str, Stored], datetime | None]:
    """What is in the container, and when the run says it made it."""
    try:
        blobs = stored_blobs(container, patience=FIRST_CONTACT)
        found = patiently(blob_service().get_container_client(container).get_container_properties)
    except (ResourceNotFoundError, ResourceExistsError):  # 409: it is being deleted
        return {}, None
    return blobs, time_of((found.metadata or {}).get("created", ""))


def _earlier_job(job_id: str) -> _EarlierJob | None:
    """The job of an earlier attempt; None when there is none.

    An active one in which every task has ended counts as ended: nobody was there to try failures again.
    """
    select = ["id,state,metadata"]
    try:
        job = patiently(lambda: batch_client().get_job(job_id, select=select), patience=FIRST_CONTACT)
        tasks = submitted_ids(job_id)
        finished = finished_tasks(job_id)
    except ResourceNotFoundError:
        return None
    succeeded = frozenset(task.task_id.lower() for task in finished if task.succeeded)
    all_done = bool(tasks) and tasks <= {task.task_id.lower() for task in finished}
    ended = all_done or wire_value(job.state) in _ENDED
    created, expires = (time_of(metadata_of(job).get(name, "")) for name in ("created", "expires"))
    return _EarlierJob(ended, created, expires, tasks, succeeded)


def _has_time(job: _EarlierJob, plan: RunPlan) -> bool:
    """Whether it is worth to go on: its tasks can no longer reach storage when its time is over."""
    enough = (plan.expires - plan.created) * _SHARE_OF_TIME
    return job.expires is None or job.expires - datetime.now(UTC) >= enough


def _delete_job(job_id: str) -> None:
    """It ended, has too little time left, or its outputs are gone: what is left gets a new one."""
    log().info("Job %s of an earlier attempt is made anew", job_id)
    with suppress(ResourceNotFoundError, ResourceExistsError):  # it is gone, or on its way
        delete_job(job_id)
