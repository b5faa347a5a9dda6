"""The operations on job schedules."""

from batch_emulator import job_events, schema
from batch_emulator.calls import Call, Reply, created, done, one
from batch_emulator.handlers.listing import listing
from batch_emulator.resources import Document, JobSchedule, key
from batch_emulator.scheduler import schedules
from batch_emulator.wire import creations, documents, envelope


def find(call: Call) -> JobSchedule:
    """The job schedule that the path names, or JobScheduleNotFound."""
    return call.emulator.world.schedule(key(call.path["jobScheduleId"]))


def create(call: Call) -> Reply:
    """Create a job schedule; its first job follows at once unless it says otherwise."""
    document = schema.schedule_defaults(schema.check("BatchJobScheduleCreateOptions", call.body))
    schedule = creations.job_schedule(document, call.now)
    call.emulator.submit(job_events.AddSchedule(schedule))
    return created(f"{call.base_url}/jobschedules/{schedule.id}", schedule.etag, schedule.modified)


def get(call: Call) -> Reply:
    """Show one job schedule."""
    schedule = find(call)
    document = documents.job_schedule(call.base_url, schedule)
    return one(call, "jobschedules", document, schedule.etag, schedule.modified)


def exists(call: Call) -> Reply:
    """Say by the status alone whether there is such a job schedule."""
    schedule = find(call)
    call.check_conditions(schedule.etag, schedule.modified)
    return Reply(200, None, envelope.version_headers(schedule.etag, schedule.modified))


def list_all(call: Call) -> Reply:
    """List the job schedules of the account."""
    return listing(
        call,
        "jobschedules",
        call.emulator.world.account.schedules.values(),
        render=lambda schedule: documents.job_schedule(call.base_url, schedule),
        position=lambda schedule: schedule.serial,
    )


def list_jobs(call: Call) -> Reply:
    """List the jobs that a schedule has created."""
    return listing(
        call,
        "jobs",
        schedules.jobs_of(call.emulator.world, find(call)),
        render=lambda job: documents.job(call.base_url, job),
        position=lambda job: job.serial,
        queried="jobsofschedule",
    )


def update(call: Call) -> Reply:
    """Change the members of a job schedule that the body names."""
    schedule = find(call)
    body = schema.check("BatchJobScheduleUpdateOptions", call.body)
    return _change(call, schedule, {**schedule.document, **body})


def replace(call: Call) -> Reply:
    """Change all members of a job schedule that can change; without a schedule it does not recur."""
    schedule = find(call)
    body = schema.check("BatchJobSchedule", call.body)
    fixed: Document = {
        name: schedule.document[name] for name in ("id", "displayName") if name in schedule.document
    }
    return _change(call, schedule, {**body, **fixed})


def _change(call: Call, schedule: JobSchedule, document: Document) -> Reply:
    call.check_conditions(schedule.etag, schedule.modified)
    document = schema.schedule_defaults(document)
    timing = creations.timing(document["schedule"])
    call.emulator.submit(job_events.UpdateSchedule(key(schedule.id), document, timing))
    schedule.modified = call.now
    schedule.etag = creations.new_etag(schedule.modified)
    return done(call, 200, schedule.etag, schedule.modified)


def disable(call: Call) -> Reply:
    """Create no more jobs."""
    schedule = find(call)
    call.check_conditions(schedule.etag, schedule.modified)
    call.emulator.submit(job_events.DisableSchedule(key(schedule.id)))
    return done(call, 204, schedule.etag, schedule.modified)


def enable(call: Call) -> Reply:
    """Create jobs again."""
    schedule = find(call)
    call.check_conditions(schedule.etag, schedule.modified)
    call.emulator.submit(job_events.EnableSchedule(key(schedule.id)))
    return done(call, 204, schedule.etag, schedule.modified)


def terminate(call: Call) -> Reply:
    """Begin to end a job schedule with the job that it has."""
    schedule = find(call)
    call.check_conditions(schedule.etag, schedule.modified)
    call.emulator.submit(job_events.TerminateSchedule(key(schedule.id)))
    return done(call, 202, schedule.etag, schedule.modified)


def delete(call: Call) -> Reply:
    """Begin to delete a job schedule with its jobs."""
    schedule = find(call)
    call.check_conditions(schedule.etag, schedule.modified)
    call.emulator.submit(job_events.DeleteSchedule(key(schedule.id)))
    return Reply(202)
