"""The operations on jobs."""

from batch_emulator import events, schema
from batch_emulator.calls import Call, Reply, created, done, one
from batch_emulator.handlers.listing import listing
from batch_emulator.resources import Document, Job, key
from batch_emulator.wire import creations, documents, envelope
from batch_emulator.wire.values import parse_duration


def find(call: Call) -> Job:
    """The job that the path names, or JobNotFound."""
    return call.emulator.world.job(key(call.path["jobId"]))


def create(call: Call) -> Reply:
    """Create a job.

    The service gives `.../jobs/job-1` as its place whatever its id is (seen in recorded traffic).
    """
    document = schema.job_defaults(schema.check("BatchJobCreateOptions", call.body))
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
    fixed: Document = {
        name: job.document[name]
        for name in ("id", "displayName", "usesTaskDependencies", "jobManagerTask")
        if name in job.document
    }
    return _change(call, job, schema.job_defaults({**body, **fixed}))


def _change(call: Call, job: Job, document: Document) -> Reply:
    call.check_conditions(job.etag, job.modified)
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


def task_counts(call: Call) -> Reply:
    """Tell how many tasks of a job are in each state."""
    document = documents.task_counts(find(call))
    return Reply(200, envelope.element(call.base_url, "taskcounts", document))
