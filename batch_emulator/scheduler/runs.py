"""The rules of runs: how a process that ended, or ran too long, bears on its task and its node."""

from collections.abc import Iterator

from batch_emulator.events import Instruction, Kill, RunEnded, RunExpired
from batch_emulator.lifecycle import JobState, TaskEvent
from batch_emulator.resources import Failure, Job, Outcome, Task
from batch_emulator.scheduler import nodes, tasks
from batch_emulator.scheduler.world import Run, World

OUT_OF_TIME = Failure(
    "ServerError",
    "TaskEnded",
    "The task was ended since its maximum wall clock time was exceeded.",
)


def expired(world: World, event: RunExpired) -> Iterator[Instruction]:
    """End a run that has used up its wall clock time."""
    run = world.runs.get(event.run)
    if run is not None:
        run.expired = True
        yield Kill(event.run)


def ended(world: World, event: RunEnded) -> Iterator[Instruction]:
    """Note how a run ended and free its slots."""
    run = world.runs.pop(event.run, None)
    if run is None:
        return
    if run.kind == "start task":
        yield from nodes.start_task_ended(world, event.run, run, event.outcome)
        return
    job = world.account.jobs.get(run.job)
    if job is not None:
        job.runs.discard(event.run)
        task = job.tasks.get(run.task)
        if task is not None and task.run == event.run:
            yield from _conclude(world, job, task, run, event.outcome)
        world.touch_job(job)
    yield from nodes.slots_freed(world, event.run, run)


def _conclude(world: World, job: Job, task: Task, run: Run, outcome: Outcome) -> Iterator[Instruction]:
    task.run = None
    if run.expired:
        outcome = Outcome(outcome.started, outcome.ended, outcome.exit_code, OUT_OF_TIME)
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
