"""Wait for the tasks, by counts, with an eye on pool and job, so that no wait is endless.

Files that failed and may be tried again become new tasks meanwhile; the merge comes when nothing else is
left to try. Call it directly, in the main thread: there a cancellation interrupts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.batch.models import BatchJob, BatchJobState, BatchTask, BatchTaskExecutionResult
from azure.core.exceptions import AzureError, ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.doctor import Doctor
from batch_tasks.errors import SubmitFailed, error_code, is_refusal, without_secrets
from batch_tasks.file_reports import report_task
from batch_tasks.money.spending import too_expensive
from batch_tasks.patience import is_transient, patient_list, patiently, pause
from batch_tasks.plan import PlannedTask, RunPlan
from batch_tasks.progress import Progress, tell
from batch_tasks.report import FinishedTask
from batch_tasks.spot_watch import SpotWatch
from batch_tasks.stage import log, stage
from batch_tasks.stalls import USUAL, Limits
from batch_tasks.submit_tasks import bring_in, end_job_with_its_tasks
from batch_tasks.tries import Tries
from batch_tasks.unfinished import JobEnded, PoolUnusable, RunStopped, TimedOut, TooExpensive
from batch_tasks.upload_inputs import stored_blobs
from batch_tasks.wire import wire_value

REFUSALS_LAST = 300.0
"""Seconds for which a run bears to be refused: tokens are renewed late, roles are given anew and take
minutes to count, while the tasks go on."""


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
    """Wait until every task ended, well or not, and none is left to try again; how each ended.

    `limits` bound what is done to bad nodes.

    Raises:
        PoolUnusable: nothing runs and nothing will.
        JobEnded: the job ended or was deleted before its tasks did.
        TimedOut: the run's time is over.
        TooExpensive: the run has cost what it may cost.
        Each of the four holds the tasks that had ended by then.
    """
    waiting = _Waiting(plan, limits)
    began = time.monotonic()
    next_look = 0.0
    refusals = Refusals()
    while True:
        waited = time.monotonic() - began
        try:
            if waiting.is_over(waited, may_look=waited >= next_look):
                return waiting.finished
            if waited >= next_look:
                waiting.look()
                next_look = waited + looks_every.interval(waited)
            refusals.over()
        except AzureError as error:
            _raise_unless_passing(plan, error, refusals)
            pause(looks_every.interval(waited))
        waiting.stop_if_too_expensive()
        if datetime.now(UTC) >= plan.expires:
            raise waiting.timed_out()
        pause(counts_every.interval(waited))


class _Waiting:
    """What is known of the run while it is waited for."""

    def __init__(self, plan: RunPlan, limits: Limits) -> None:
        self._plan = plan
        self._tries = Tries(plan)
        self._doctor = Doctor(plan, limits)
        self._spot = SpotWatch(plan)
        self._running = 0
        self._failures_seen = 0
        self.finished: list[FinishedTask] = []

    def is_over(self, waited: float, *, may_look: bool) -> bool:
        """Count; whether every task has ended and none is to follow. Submits what is to be tried again."""
        counts = patiently(lambda: batch_client().get_job_task_counts(self._plan.names.job_id)).task_counts
        self._running = counts.running
        retried = self._tries.retried
        progress = Progress(
            "poll-tasks",
            total=len(self._plan.tasks),
            done=counts.succeeded,
            running=counts.running,
            queued=counts.active,
            failed=max(0, counts.failed - retried),
            nodes=self._doctor.nodes,
            seconds=waited,
        )
        tell(progress)
        all_seem_done = counts.succeeded + counts.failed >= len(self._tries)
        if all_seem_done:
            self.finished = self._finished()
            if not self._tries.all_ended(self.finished):
                return False
            return not self._follow_up(self.finished) and self._end(progress)
        if may_look and counts.failed > self._failures_seen:
            self._failures_seen = counts.failed
            self._follow_up(finished_tasks(self._plan.names.job_id, failed_only=True))
        return False

    def look(self) -> None:
        """Raise when waiting on makes no sense."""
        job = patiently(
            lambda: batch_client().get_job(
                self._plan.names.job_id, select=["id,state,executionInfo,poolInfo"]
            )
        )
        self._stop_if_job_ended(job)
        reason = self._doctor.look(job, self._running)
        if reason is not None:
            finished = self._finished()
            if not self._tries.all_ended(finished):  # else an auto pool went with its job, as it should
                raise PoolUnusable(reason, finished)
        self._spot.look(job, self._doctor.pool_id, self._doctor.spot, self._doctor.dedicated)

    def stop_if_too_expensive(self) -> None:
        """Raise when the run has cost what it may, even if nobody could look at its nodes just now."""
        if words := too_expensive():
            raise TooExpensive(words, self._finished())

    def timed_out(self) -> RunStopped:
        """That the run's time is over, and what is not done."""
        finished = self._finished()
        left = self._tries.left(finished)
        named = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        hours = (self._plan.expires - self._plan.created).total_seconds() / 3600
        return TimedOut(
            f"The run's {hours:g} hours are over and {len(left)} files are not done: {named}. "
            "Allow more hours or more nodes.",
            finished,
        )

    def _finished(self) -> list[FinishedTask]:
        return self._spot.on(finished_tasks(self._plan.names.job_id))

    def _follow_up(self, finished: list[FinishedTask]) -> bool:
        """Submit what is to be tried again, or the merge when nothing is; whether anything was submitted."""
        again = list(self._tried_again(finished))
        if again:
            files = sum(len(task.files) for task in again)
            log().warning("Trying %d files again that failed, in %d tasks", files, len(again))
        elif self._tries.all_ended(finished) and (merge := self._tries.merge()):
            again = [merge]
        if not again:
            return False
        try:
            bring_in(self._plan, again)
        except SubmitFailed as error:
            # The failures stand as they are; what else ended is brought home.
            log().warning("Nothing more can be submitted: %s", error)
            self._tries.forget(again)
            return False
        return True

    def _tried_again(self, finished: list[FinishedTask]) -> list[PlannedTask]:
        worth_reading = self._tries.worth_reading(finished)
        if not worth_reading:
            return []
        stored = stored_blobs(self._plan.names.output_container)
        tried = (
            self._tries.after(task, report_task(self._plan, task, failed, stored))
            for task, failed in worth_reading
        )
        return [task for task in tried if task is not None]

    def _end(self, progress: Progress) -> bool:
        self._stop_if_deleted()
        end_job_with_its_tasks(self._plan.names.job_id)
        failed = sum(not task.succeeded for task in self.finished) - self._tries.retried
        again = f" ({self._tries.retried} tried again)" if self._tries.retried else ""
        log().info(
            "All %d tasks ended%s, %d failed, after %.0f s",
            len(self._plan.tasks),
            again,
            max(0, failed),
            progress.seconds,
        )
        return True

    def _stop_if_deleted(self) -> None:
        """Raise when tasks failed since somebody deletes the job: that ends them before it ends itself."""
        if all(task.succeeded for task in self.finished):
            return
        job_id = self._plan.names.job_id
        job = patiently(lambda: batch_client().get_job(job_id, select=["id,state"]))
        if job.state == BatchJobState.DELETING:
            raise JobEnded(f"The job {job_id} was deleted while its tasks ran. Run again.", self.finished)

    def _stop_if_job_ended(self, job: BatchJob) -> None:
        """Raise unless the job is alive or all its tasks ended, which the next count will show."""
        if job.state not in {BatchJobState.COMPLETED, BatchJobState.TERMINATING, BatchJobState.DELETING}:
            return
        finished = self._finished()
        if self._tries.all_ended(finished):
            return
        reason = (job.execution_info.termination_reason if job.execution_info else None) or wire_value(
            job.state
        )
        if reason == "MaxWallClockTimeExpiry":
            raise self.timed_out()
        left = len(self._tries.left(finished))
        raise JobEnded(
            f"The job {job.id} ended ({reason}) with {left} files not done. Somebody may have ended it; "
            "run again.",
            finished,
        )


class Refusals:
    """How long Azure has refused us without a break."""

    def __init__(self, longest: float = REFUSALS_LAST, now: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._now = now
        self._since: float | None = None

    def over(self) -> None:
        """Azure lets us in."""
        self._since = None

    def bear(self, error: BaseException) -> bool:
        """Whether this error is a refusal that may still pass."""
        if not is_refusal(error):
            return False
        self._since = self._now() if self._since is None else self._since
        return self._now() - self._since < self._longest


def _raise_unless_passing(plan: RunPlan, error: AzureError, refusals: Refusals) -> None:
    """A read that fails, however long it was tried, says nothing of the run, which goes on until its end."""
    if error_code(error) == "JobNotFound":
        raise JobEnded(f"The job {plan.names.job_id} was deleted while its tasks ran. Run again.") from error
    if not (is_transient(error) or refusals.bear(error)):
        raise error
    log().warning("Batch does not answer; the run is not over: %s", error_code(error) or type(error).__name__)


def ended_so_far(job_id: str) -> list[FinishedTask]:
    """As `finished_tasks`; none where there is no job yet."""
    try:
        return finished_tasks(job_id)
    except ResourceNotFoundError:
        return []


def finished_tasks(job_id: str, *, failed_only: bool = False) -> list[FinishedTask]:
    """How each task of the job ended that has ended."""
    query = "state eq 'completed'" + (" and executionInfo/result eq 'failure'" if failed_only else "")
    select = ["id", "state", "creationTime", "executionInfo", "nodeInfo"]
    tasks = patient_list(lambda: batch_client().list_tasks(job_id, filter=query, select=select))
    return [finished_task(task) for task in tasks]


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
