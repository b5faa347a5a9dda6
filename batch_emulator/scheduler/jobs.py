"""The rules of jobs: taking tasks, pausing, ending."""

from bisect import insort
from collections.abc import Iterator

from batch_emulator import errors
from batch_emulator.events import (
    AddJob,
    After,
    DeleteJob,
    DisableJob,
    EnableJob,
    Instruction,
    JobExpired,
    JobSettled,
    RemoveJobFiles,
    TerminateJob,
    UpdateJob,
)
from batch_emulator.lifecycle import JobEvent, JobState
from batch_emulator.resources import Job, Task, key
from batch_emulator.scheduler import dependencies, quotas, tasks
from batch_emulator.scheduler.books import ReadyTasks
from batch_emulator.scheduler.world import World


def add(world: World, event: AddJob) -> Iterator[Instruction]:
    """Take a new job into the account; its pool need not exist (documented)."""
    job, job_key = event.job, key(event.job.id)
    existing = world.account.jobs.get(job_key)
    if existing is not None:
        raise errors.JobBeingDeleted if existing.state is JobState.DELETING else errors.JobExists
    quotas.check_jobs(world)
    job.serial = world.next_number()
    job.state_since = world.now
    world.account.jobs[job_key] = job
    world.ready[job_key] = ReadyTasks()
    _enlist(world, job)
    yield from _limit(world, job)
    world.touch_job(job)


def _enlist(world: World, job: Job) -> None:
    if job.pool_id is not None:
        waiting = world.jobs_of_pool.setdefault(key(job.pool_id), [])
        insort(waiting, job, key=lambda other: (-other.priority, other.serial))


def _delist(world: World, job: Job) -> None:
    if job.pool_id is None:
        return
    waiting = world.jobs_of_pool[key(job.pool_id)]
    waiting.remove(job)
    if not waiting:
        del world.jobs_of_pool[key(job.pool_id)]


def _limit(world: World, job: Job) -> Iterator[Instruction]:
    if job.wall_clock is not None:
        elapsed = world.now - job.created
        yield After(max(job.wall_clock - elapsed, 0.0), JobExpired(key(job.id), job.serial))


def update(world: World, event: UpdateJob) -> Iterator[Instruction]:
    """Change a job; its pool can change only while it is disabled (documented)."""
    job = world.job(event.job)
    tasks.refuse_unless_open(job)
    moves = event.pool_id is not None and job.pool_id is not None and key(event.pool_id) != key(job.pool_id)
    if moves and job.state is not JobState.DISABLED:
        raise errors.OperationInvalidForCurrentState(
            Reason="The pool of a job can change only while it is disabled."
        )
    _delist(world, job)
    limit_changed = event.wall_clock != job.wall_clock
    job.document, job.priority, job.wall_clock = event.document, event.priority, event.wall_clock
    job.pool_id = event.pool_id if moves else job.pool_id
    _enlist(world, job)
    if limit_changed:
        yield from _limit(world, job)
    world.touch_job(job)
    if job.pool_id is not None:
        world.unplaced[key(job.pool_id)] = None


def expired(world: World, event: JobExpired) -> Iterator[Instruction]:
    """End a job that has used up its wall clock time."""
    job = world.account.jobs.get(event.job)
    if job is None or job.serial != event.serial or job.state in tasks.REFUSALS or job.wall_clock is None:
        return
    if world.now + 1e-6 >= job.created + job.wall_clock:
        yield from _terminate(world, job, "MaxWallClockTimeExpiry")


def terminate(world: World, event: TerminateJob) -> Iterator[Instruction]:
    """End a job on request."""
    job = world.job(event.job)
    tasks.refuse_unless_open(job)
    yield from _terminate(world, job, event.reason)


def _terminate(world: World, job: Job, reason: str) -> Iterator[Instruction]:
    # Tasks that have not begun stay active in the completed job (documented).
    world.move_job(job, JobEvent.TERMINATE)
    job.terminate_reason = reason
    for task in [task for task in job.tasks.values() if task.run is not None]:
        yield from tasks.stop(world, job, task, tasks.ENDED_BY_USER)
    world.touch_job(job)


def delete(world: World, event: DeleteJob) -> Iterator[Instruction]:
    """Remove a job with all its tasks, once their processes have ended."""
    job = world.job(event.job)
    if job.state is JobState.DELETING:
        raise errors.JobBeingDeleted
    world.move_job(job, JobEvent.DELETE)
    for run_id in list(job.runs):
        yield from tasks.kill(world, run_id)
    world.touch_job(job)


def disable(world: World, event: DisableJob) -> Iterator[Instruction]:
    """Let a job start no more tasks; what becomes of the running ones is the caller's choice."""
    job = world.job(event.job)
    tasks.refuse_unless_open(job)
    if job.state is JobState.ENABLING:
        raise errors.OperationInvalidForCurrentState(Reason="The job is being enabled.")
    yield from _disable(world, job, event.tasks)


def _disable(world: World, job: Job, running: str) -> Iterator[Instruction]:
    world.move_job(job, JobEvent.DISABLE)
    for task in [task for task in job.tasks.values() if task.run is not None]:
        if running == "requeue":
            if task.run is not None:
                yield from tasks.kill(world, task.run)
            tasks.requeue(world, job, task)
        elif running == "terminate":
            yield from tasks.stop(world, job, task, tasks.ENDED_BY_USER)
    world.touch_job(job)


def enable(world: World, event: EnableJob) -> Iterator[Instruction]:
    """Let a disabled job start tasks again; enabling an active one changes nothing."""
    job = world.job(event.job)
    tasks.refuse_unless_open(job)
    if job.state is JobState.DISABLING:
        raise errors.OperationInvalidForCurrentState(Reason="The job is still being disabled.")
    if job.state is JobState.DISABLED:
        world.move_job(job, JobEvent.ENABLE)
        yield After(0.0, JobSettled(key(job.id), job.serial))


def settle(world: World, job: Job) -> Iterator[Instruction]:
    """Derive what follows from the tasks a job has left: its completion, or the end of a passing state."""
    if job.state in (JobState.DISABLING, JobState.TERMINATING, JobState.DELETING) and not job.runs:
        yield After(world.delays.deleting_job, JobSettled(key(job.id), job.serial))
    # A job without tasks counts as one whose tasks are all completed (documented).
    wants_end = job.document.get("onAllTasksComplete") == "terminatejob"
    if wants_end and job.state is JobState.ACTIVE and not job.tally.unfinished:
        yield from _terminate(world, job, "AllTasksComplete")


def settled(world: World, event: JobSettled) -> Iterator[Instruction]:
    """Bring a job out of a passing state."""
    job = world.account.jobs.get(event.job)
    if job is None or job.serial != event.serial or job.runs:
        return
    if job.state is JobState.DISABLING:
        world.move_job(job, JobEvent.DRAINED)
    elif job.state is JobState.ENABLING:
        world.move_job(job, JobEvent.ENABLED)
        if job.pool_id is not None:
            world.unplaced[key(job.pool_id)] = None
    elif job.state is JobState.TERMINATING:
        world.move_job(job, JobEvent.TERMINATED)
        job.ended = world.now
    elif job.state is JobState.DELETING:
        yield from _forget(world, job)


def _forget(world: World, job: Job) -> Iterator[Instruction]:
    job_key = key(job.id)
    _delist(world, job)
    del world.account.jobs[job_key]
    del world.ready[job_key]
    world.waiting.pop(job_key, None)
    used = {key(task.pool_id) for task in job.tasks.values() if task.pool_id is not None}
    for pool_key in used:
        yield RemoveJobFiles(pool_key, job.id)


def task_concluded(world: World, job: Job, task: Task) -> Iterator[Instruction]:
    """Let follow what a failed task means for its job; by default it is terminated (documented)."""
    world.touch_job(job)
    failed = task.outcome is not None and task.outcome.failure is not None
    acts = job.document.get("onTaskFailure") == "performexitoptionsjobaction"
    if not (failed and acts and job.state is JobState.ACTIVE):
        return
    action = dependencies.exit_options(task).get("jobAction", "terminate").lower()
    if action == "terminate":
        yield from _terminate(world, job, "TaskFailed")
    elif action == "disable":
        yield from _disable(world, job, "requeue")
