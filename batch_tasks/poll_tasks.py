"""Wait for the tasks, by counts, with an eye on pool and job, so that no wait is endless.

Call it directly, in the main thread: there a cancellation interrupts it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.batch.models import BatchJob, BatchJobState, BatchTask, BatchTaskExecutionResult
from azure.core.exceptions import AzureError, ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.diagnosis import NodeView, PoolView, why_unusable
from batch_tasks.errors import JobEnded, PoolUnusable, RunStopped, TimedOut, error_code, without_secrets
from batch_tasks.patience import patiently, pause
from batch_tasks.plan import RunPlan
from batch_tasks.progress import Progress, tell
from batch_tasks.report import FinishedTask
from batch_tasks.stage import log, stage
from batch_tasks.wire import wire_value

_STDERR = "startup/stderr.txt"
_LAST = 2000  # characters of it


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
    plan: RunPlan, counts_every: Rhythm = COUNTS, looks_every: Rhythm = LOOKS
) -> list[FinishedTask]:
    """Wait until every task ended, well or not; how each ended.

    Raises:
        PoolUnusable: no node will run the tasks.
        JobEnded: the job ended or was deleted before its tasks did.
        TimedOut: the run's time is over.
        Each of the three holds the tasks that had ended by then.
    """
    began = time.monotonic()
    total = len(plan.tasks)
    next_look = 0.0
    nodes: Mapping[str, int] = {}
    while True:
        waited = time.monotonic() - began
        try:
            progress = _progress(plan, nodes, waited)
            tell(progress)
            if progress.done + progress.failed >= total:
                finished = finished_tasks(plan.names.job_id)
                if len(finished) >= total:
                    log().info("All %d tasks ended, %d failed, after %.0f s", total, progress.failed, waited)
                    return finished
            if waited >= next_look:
                nodes = _look(plan)
                next_look = waited + looks_every.interval(waited)
        except ResourceNotFoundError as error:
            if error_code(error) != "JobNotFound":
                raise
            raise JobEnded(
                f"The job {plan.names.job_id} was deleted while its tasks ran. Run again."
            ) from error
        pause(counts_every.interval(waited))


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


def _look(plan: RunPlan) -> Mapping[str, int]:
    """The nodes by state; raises when waiting on makes no sense."""
    job = patiently(lambda: batch_client().get_job(plan.names.job_id, select=["id,state,executionInfo"]))
    _stop_if_job_ended(plan, job)
    pool = _pool_view(plan.names.pool_id)
    reason = why_unusable(pool, plan.names.pool_id)
    if reason is not None:
        evidence = _start_task_stderr(pool) if pool else ""
        raise PoolUnusable(reason + evidence, finished_tasks(plan.names.job_id))
    if datetime.now(UTC) >= plan.expires:
        raise _timed_out(plan)
    return pool.nodes_by_state if pool else {}


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


def _pool_view(pool_id: str) -> PoolView | None:
    """What Batch says of pool and nodes; None when there is no such pool."""
    try:
        pool = patiently(
            lambda: batch_client().get_pool(
                pool_id, select=["id,state,allocationState,resizeErrors,autoScaleRun"]
            )
        )
        nodes = patiently(
            lambda: list(batch_client().list_nodes(pool_id, select=["id,state,errors,startTaskInfo"]))
        )
    except ResourceNotFoundError:
        return None
    run_error = pool.auto_scale_run.error if pool.auto_scale_run else None
    return PoolView(
        pool_id,
        wire_value(pool.state),
        tuple((error.code or "", error.message or "") for error in pool.resize_errors or ()),
        f"{run_error.code}: {run_error.message}" if run_error else "",
        [
            NodeView(
                node.id,
                wire_value(node.state),
                tuple(f"{error.code}: {error.message}" for error in node.errors or ()),
            )
            for node in nodes
        ],
    )


def _start_task_stderr(pool: PoolView) -> str:
    """What the first node's failed start task wrote last, read from the node while it is there."""
    for node in pool.nodes:
        if node.state == "starttaskfailed":
            try:
                stderr = b"".join(batch_client().download_node_file(pool.pool_id, node.node_id, _STDERR))
            except AzureError:
                return ""
            return (
                f"\nLast lines of its stderr on {node.node_id}:\n{stderr.decode(errors='replace')[-_LAST:]}"
            )
    return ""
