"""Submit the Batch tasks, in as few requests as the service takes, until every one is known to be in.

Not the SDK's `create_tasks`: that one may loop for ever on server errors and gives up at the first 429. A
request holds at most 100 tasks (documented) and less than 1 MB (413 otherwise). What is in is decided by
listing the job's ids, not by believing answers: a request whose answer was lost may have been carried out.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from azure.batch.models import (
    BatchAllTasksCompleteMode,
    BatchJobUpdateOptions,
    BatchTaskCreateOptions,
    BatchTaskCreateResult,
    BatchTaskGroup,
)
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from batch_tasks.clients import batch_client
from batch_tasks.concurrently import concurrently
from batch_tasks.errors import SubmitFailed, error_code, without_secrets
from batch_tasks.money.watch import stop_if_too_expensive
from batch_tasks.node_urls import node_urls
from batch_tasks.patience import Patience, patient_list, patiently, pause
from batch_tasks.plan import PlannedTask, RunPlan
from batch_tasks.progress import Progress, tell
from batch_tasks.stage import log, stage
from batch_tasks.task_options import task_options
from batch_tasks.wire import wire_value

MOST_TASKS = 100
MOST_BYTES = 900_000
_REQUESTS_AT_ONCE = 4
_WAIT = Patience(budget=900.0)
_REFUSALS_SHOWN = 5
_ENDED = frozenset({"JobCompleted", "JobBeingTerminated", "JobNotActive", "JobBeingDeleted"})


@stage("submit {plan.tasks_counted}")
def submit_tasks(plan: RunPlan) -> int:
    """Bring every task of the plan into the job, save the merge: that one comes when the others are done.

    Returns the number of tasks. Run again, it submits what is missing.

    Raises:
        SubmitFailed: as `bring_in`.
        TooExpensive: the nodes have cost what the run may cost.
    """
    tasks = [task for task in plan.tasks if not task.is_merge]

    def seen_in(done: int) -> None:
        tell(Progress("submit-tasks", len(plan.tasks), done))
        stop_if_too_expensive()

    bring_in(plan, tasks, seen_in)
    log().info("Job %s holds %d tasks", plan.names.job_id, len(tasks))
    return len(tasks)


def bring_in(
    plan: RunPlan, tasks: Sequence[PlannedTask], seen_in: Callable[[int], None] = lambda _number: None
) -> None:
    """Bring these tasks into the run's job; those that are in it already are left alone.

    `seen_in` is told, now and then, how many are.

    Raises:
        SubmitFailed: Batch refuses a task, the job takes no more, or 15 minutes were not enough.
    """
    job_id = plan.names.job_id
    until = time.monotonic() + _WAIT.budget
    rounds = 0
    while missing := _missing(job_id, tasks, seen_in):
        if rounds and time.monotonic() > until:
            raise SubmitFailed(
                f"{len(missing)} of {len(tasks)} tasks are not in job {job_id} after "
                f"{_WAIT.budget / 60:.0f} minutes of trying. Batch may be overloaded: run again later."
            )
        if rounds:
            pause(_WAIT.wait(rounds) * (1 + random.random() / 2))  # noqa: S311  jitter, no secret
        rounds += 1
        requests = chunks(_options(plan, missing))
        concurrently(lambda chunk: add_tasks(job_id, chunk), requests, workers=_REQUESTS_AT_ONCE)


def _missing(job_id: str, tasks: Sequence[PlannedTask], seen_in: Callable[[int], None]) -> list[PlannedTask]:
    """The tasks that the job does not hold yet."""
    present = submitted_ids(job_id)
    missing = [task for task in tasks if task.task_id.lower() not in present]
    seen_in(len(tasks) - len(missing))
    return missing


def _options(plan: RunPlan, tasks: Iterable[PlannedTask]) -> Iterator[BatchTaskCreateOptions]:
    urls = node_urls(plan)
    return (task_options(task, plan.workload, urls) for task in tasks)


def submitted_ids(job_id: str) -> frozenset[str]:
    """The ids of the job's tasks in lower case, as Batch compares them."""
    tasks = patient_list(lambda: batch_client().list_tasks(job_id, select=["id"]))
    return frozenset(task.id.lower() for task in tasks)


def chunks(
    tasks: Iterable[BatchTaskCreateOptions],
    most_tasks: int = MOST_TASKS,
    most_bytes: int = MOST_BYTES,
    size: Callable[[BatchTaskCreateOptions], int] = lambda task: len(json.dumps(task.as_dict())),
) -> Iterator[list[BatchTaskCreateOptions]]:
    """The tasks, in order, in requests of at most so many tasks and bytes; a task too big stands alone."""
    chunk: list[BatchTaskCreateOptions] = []
    length = 0
    for task in tasks:
        bytes_more = size(task) + 1
        if chunk and (len(chunk) == most_tasks or length + bytes_more > most_bytes):
            yield chunk
            chunk, length = [], 0
        chunk.append(task)
        length += bytes_more
    if chunk:
        yield chunk


def add_tasks(job_id: str, chunk: list[BatchTaskCreateOptions]) -> None:
    """One request; halved when Batch finds it too large. Tasks with server errors are left to the next round.

    Raises:
        SubmitFailed: Batch refuses a task for good, or the job takes no tasks.
    """
    try:
        answer = patiently(
            lambda: batch_client().create_task_collection(job_id, BatchTaskGroup(task_values=chunk))
        )
    except HttpResponseError as error:
        if error.status_code != 413:
            raise _unless_ended(job_id, error) from error
        if len(chunk) == 1:
            raise SubmitFailed(
                f"The task {chunk[0].id} is too large for Batch (over 1 MB). Use fewer files per task or "
                "shorter commands."
            ) from error
        half = len(chunk) // 2
        add_tasks(job_id, chunk[:half])
        add_tasks(job_id, chunk[half:])
        return
    refused = list(refusals(answer.result_values or []))
    if refused:
        shown = "\n  ".join(refused[:_REFUSALS_SHOWN])
        raise SubmitFailed(f"Batch refuses {len(refused)} tasks of job {job_id}:\n  {shown}")


def refusals(results: Iterable[BatchTaskCreateResult]) -> Iterator[str]:
    """What Batch will not take however often it is asked, in words.

    A task that exists is our own, from a request whose answer was lost.
    """
    for result in results:
        code = result.error.code or "" if result.error else ""
        if wire_value(result.status) == "clienterror" and code.lower() != "taskexists":
            message = (result.error.message.value if result.error and result.error.message else "") or ""
            yield without_secrets(
                f"{result.task_id}: {code} {message.splitlines()[0] if message else ''}".strip()
            )


def _unless_ended(job_id: str, error: HttpResponseError) -> Exception:
    if error_code(error) in _ENDED:
        return SubmitFailed(
            f"The job {job_id} takes no more tasks ({error_code(error)}): somebody or its time limit ended "
            "it while its tasks were being submitted. Run again."
        )
    return error


def end_job_with_its_tasks(job_id: str) -> None:
    """Let the job end by itself now that all its tasks have: it no longer counts as active."""
    options = BatchJobUpdateOptions(all_tasks_complete_mode=BatchAllTasksCompleteMode.TERMINATE_JOB)
    try:
        patiently(lambda: batch_client().update_job(job_id, options))
    except ResourceExistsError as error:  # 409: it ended already, as a second try finds it
        if error_code(error) not in _ENDED:
            raise
