"""The rules of runs: how a process that ended, or ran too long, bears on its task and its node."""

from collections.abc import Iterator
from dataclasses import replace

from batch_emulator.events import Instruction, RunEnded, RunExpired
from batch_emulator.lifecycle import JobState, TaskEvent
from batch_emulator.outcomes import Outcome
from batch_emulator.resources import Job, Task
from batch_emulator.scheduler import job_tasks, multi_instance, nodes, tasks, upkeep
from batch_emulator.scheduler.world import Run, World


def expired(world: World, event: RunExpired) -> Iterator[Instruction]:
    """End a run that has used up its wall clock time."""
    run = world.runs.get(event.run)
    if run is None or run.ending:
        return
    if run.kind == "task" and not _used_up(world, run, event.run):
        return
    run.expired = True
    yield from tasks.kill(world, event.run)


def _used_up(world: World, run: Run, run_id: int) -> bool:
    # A client may have given the task another limit since the timer was set.
    job = world.account.jobs.get(run.job)
    task = job.tasks.get(run.task) if job else None
    if task is None or task.run != run_id or task.started is None or task.wall_clock is None:
        return False
    return world.now + 1e-6 >= task.started + task.wall_clock


def ended(world: World, event: RunEnded) -> Iterator[Instruction]:
    """Note how a run ended and free its slots."""
    run = world.runs.pop(event.run, None)
    if run is None:
        return
    if run.kind == "start task":
        yield from nodes.start_task_ended(world, event.run, run, event.outcome)
        return
    if run.kind in ("preparation", "release"):
        yield from job_tasks.ended(world, event.run, run, event.outcome)
        yield from _free(world, event.run, run)
        return
    if run.kind == "coordination":
        yield from _coordinated(world, event.run, run, event.outcome)
        return
    job = world.account.jobs.get(run.job)
    if job is not None:
        job.runs.discard(event.run)
        task = job.tasks.get(run.task)
        if task is not None and task.run == event.run:
            yield from _conclude(world, job, task, run, event.outcome)
        world.touch_job(job)
    yield from _free(world, event.run, run)
    for held_id, held in multi_instance.held(world, run):
        yield from _let_go(world, held_id, held)
    yield from multi_instance.dismiss(world, run)


def _coordinated(world: World, run_id: int, run: Run, outcome: Outcome) -> Iterator[Instruction]:
    yield from multi_instance.ended(world, run_id, run, outcome)
    if run_id not in world.runs:
        yield from _let_go(world, run_id, run)


def _let_go(world: World, run_id: int, run: Run) -> Iterator[Instruction]:
    job = world.account.jobs.get(run.job)
    if job is not None:
        job.side_runs.discard(run_id)
        world.touch_job(job)
    yield from _free(world, run_id, run)


def _free(world: World, run_id: int, run: Run) -> Iterator[Instruction]:
    yield from nodes.slots_freed(world, run_id, run)
    yield from upkeep.drained(world, run)


def _conclude(world: World, job: Job, task: Task, run: Run, outcome: Outcome) -> Iterator[Instruction]:
    task.run = None
    if run.expired:
        outcome = replace(outcome, failure=job_tasks.OUT_OF_TIME)
    elif _tries_again(job, task, outcome):
        task.retries += 1
        task.last_retry = world.now
        world.move_task(job, task, TaskEvent.RETRY)
        world.make_ready(job, task)
        return
    node = world.node(run.pool, run.node)
    if node is not None and outcome.failure is None:
        node.tasks_succeeded += 1
    yield from tasks.complete(world, job, task, TaskEvent.END, outcome)


def _tries_again(job: Job, task: Task, outcome: Outcome) -> bool:
    # Only a non-zero exit is tried again, neither a failed download nor a failed upload (documented).
    failed = outcome.failure is not None and outcome.failure.code == "FailureExitCode"
    allowed = task.max_retries == -1 or task.retries < task.max_retries
    return failed and allowed and job.state in (JobState.ACTIVE, JobState.DISABLING)
