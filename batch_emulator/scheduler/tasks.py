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
from batch_emulator.lifecycle import JobState, TaskEvent, TaskState
from batch_emulator.resources import Failure, Job, Outcome, Task, key
from batch_emulator.scheduler import dependencies
from batch_emulator.scheduler.world import Run, World

ENDED_BY_USER = Failure("UserError", "TaskEnded", "Task was ended by user request.")
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


def add(world: World, event: AddTask) -> None:
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
    world.move_task(job, task, TaskEvent.REACTIVATE)
    task.retries, task.last_retry = 0, None
    task.outcome = task.started = None
    task.pool_id = task.node_id = None
    world.make_ready(job, task)
