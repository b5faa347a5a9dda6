"""Create the job that holds one Batch task per file, bounded in time by Batch itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from azure.batch.models import (
    BatchAllTasksCompleteMode,
    BatchJobConstraints,
    BatchJobCreateOptions,
    BatchJobState,
    BatchPoolInfo,
)
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from batch_tasks.clean_up import delete_job
from batch_tasks.clients import batch_client
from batch_tasks.errors import ResourceBusy, error_code
from batch_tasks.money.watch import stop_if_too_expensive
from batch_tasks.patience import Patience, patiently, pause
from batch_tasks.plan import RunPlan
from batch_tasks.pools.specification import metadata_items
from batch_tasks.stage import log, stage
from batch_tasks.submit_tasks import submitted_ids
from batch_tasks.unfinished import JobEnded, PoolUnusable

WAIT_FOR_QUOTA = Patience(budget=900.0, first_wait=5.0, longest_wait=60.0)
_QUOTA = "ActiveJobAndScheduleQuotaReached"
_WAIT_FOR_DELETION = 300.0  # seconds
_BETWEEN_TRIES = 3.0
_SHORTEST = timedelta(minutes=1)
"""A job's time when the run's is over already: polling then says so."""


def job_options(plan: RunPlan, pool: BatchPoolInfo, now: datetime) -> BatchJobCreateOptions:
    """What we ask Batch for. Pure.

    The job's time is what is left of the run's: Batch ends its tasks when the run's time is over, which lets
    the nodes go that the pool's formula no longer wants.

    The job does nothing when all its tasks are complete, as an empty job counts as complete (documented):
    submit_tasks changes that once the tasks are in.
    """
    return BatchJobCreateOptions(
        id=plan.names.job_id,
        pool_info=pool,
        constraints=BatchJobConstraints(max_wall_clock_time=max(plan.expires - now, _SHORTEST)),
        all_tasks_complete_mode=BatchAllTasksCompleteMode.NO_ACTION,
        uses_task_dependencies=plan.merge is not None,
        metadata=metadata_items(plan.metadata),
    )


@stage("create-job")
def create_job(
    plan: RunPlan, pool: BatchPoolInfo | None = None, for_quota: Patience = WAIT_FOR_QUOTA
) -> None:
    """Make the job of the run, unless an earlier try has. One that ended without all the tasks is made anew.

    `pool` is what `pool_by_id` or `provision_pool` returned; without it the job gets the run's own pool.
    `for_quota` is how long to wait for other jobs to end where the account may have no more.

    Raises:
        ResourceBusy: a job of the id is still being deleted after five minutes.
        JobEnded: the account may have no more active jobs, and none ended in time.
        PoolUnusable: Batch could not make the pool that the job asks for.
        TooExpensive: the nodes have cost what the run may cost while other jobs were waited for.
    """
    pool = pool or BatchPoolInfo(pool_id=plan.names.pool_id)
    options = job_options(plan, pool, datetime.now(UTC).replace(microsecond=0))
    waited = 0.0
    wanted = frozenset(task.task_id.lower() for task in plan.tasks)
    while not _created_within_quota(options, wanted, for_quota):
        if waited >= _WAIT_FOR_DELETION:
            raise ResourceBusy(
                f"The job {options.id} is still being deleted after {waited:.0f} s. Run again later."
            )
        pause(_BETWEEN_TRIES)
        waited += _BETWEEN_TRIES
    if pool.auto_pool_specification:
        _stop_unless_it_has_a_pool(options.id)
    log().debug("Job %s is there", options.id)


def _created_within_quota(options: BatchJobCreateOptions, wanted: frozenset[str], patience: Patience) -> bool:
    """As `_created`, waiting for other jobs to end."""
    waited, tries = 0.0, 0
    while True:
        try:
            return _created(options, wanted)
        except JobEnded as full:
            tries += 1
            wait = patience.wait(tries)
            if waited + wait > patience.budget:
                raise
            log().warning("%s Trying again in %.0f s.", full, wait)
            stop_if_too_expensive()
        pause(wait)
        waited += wait


def _created(options: BatchJobCreateOptions, wanted: frozenset[str]) -> bool:
    """Whether the job is there and takes tasks; False while one of its id is on its way out."""
    try:
        patiently(lambda: batch_client().create_job(options))
    except ResourceExistsError as error:
        code = error_code(error)
        if code == _QUOTA:
            raise JobEnded(
                f"The Batch account may have no more active jobs ({_QUOTA}). End jobs that are done, or ask "
                "Azure to raise the account's quota of active jobs."
            ) from error
        if code not in {"JobExists", "JobBeingDeleted"}:
            raise
        return _usable(options.id, wanted)
    return True


def _usable(job_id: str, wanted: frozenset[str]) -> bool:
    """Whether the job takes tasks, or has ended with all that are wanted; a useless one is deleted."""
    try:
        job = patiently(lambda: batch_client().get_job(job_id, select=["id,state"]))
        if job.state == BatchJobState.COMPLETED:
            if wanted <= submitted_ids(job_id):
                return True
            delete_job(job_id)
    except ResourceNotFoundError:
        return False
    return job.state not in {BatchJobState.COMPLETED, BatchJobState.DELETING, BatchJobState.TERMINATING}


def _stop_unless_it_has_a_pool(job_id: str) -> None:
    job = patiently(lambda: batch_client().get_job(job_id, select=["id,executionInfo"]))
    error = job.execution_info.scheduling_error if job.execution_info else None
    if error is not None:
        raise PoolUnusable(
            f"Batch could not make a pool for the job {job_id}: {error.code}: {error.message} "
            "Choose another VM size or image, or have the account's pool quota raised."
        )
