"""Wait for the tasks, by counts, with an eye on pool and job, so that no wait is endless.

Call it directly, in the main thread: there a cancellation interrupts it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.batch.models import BatchJob, BatchJobState, BatchTask, BatchTaskExecutionResult
from azure.core.exceptions import AzureError

from batch_tasks.clients import batch_client
from batch_tasks.doctor import Doctor
from batch_tasks.errors import (
    JobEnded,
    PoolUnusable,
    RunStopped,
    TimedOut,
    TooExpensive,
    error_code,
    without_secrets,
)
from batch_tasks.money.spending import too_expensive
from batch_tasks.patience import is_transient, patiently, pause
from batch_tasks.plan import RunPlan
from batch_tasks.progress import Progress, tell
from batch_tasks.report import FinishedTask
from batch_tasks.stage import log, stage
from batch_tasks.stalls import USUAL, Limits
from batch_tasks.wire import wire_value


@dataclass(frozen=True)
class Rhythm:
    """How often to ask, in seconds: a share of the time waited so far, within bounds.

    Short runs are noticed at once, long ones cost few requests.
    """

    shortest: float = 0.2
    longest: float = 10.0
    share: float = 0.05

    def interval(self, waited: float) -> float:
        """How long to pause after so much waiting."""
        return min(self.longest, max(self.shortest, waited * self.share))


COUNTS = Rhythm()
LOOKS = Rhythm(shortest=2.0, longest=30.0, share=0.2)


@stage("poll {plan.tasks_counted}")
def poll_tasks(
    plan: RunPlan, counts_every: Rhythm = COUNTS, looks_every: Rhythm = LOOKS, limits: Limits = USUAL
) -> list[FinishedTask]:
    """Wait until every task ended, well or not; how each ended. `limits` bound what is done to bad nodes.

    Raises:
        PoolUnusable: nothing runs and nothing will.
        JobEnded: the job ended or was deleted before its tasks did.
        TimedOut: the run's time is over.
        TooExpensive: the run has cost what it may cost.
        Each of the four holds the tasks that had ended by then.
    """
    began = time.monotonic()
    total = len(plan.tasks)
    next_look = 0.0
    doctor = Doctor(plan, limits)
    while True:
        waited = time.monotonic() - began
        try:
            progress = _progress(plan, doctor.nodes, waited)
            tell(progress)
            if progress.done + progress.failed >= total:
                finished = finished_tasks(plan.names.job_id)
                if len(finished) >= total:
                    _stop_if_deleted(plan, finished)
                    log().info("All %d tasks ended, %d failed, after %.0f s", total, progress.failed, waited)
                    return finished
            if waited >= next_look:
                _look(plan, doctor, progress.running)
                next_look = waited + looks_every.interval(waited)
        except AzureError as error:
            _raise_unless_passing(plan, error)
        if datetime.now(UTC) >= plan.expires:
            raise _timed_out(plan)
        pause(counts_every.interval(waited))


def _stop_if_deleted(plan: RunPlan, finished: list[FinishedTask]) -> None:
    """Raise when tasks failed since somebody deletes the job: that ends them before it ends itself."""
    if all(task.succeeded for task in finished):
        return
    job = patiently(lambda: batch_client().get_job(plan.names.job_id, select=["id,state"]))
    if job.state == BatchJobState.DELETING:
        raise JobEnded(f"The job {plan.names.job_id} was deleted while its tasks ran. Run again.", finished)


def _raise_unless_passing(plan: RunPlan, error: AzureError) -> None:
    """A read that fails, however long it was tried, says nothing of the run, which goes on until its end."""
    if error_code(error) == "JobNotFound":
        raise JobEnded(f"The job {plan.names.job_id} was deleted while its tasks ran. Run again.") from error
    if not is_transient(error):
        raise error
    log().warning("Batch does not answer; the run is not over: %s", error_code(error) or type(error).__name__)


def finished_tasks(job_id: str) -> list[FinishedTask]:
    """How each task of the job ended that has ended."""

    def listed() -> list[FinishedTask]:
        tasks = batch_client().list_tasks(
            job_id,
            filter="state eq 'completed'",
            select=["id", "state", "creationTime", "executionInfo", "nodeInfo"],
        )
        return [finished_task(task) for task in tasks]

    return patiently(listed)


def finished_task(task: BatchTask) -> FinishedTask:
    """A completed task as our own value."""
    info = task.execution_info
    node = task.node_info
    failure = info.failure_info if info else None
    message = without_secrets(f"{failure.code}: {failure.message}") if failure else ""
    return FinishedTask(
        task_id=task.id,
        succeeded=bool(info and wire_value(info.result) == BatchTaskExecutionResult.SUCCESS.value),
        node_id=(node.node_id or "") if node else "",
        exit_code=info.exit_code if info else None,
        failure=message,
        created=task.creation_time,
        started=info.start_time if info else None,
        ended=info.end_time if info else None,
        attempts=(info.retry_count or 0) + (info.requeue_count or 0) + 1 if info else 0,
    )


def _progress(plan: RunPlan, nodes: Mapping[str, int], waited: float) -> Progress:
    counts = patiently(lambda: batch_client().get_job_task_counts(plan.names.job_id)).task_counts
    return Progress(
        "poll-tasks",
        total=len(plan.tasks),
        done=counts.succeeded,
        running=counts.running,
        queued=counts.active,
        failed=counts.failed,
        nodes=nodes,
        seconds=waited,
    )


def _look(plan: RunPlan, doctor: Doctor, running: int) -> None:
    """Raise when waiting on makes no sense."""
    job = patiently(lambda: batch_client().get_job(plan.names.job_id, select=["id,state,executionInfo"]))
    _stop_if_job_ended(plan, job)
    reason = doctor.look(job, running)
    if reason is not None:
        finished = finished_tasks(plan.names.job_id)
        if len(finished) < len(plan.tasks):  # else an auto pool went with its job, as it should
            raise PoolUnusable(reason, finished)
    if words := too_expensive():
        raise TooExpensive(words, finished_tasks(plan.names.job_id))


def _stop_if_job_ended(plan: RunPlan, job: BatchJob) -> None:
    """Raise unless the job is alive or all its tasks ended, which the next count will show."""
    if job.state not in {BatchJobState.COMPLETED, BatchJobState.TERMINATING, BatchJobState.DELETING}:
        return
    finished = finished_tasks(plan.names.job_id)
    if len(finished) >= len(plan.tasks):
        return
    reason = (job.execution_info.termination_reason if job.execution_info else None) or wire_value(job.state)
    if reason == "MaxWallClockTimeExpiry":
        raise _timed_out(plan)
    raise JobEnded(
        f"The job {job.id} ended ({reason}) with {len(plan.tasks) - len(finished)} of its {len(plan.tasks)} "
        "tasks not done. Somebody may have ended it; run again.",
        finished,
    )


def _timed_out(plan: RunPlan) -> RunStopped:
    finished = finished_tasks(plan.names.job_id)
    ended = {task.task_id.lower() for task in finished}
    left = [file.input.key for task in plan.tasks if task.task_id.lower() not in ended for file in task.files]
    named = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
    hours = (plan.expires - plan.created).total_seconds() / 3600
    return TimedOut(
        f"The run's {hours:g} hours are over and {len(left)} files are not done: {named}. "
        "Allow more hours or more nodes.",
        finished,
    )
