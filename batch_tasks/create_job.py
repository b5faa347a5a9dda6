"""Create the job that holds one Batch task per file, bounded in time by Batch itself."""

from __future__ import annotations

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
from batch_tasks.errors import JobEnded, ResourceBusy, error_code
from batch_tasks.patience import patiently, pause
from batch_tasks.plan import RunPlan
from batch_tasks.provision_pool import metadata_items
from batch_tasks.stage import log, stage
from batch_tasks.submit_tasks import submitted_ids

_WAIT_FOR_DELETION = 300.0  # seconds
_BETWEEN_TRIES = 3.0


def job_options(plan: RunPlan) -> BatchJobCreateOptions:
    """What we ask Batch for. Pure.

    The job does nothing when all its tasks are complete, as an empty job counts as complete (documented):
    submit_tasks changes that once the tasks are in.
    """
    return BatchJobCreateOptions(
        id=plan.names.job_id,
        pool_info=BatchPoolInfo(pool_id=plan.names.pool_id),
        constraints=BatchJobConstraints(max_wall_clock_time=plan.expires - plan.created),
        all_tasks_complete_mode=BatchAllTasksCompleteMode.NO_ACTION,
        uses_task_dependencies=plan.merge is not None,
        metadata=metadata_items(plan.metadata),
    )


@stage("create-job")
def create_job(plan: RunPlan) -> None:
    """Make the job of the run, unless an earlier try has. One that ended without all the tasks is made anew.

    Raises:
        ResourceBusy: a job of the id is still being deleted after five minutes.
        JobEnded: the account may have no more active jobs.
    """
    options = job_options(plan)
    waited = 0.0
    wanted = frozenset(task.task_id.lower() for task in plan.tasks)
    while not _created(options, wanted):
        if waited >= _WAIT_FOR_DELETION:
            raise ResourceBusy(
                f"The job {options.id} is still being deleted after {waited:.0f} s. Run again later."
            )
        pause(_BETWEEN_TRIES)
        waited += _BETWEEN_TRIES
    log().debug("Job %s is there", options.id)


def _created(options: BatchJobCreateOptions, wanted: frozenset[str]) -> bool:
    """Whether the job is there and takes tasks; False while one of its id is on its way out."""
    try:
        patiently(lambda: batch_client().create_job(options))
    except ResourceExistsError as error:
        code = error_code(error)
        if code == "ActiveJobAndScheduleQuotaReached":
            raise JobEnded(
                "The Batch account may have no more active jobs (ActiveJobAndScheduleQuotaReached). End jobs "
                "that are done, or ask Azure to raise the account's quota of active jobs."
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
