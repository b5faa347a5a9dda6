"""The rules of jobs: taking tasks, pausing, ending."""

from bisect import insort
from collections.abc import Iterator

from batch_emulator import errors
from batch_emulator.events import (
    AddJob,
    AddTask,
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
from batch_emulator.scheduler import auto_pools, dependencies, job_tasks, quotas, tasks
from batch_emulator.scheduler.books import ReadyTasks
from batch_emulator.scheduler.world import World

_ENDING = (JobState.TERMINATING, JobState.DELETING)


def add(world: World, event: AddJob) -> Iterator[Instruction]:
    """Take a new job into the account; its pool need not exist (documented)."""
    job, job_key = event.job, key(event.job.id)
    existing = world.account.jobs.get(job_key)
    if existing is not None:
        raise errors.JobBeingDeleted if existing.state is JobState.DELETING else errors.JobExists
    if job_key in world.account.schedules:
        raise errors.JobScheduleWithSameIdExists
    quotas.check_jobs(world)
    job.serial = world.next_number()
    job.state_since = world.now
    world.account.jobs[job_key] = job
    world.ready[job_key] = ReadyTasks()
    if job.pool_id is None:
        yield from auto_pools.create(world, job)
    _enlist(world, job)
    yield from _limit(world, job)
    if job.manager is not None:
        yield from tasks.add(world, AddTask(job_key, job.manager))
    if job.scheduling_error is not None:
        world.move_job(job, JobEvent.TERMINATE)
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
    yield from job_tasks.stop_preparing(world, job)
    world.touch_job(job)


def delete(world: World, event: DeleteJob) -> Iterator[Instruction]:
    """Remove a job with all its tasks, once their processes have ended."""
    job = world.job(event.job)
    if job.state is JobState.DELETING:
        raise errors.JobBeingDeleted
    world.move_job(job, JobEvent.DELETE)
    for task in [task for task in job.tasks.values() if task.run is not None]:
        yield from tasks.stop(world, job, task, tasks.ENDED_BY_USER)
    for run_id in list(job.runs):
        yield from tasks.kill(world, run_id)
    yield from job_tasks.stop_preparing(world, job)
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
    if job.state in _ENDING and not job.runs and not job.side_runs and job.ended is None:
        yield from job_tasks.release(world, job)
    if job.state in (JobState.DISABLING, *_ENDING) and not _busy(world, job):
        yield After(world.delays.deleting_job, JobSettled(key(job.id), job.serial))
    # A job without tasks counts as one whose tasks are all completed (documented).
    wants_end = job.document.get("onAllTasksComplete") == "terminatejob"
    if wants_end and job.state is JobState.ACTIVE and not job.tally.unfinished:
        yield from _terminate(world, job, "AllTasksComplete")


def _busy(world: World, job: Job) -> bool:
    """Whether a process of the job is left, or its release task is still to run somewhere."""
    if job.state not in _ENDING:
        return bool(job.runs)
    waits = job.ended is None and job_tasks.awaits_release(world, job)
    return bool(job.runs or job.side_runs or waits)


def settled(world: World, event: JobSettled) -> Iterator[Instruction]:
    """Bring a job out of a passing state."""
    job = world.account.jobs.get(event.job)
    if job is None or job.serial != event.serial or _busy(world, job):
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
        yield from _let_go(world, job)
    elif job.state is JobState.DELETING:
        yield from _forget(world, job)


def _let_go(world: World, job: Job) -> Iterator[Instruction]:
    asked = auto_pools.specification(job.document)
    if asked is not None and asked["poolLifetimeOption"] == "job":
        yield from auto_pools.remove(world, job.pool_id, asked)
    schedule = world.account.schedules.get(job.schedule_id) if job.schedule_id else None
    if schedule is not None:
        world.touch_schedule(schedule)


def _forget(world: World, job: Job) -> Iterator[Instruction]:
    job_key = key(job.id)
    _delist(world, job)
    del world.account.jobs[job_key]
    del world.ready[job_key]
    world.waiting.pop(job_key, None)
    used = {key(task.pool_id) for task in job.tasks.values() if task.pool_id is not None}
    used |= {key(run.pool_id) for run in job.preparation.values()}
    for pool_key in used:
        yield RemoveJobFiles(pool_key, job.id)
    yield from _let_go(world, job)


def task_concluded(world: World, job: Job, task: Task) -> Iterator[Instruction]:
    """Let follow what a failed task means for its job; by default it is terminated (documented)."""
    world.touch_job(job)
    if job.ends_with_manager and task is job.manager and job.state not in tasks.REFUSALS:
        yield from _terminate(world, job, "JMComplete")
        return
    # A task that a user ended meets no exit condition (the official SDK's tests go on to reactivate it).
    failed = task.outcome is not None and task.outcome.failure not in (None, tasks.ENDED_BY_USER)
    acts = job.document.get("onTaskFailure") == "performexitoptionsjobaction"
    if not (failed and acts and job.state is JobState.ACTIVE):
        return
    action = dependencies.exit_options(task).get("jobAction", "terminate").lower()
    if action == "terminate":
        yield from _terminate(world, job, "TaskFailed")
    elif action == "disable":
        yield from _disable(world, job, "requeue")
