"""The operations on tasks."""

from batch_emulator import errors, events, job_events, odata, schema
from batch_emulator.calls import Call, Reply, created, done, one
from batch_emulator.handlers import jobs
from batch_emulator.handlers.listing import listing, member
from batch_emulator.resources import Document, Job, Task, key
from batch_emulator.wire import creations, documents, envelope, job_tasks
from batch_emulator.wire.values import timestamp


def find(call: Call) -> Task:
    """The task that the path names, or JobNotFound or TaskNotFound."""
    return call.emulator.world.task(key(call.path["jobId"]), key(call.path["taskId"]))


def _add(call: Call, job: Job, checked: Document) -> Task:
    schema.check_in_job(checked, job.document)
    task = creations.task(job.id, schema.task_defaults(checked, job.document), call.now)
    call.emulator.submit(events.AddTask(key(job.id), task))
    return task


def create(call: Call) -> Reply:
    """Add one task to a job."""
    job = jobs.find(call)
    task = _add(call, job, schema.check("BatchTaskCreateOptions", call.body))
    return created(f"{call.base_url}/jobs/{job.id}/tasks/{task.id}", task.etag, task.modified)


def create_collection(call: Call) -> Reply:
    """Add up to 100 tasks; each has its own result, and the whole answers 200 even if some were refused."""
    job = jobs.find(call)
    checked = schema.check_tasks(call.body)
    given = call.body["value"]
    results = [_result(call, job, one, body.get("id")) for one, body in zip(checked, given, strict=True)]
    return Reply(200, envelope.listing(call.base_url, "taskaddresult", results))


def _result(call: Call, job: Job, checked: Document | errors.BatchError, task_id: str) -> Document:
    try:
        if isinstance(checked, errors.BatchError):
            raise checked
        task = _add(call, job, checked)
    except errors.BatchError as error:
        if isinstance(error, errors.JobBeingTerminated | errors.JobCompleted | errors.JobBeingDeleted):
            raise  # a job that takes no tasks refuses the request as a whole
        status = "ClientError" if error.status < 500 else "ServerError"
        part = envelope.error_part(error, call.request_id, call.now)
        return {"status": status, "taskId": task_id, "error": part}
    return {
        "status": "Success",
        "taskId": task.id,
        "eTag": task.etag,
        "lastModified": timestamp(task.modified),
        "location": f"{call.base_url}/jobs/{job.id}/tasks/{task.id}",
    }


def get(call: Call) -> Reply:
    """Show one task."""
    task = find(call)
    return one(call, "tasks", documents.task(call.base_url, task), task.etag, task.modified)


def list_all(call: Call) -> Reply:
    """List the tasks of a job."""
    return listing(
        call,
        "tasks",
        list(jobs.find(call).tasks.values()),
        render=lambda task: documents.task(call.base_url, task),
        position=lambda task: task.sequence,
        read=_member,
    )


def _member(task: Task, path: str) -> odata.Scalar:
    # A job can have 100,000 tasks and callers filter by state: that must not render them all.
    if path == "state":
        return task.state.value
    if path == "id":
        return task.id
    return member(documents.task("", task), path)


def replace(call: Call) -> Reply:
    """Change the constraints of a task; those left out get their defaults, as at its creation."""
    task, job = find(call), jobs.find(call)
    call.check_conditions(task.etag, task.modified)
    body = schema.check("BatchTask", call.body)
    own = {name: value for name, value in task.document.items() if name != "constraints"}
    document = schema.task_defaults({**own, **body}, job.document)
    new = creations.task(task.job_id, document, task.created)
    call.emulator.submit(
        job_events.UpdateTask(
            key(task.job_id), key(task.id), document, new.max_retries, new.wall_clock, new.retention
        )
    )
    task.modified = call.now
    task.etag = creations.new_etag(task.modified)
    return done(call, 200, task.etag, task.modified)


def list_subtasks(call: Call) -> Reply:
    """List the subtasks of a multi-instance task; there are none of any other (documented)."""
    task = find(call)
    return listing(
        call,
        "subtasks",
        list(enumerate(task.subtasks))[1:],
        render=lambda numbered: job_tasks.subtask(call.base_url, task, *numbered),
        position=lambda numbered: numbered[0],
        queried="subtasksinfo",
    )


def delete(call: Call) -> Reply:
    """Delete a task with its files."""
    task = find(call)
    call.check_conditions(task.etag, task.modified)
    call.emulator.submit(events.DeleteTask(key(task.job_id), key(task.id)))
    return Reply(200)


def terminate(call: Call) -> Reply:
    """End a task."""
    task = find(call)
    call.check_conditions(task.etag, task.modified)
    call.emulator.submit(events.TerminateTask(key(task.job_id), key(task.id)))
    return done(call, 204, task.etag, task.modified)


def reactivate(call: Call) -> Reply:
    """Let a failed task run again."""
    task = find(call)
    call.check_conditions(task.etag, task.modified)
    call.emulator.submit(events.ReactivateTask(key(task.job_id), key(task.id)))
    return done(call, 204, task.etag, task.modified)
