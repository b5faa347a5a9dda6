"""The rules of tasks: adding, waiting for others, running, trying again, ending."""

from collections.abc import Iterator

from batch_emulator import errors
from batch_emulator.events import (
    AddTask,
    After,
    DeleteTask,
    Instruction,
    Kill,
    ReactivateTask,
    RemoveTaskFiles,
    RetentionExpired,
    RunEnded,
    RunExpired,
    RunTask,
    TerminateTask,
)
from batch_emulator.job_events import TasksAged, UpdateTask
from batch_emulator.lifecycle import JobState, TaskEvent, TaskState
from batch_emulator.outcomes import Failure, Outcome
from batch_emulator.resources import Job, Task, key
from batch_emulator.scheduler import dependencies
from batch_emulator.scheduler.world import Run, World

ENDED_BY_USER = Failure("UserError", "TaskEnded", "Task was ended by user request.")
LIFETIME = 180 * 24 * 3600.0
"""Seconds from its adding after which a task is given up (documented: 180 days)."""
REFUSALS: dict[JobState, type[errors.BatchError]] = {
    JobState.TERMINATING: errors.JobBeingTerminated,
    JobState.COMPLETED: errors.JobCompleted,
    JobState.DELETING: errors.JobBeingDeleted,
}
"""What a job says in a state in which it cannot be changed any more."""


def refuse_unless_open(job: Job) -> None:
    """Raise the error of a job that takes no more tasks; a disabled one still does (assumed)."""
    if job.state in REFUSALS:
        raise REFUSALS[job.state]


def add(world: World, event: AddTask) -> Iterator[Instruction]:
    """Take a task into its job; it is active until a node takes it."""
    job = world.job(event.job)
    refuse_unless_open(job)
    task, task_key = event.task, key(event.task.id)
    if task_key in job.tasks:
        raise errors.TaskExists
    task.sequence = world.next_number()
    task.state_since = world.now
    job.tasks[task_key] = task
    job.tally.add(task)
    task.waiting_for = dependencies.enrol(world, job, task)
    if not task.waiting_for:
        world.make_ready(job, task)
    if not job.aging:
        job.aging = True
        yield After(LIFETIME, TasksAged(event.job, job.serial))


def aged(world: World, event: TasksAged) -> Iterator[Instruction]:
    """Give up the tasks that are as old as a task may be: ended, and left in the state they are in.

    Documented so: the service ends such a task "in whatever state it was in".
    """
    job = world.account.jobs.get(event.job)
    if job is None or job.serial != event.serial:
        return
    unfinished = [task for task in job.tasks.values() if task.state is not TaskState.COMPLETED]
    for task in unfinished:
        if world.now + 1e-6 >= task.created + LIFETIME and not task.given_up:
            task.given_up = True
            world.ready[event.job].discard(key(task.id), task)
            if task.run is not None:
                yield from kill(world, task.run)
                task.run = None
    young = [task.created for task in unfinished if not task.given_up]
    job.aging = bool(young)
    if young:
        yield After(min(young) + LIFETIME - world.now, event)


def update(world: World, event: UpdateTask) -> Iterator[Instruction]:
    """Change the constraints of a task; a new time limit counts from its start also while it runs."""
    task = world.task(event.job, event.task)
    if world.job(event.job).state is JobState.DELETING:
        raise errors.JobBeingDeleted
    task.document, task.max_retries = event.document, event.max_retries
    task.wall_clock, task.retention = event.wall_clock, event.retention
    if task.run is not None and task.started is not None and task.wall_clock is not None:
        yield After(max(task.started + task.wall_clock - world.now, 0.0), RunExpired(task.run))


def complete(
    world: World, job: Job, task: Task, event: TaskEvent, outcome: Outcome | None
) -> Iterator[Instruction]:
    """Complete a task and let follow what its end means for others."""
    task.outcome = outcome
    world.move_task(job, task, event)
    if task.retention is not None and task.node_id is not None:
        expiry = RetentionExpired(key(job.id), key(task.id), task.sequence, task.state_since)
        yield After(task.retention, expiry)
    world.concluded.append((job, task))


def retention_expired(world: World, event: RetentionExpired) -> Iterator[Instruction]:
    """Remove the files of a task that has been completed for as long as they had to be kept."""
    job = world.account.jobs.get(event.job)
    task = job.tasks.get(event.task) if job else None
    same = task is not None and task.sequence == event.sequence and task.state_since == event.completed
    if task is not None and same and task.state is TaskState.COMPLETED:
        task.files_removed = True
        yield from _remove_files(task)


def _remove_files(task: Task) -> Iterator[Instruction]:
    if task.pool_id is not None and task.node_id is not None:
        yield RemoveTaskFiles(key(task.pool_id), task.node_id, task.job_id, task.id)
    for subtask in task.subtasks[1:]:
        yield RemoveTaskFiles(key(subtask.pool_id), subtask.node_id, task.job_id, task.id)


def launch(world: World, job: Job, task: Task, run_id: int) -> Iterator[Instruction]:
    """Start the process of a task on the node that was chosen for it."""
    run = world.runs[run_id]
    run.begun = True
    world.move_task(job, task, TaskEvent.START)
    task.started = world.now
    yield RunTask(run_id, run.pool, run.node, run.job, run.task)
    if task.wall_clock is not None:
        yield After(task.wall_clock, RunExpired(run_id))


def kill(world: World, run_id: int) -> Iterator[Instruction]:
    """End a run; where there is no process yet, its end needs nobody else."""
    run = world.runs.get(run_id)
    if run is None or run.ending:
        return
    run.ending = True
    if run.begun:
        yield Kill(run_id)
    else:
        yield After(0.0, RunEnded(run_id, Outcome(world.now, world.now, None, ENDED_BY_USER)))


def stop(world: World, job: Job, task: Task, failure: Failure) -> Iterator[Instruction]:
    """Complete a task that has not ended by itself, and end its process."""
    world.ready[key(job.id)].discard(key(task.id), task)
    if task.run is not None:
        yield from kill(world, task.run)
    task.run = None
    outcome = Outcome(task.started or world.now, world.now, None, failure)
    yield from complete(world, job, task, TaskEvent.TERMINATE, outcome)


def lose(world: World, run_id: int, run: Run, *, keep: bool, by_user: bool = True) -> Iterator[Instruction]:
    """Take a task off a node that goes: back to its queue, or completed as ended.

    Only what a user asked for counts as a requeue (documented).
    """
    job = world.account.jobs.get(run.job)
    task = job.tasks.get(run.task) if job else None
    if job is None or task is None or task.run != run_id:
        return
    if not keep:
        yield from stop(world, job, task, ENDED_BY_USER)
        return
    if by_user:
        requeue(world, job, task)
    else:
        take_off(world, job, task, TaskEvent.REQUEUE)


def requeue(world: World, job: Job, task: Task) -> None:
    """Put a running task back into its queue; its attempt does not count as a retry (documented)."""
    task.requeues += 1
    task.last_requeue = world.now
    take_off(world, job, task, TaskEvent.REQUEUE)


def take_off(world: World, job: Job, task: Task, event: TaskEvent) -> None:
    """Take a task off its node and let it wait for another."""
    world.move_task(job, task, event)
    task.run = task.started = None
    task.pool_id = task.node_id = None
    world.make_ready(job, task)


def terminate(world: World, event: TerminateTask) -> Iterator[Instruction]:
    """End a task on request."""
    task = world.task(event.job, event.task)
    if task.state is TaskState.COMPLETED:
        raise errors.TaskCompleted
    yield from stop(world, world.job(event.job), task, ENDED_BY_USER)


def delete(world: World, event: DeleteTask) -> Iterator[Instruction]:
    """Remove a task with its files, running or not."""
    task = world.task(event.job, event.task)
    job = world.job(event.job)
    world.ready[event.job].discard(event.task, task)
    del job.tasks[event.task]
    job.tally.add(task, -1)
    dependencies.deleted(world, job, task)
    if task.run is not None:
        yield from kill(world, task.run)
    yield from _remove_files(task)
    world.touch_job(job)


def reactivate(world: World, event: ReactivateTask) -> None:
    """Let a failed task run again, with all its retries."""
    task = world.task(event.job, event.task)
    job = world.job(event.job)
    refuse_unless_open(job)
    if task.state is not TaskState.COMPLETED:
        raise errors.TaskNotCompleted
    if dependencies.succeeded(task):
        raise errors.TaskSucceeded
    dependencies.reactivated(world, job, task)
    world.move_task(job, task, TaskEvent.REACTIVATE)
    task.retries, task.last_retry = 0, None
    task.outcome = task.started = None
    task.pool_id = task.node_id = None
    if not task.waiting_for:
        world.make_ready(job, task)
