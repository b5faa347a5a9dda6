"""What an earlier attempt of the same flow run left, so that a retry does only what is missing.

The truth is in storage and on this disk, not in anybody's memory: a file is done when its outputs are whole
in the output container, or lie in the output folder just as this run's `results.json` tells. A job that is
still active is waited on, with every task it holds; one that ended, or whose outputs were taken away, is made
anew for the files that are left. The first attempt of a run finds nothing, in two requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.batch.models import BatchJob
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from batch_tasks import naming
from batch_tasks.clean_up import delete_job
from batch_tasks.clients import batch_client
from batch_tasks.concurrently import concurrently
from batch_tasks.earlier_work import EarlierWork
from batch_tasks.keep_report import RESULTS, free_name, names_taken
from batch_tasks.owned_resources import metadata_of, time_of
from batch_tasks.patience import FIRST_CONTACT, patiently
from batch_tasks.plan import PlannedTask, PlannedTasks, RunPlan
from batch_tasks.poll_tasks import finished_tasks
from batch_tasks.report import FileReport, FinishedTask, Output
from batch_tasks.retrieve_outputs import is_here, report_task
from batch_tasks.stage import log, stage
from batch_tasks.submit_tasks import submitted_ids
from batch_tasks.upload_inputs import Stored, stored_blobs
from batch_tasks.wire import wire_value

_ENDED = frozenset({"completed", "terminating", "deleting"})
_SHARE_OF_TIME = 0.5


@stage("find-earlier-work")
def find_earlier_work(plan: RunPlan, output_dir: str) -> EarlierWork:
    """What is done of the plan, and the plan of what is left; the run's time is its job's where that goes on.

    Raises:
        AzureError: Batch or storage cannot be reached or refuses.
    """
    found = _Found(plan, _stored(plan.names.output_container), reports_here(plan, Path(output_dir)))
    job = _active_job(plan)
    waits_on = found.in_job(job) if job else frozenset()
    if job and waits_on is None:
        delete_job(plan.names.job_id)
        log().warning("The outputs of job %s were taken away: it is made anew", plan.names.job_id)
    tasks, done = found.split(waits_on or frozenset())
    if tasks and plan.merge and not waits_on:
        tasks, done = list(plan.tasks), {}  # what is merged must be in the job of the merge
    expires = _expires(job) if job and waits_on is not None else None
    rest = replace(plan, tasks=PlannedTasks(tasks), expires=expires or plan.expires)
    if done or waits_on:
        log().info(
            "An earlier attempt left %d files done and %d tasks in its job", len(done), len(waits_on or ())
        )
    return EarlierWork(rest, done)


class _Found:
    """What storage and this disk hold of a run's outputs."""

    def __init__(self, plan: RunPlan, stored: Mapping[str, Stored], here: Mapping[str, FileReport]) -> None:
        self._plan = plan
        self._stored = stored
        self._here = here

    def split(self, waits_on: frozenset[str]) -> tuple[list[PlannedTask], dict[str, FileReport]]:
        """The tasks to run or to wait on, without the files that are done; and the reports of the latter."""

        def one(task: PlannedTask) -> tuple[PlannedTask | None, dict[str, FileReport]]:
            return self._left(task, waits_on)

        results = concurrently(one, self._plan.tasks)
        done = {key: report for _, reports in results for key, report in reports.items()}
        return [task for task, _ in results if task is not None], done

    def in_job(self, job: BatchJob) -> frozenset[str] | None:
        """The ids of the tasks in the job, in lower case; None when outputs of theirs are gone."""
        succeeded = {task.task_id.lower() for task in finished_tasks(job.id) if task.succeeded}
        for task in self._plan.tasks:
            if task.task_id.lower() in succeeded and self._missing(task):
                return None
        return submitted_ids(job.id)

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
        fewer = PlannedTask(naming.task_id([file.input.key for file in files]), files)
        left, more = self._left(fewer, waits_on)
        return left, done | more

    def _missing(self, task: PlannedTask) -> bool:
        return any(report.state != "succeeded" for report in self._reports(task))

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
    """The files whose outputs lie in the folder whole, as the `results.json` of this same run tells."""
    try:
        name = free_name(RESULTS, names_taken(plan, str(folder)))
        told = json.loads((folder / name).read_text("utf-8"))
        if told["flow_run_id"] != plan.names.flow_run_id:
            return {}
        reports = [_report(entry) for entry in told["files"] if entry["state"] == "succeeded"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # none, or not ours: then the files are worked on
    root = folder.absolute()
    return {
        report.key: report
        for report in reports
        if report.outputs and all(is_here(root / output.path, output) for output in report.outputs)
    }


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


def _stored(container: str) -> Mapping[str, Stored]:
    try:
        return stored_blobs(container, patience=FIRST_CONTACT)
    except (ResourceNotFoundError, ResourceExistsError):  # 409: it is being deleted
        return {}


def _active_job(plan: RunPlan) -> BatchJob | None:
    """The job of an earlier attempt; None when there is none, when it ended, or with too little time left.

    It may end while it is looked at, but only with all its tasks in it and done: it is told to end with them
    after the last was submitted, never before, and that cannot be taken back (documented: 400).
    """
    job_id = plan.names.job_id
    try:
        job = patiently(
            lambda: batch_client().get_job(job_id, select=["id,state,metadata"]), patience=FIRST_CONTACT
        )
    except ResourceNotFoundError:
        return None
    if wire_value(job.state) in _ENDED:
        return None
    expires = _expires(job)
    if expires is not None and expires - datetime.now(UTC) < (plan.expires - plan.created) * _SHARE_OF_TIME:
        delete_job(job_id)
        log().info("Job %s of an earlier attempt has too little time left: it is made anew", job_id)
        return None
    return job


def _expires(job: BatchJob) -> datetime | None:
    return time_of(metadata_of(job).get("expires", ""))
