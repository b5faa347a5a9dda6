"""The operations on jobs."""

from typing import Any

from batch_emulator import errors, events, schema
from batch_emulator.calls import Call, Reply, created, done, one
from batch_emulator.handlers.listing import listing
from batch_emulator.resources import Document, Job, key
from batch_emulator.wire import creations, documents, envelope, job_tasks
from batch_emulator.wire.values import parse_duration

_FIXED = (
    "id",
    "displayName",
    "usesTaskDependencies",
    "jobManagerTask",
    "jobPreparationTask",
    "jobReleaseTask",
    "commonEnvironmentSettings",
    "onTaskFailure",
    "networkConfiguration",
)
"""Members of a job that stay as they were when the rest is replaced."""


def find(call: Call) -> Job:
    """The job that the path names, or JobNotFound."""
    return call.emulator.world.job(key(call.path["jobId"]))


def create(call: Call) -> Reply:
    """Create a job.

    The service gives `.../jobs/job-1` as its place whatever its id is (seen in recorded traffic).
    """
    document = schema.job_defaults(schema.check("BatchJobCreateOptions", call.body))
    if _auto_pool(document).get("poolLifetimeOption") == "jobschedule":
        raise errors.InvalidPropertyValue(
            PropertyName="poolLifetimeOption",
            PropertyValue="jobschedule",
            Reason="poolInfo.autoPoolSpecification: a job of no schedule takes the value job only.",
        )
    job = creations.job(document, call.now)
    call.emulator.submit(events.AddJob(job))
    return created(f"{call.base_url}/jobs/job-1", job.etag, job.modified)


def get(call: Call) -> Reply:
    """Show one job."""
    job = find(call)
    return one(call, "jobs", documents.job(call.base_url, job), job.etag, job.modified)


def list_all(call: Call) -> Reply:
    """List the jobs of the account."""
    return listing(
        call,
        "jobs",
        call.emulator.world.account.jobs.values(),
        render=lambda job: documents.job(call.base_url, job),
        position=lambda job: job.serial,
    )


def update(call: Call) -> Reply:
    """Change the members of a job that the body names."""
    job = find(call)
    body = schema.check("BatchJobUpdateOptions", call.body)
    return _change(call, job, {**job.document, **body})


def replace(call: Call) -> Reply:
    """Change all members of a job that can change; those left out get their defaults."""
    job = find(call)
    body = schema.check("BatchJob", call.body)
    fixed: Document = {name: job.document[name] for name in _FIXED if name in job.document}
    return _change(call, job, schema.job_defaults({**body, **fixed}))


def _auto_pool(document: Document) -> dict[str, Any]:
    asked: dict[str, Any] = document["poolInfo"].get("autoPoolSpecification", {})
    return asked


def _check_change(job: Job, document: Document) -> None:
    """Refuse what can change in one direction only, or not at all (documented; the errors are assumed)."""
    ends = job.document["onAllTasksComplete"] == "terminatejob"
    if ends and document["onAllTasksComplete"] == "noaction":
        raise errors.InvalidPropertyValue(
            PropertyName="onAllTasksComplete",
            PropertyValue="noaction",
            Reason="It cannot be changed from terminatejob.",
        )
    before, after = _auto_pool(job.document), _auto_pool(document)
    if bool(before) != bool(after) or {**before, "keepAlive": None} != {**after, "keepAlive": None}:
        raise errors.InvalidPropertyValue(
            PropertyName="autoPoolSpecification",
            Reason="Only keepAlive of an auto pool can change, and it stays an auto pool.",
        )


def _change(call: Call, job: Job, document: Document) -> Reply:
    call.check_conditions(job.etag, job.modified)
    _check_change(job, document)
    document["constraints"] = {**job.document["constraints"], **document.get("constraints", {})}
    call.emulator.submit(
        events.UpdateJob(
            job=key(job.id),
            document=document,
            priority=document["priority"],
            pool_id=document["poolInfo"].get("poolId"),
            wall_clock=parse_duration(document["constraints"]["maxWallClockTime"]),
        )
    )
    job.modified = call.now
    job.etag = creations.new_etag(job.modified)
    return done(call, 200, job.etag, job.modified)


def disable(call: Call) -> Reply:
    """Begin to disable a job."""
    job = find(call)
    call.check_conditions(job.etag, job.modified)
    body = schema.check("BatchJobDisableOptions", call.body)
    call.emulator.submit(events.DisableJob(key(job.id), body["disableTasks"]))
    return done(call, 202, job.etag, job.modified)


def enable(call: Call) -> Reply:
    """Begin to enable a job."""
    job = find(call)
    call.check_conditions(job.etag, job.modified)
    call.emulator.submit(events.EnableJob(key(job.id)))
    return done(call, 202, job.etag, job.modified)


def terminate(call: Call) -> Reply:
    """Begin to end a job."""
    job = find(call)
    call.check_conditions(job.etag, job.modified)
    body = schema.check("BatchJobTerminateOptions", call.body) if call.body is not None else {}
    call.emulator.submit(events.TerminateJob(key(job.id), body.get("terminateReason", "UserTerminate")))
    return done(call, 202, job.etag, job.modified)


def delete(call: Call) -> Reply:
    """Begin to delete a job with its tasks."""
    job = find(call)
    call.check_conditions(job.etag, job.modified)
    call.emulator.submit(events.DeleteJob(key(job.id)))
    return Reply(202)


def preparation_and_release(call: Call) -> Reply:
    """List how the preparation and release tasks of a job went on each node that ran them."""
    job = find(call)
    if job.preparation_task is None:
        raise errors.JobPreparationTaskNotSpecified
    nodes = list(enumerate(job.preparation, start=1))
    return listing(
        call,
        "jobpreparationandreleasetaskstatuslist",
        nodes,
        render=lambda numbered: job_tasks.status(call.base_url, job, numbered[1]),
        position=lambda numbered: numbered[0],
        queried="jobpreparationandreleasetaskstatus",
    )


def task_counts(call: Call) -> Reply:
    """Tell how many tasks of a job are in each state."""
    document = documents.task_counts(find(call))
    return Reply(200, envelope.element(call.base_url, "taskcounts", document))
