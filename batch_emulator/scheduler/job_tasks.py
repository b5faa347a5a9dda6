"""The rules of job preparation and release tasks: what a job does on each node before its first task there,
and after its last one anywhere.

Neither takes a slot of the node (documented for release tasks, assumed for preparation tasks: the slots of
the task that waits are taken already).
"""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Literal

from batch_emulator.events import After, Instruction, RunExpired
from batch_emulator.job_events import RunJobTask
from batch_emulator.lifecycle import NodeState, TaskEvent, TaskState
from batch_emulator.outcomes import Failure, JobTaskRun, Outcome
from batch_emulator.resources import Job, JobTask, Node, Task, key
from batch_emulator.scheduler import multi_instance, tasks
from batch_emulator.scheduler.world import WORKING, Run, World

OUT_OF_TIME = Failure(
    "ServerError",
    "TaskEnded",
    "The task was ended since its maximum wall clock time was exceeded.",
)
_AT_WORK = WORKING | {NodeState.OFFLINE}
_COMING_BACK = frozenset(
    {
        NodeState.REBOOTING,
        NodeState.STARTING,
        NodeState.WAITING_FOR_START_TASK,
        NodeState.UPGRADING_OS,
    }
)
"""States after which a node can run what it was interrupted in."""


class Preparedness(Enum):
    """Whether a node can run tasks of a job."""

    READY = auto()
    UNDER_WAY = auto()
    NEEDED = auto()
    FAILED = auto()


def preparedness(job: Job, node: Node) -> Preparedness:
    """How far a node is prepared for the tasks of a job.

    A preparation that failed is held against the node until it is reimaged; one that succeeded counts until
    then too, or only until the node boots again if the job wants it rerun (all documented).
    """
    spec, done = job.preparation_task, job.preparation.get(node.id)
    if spec is None:
        return Preparedness.READY
    if done is None or done.started < node.imaged:
        return Preparedness.NEEDED
    if done.run is not None:
        return Preparedness.UNDER_WAY
    if done.interrupted or done.outcome is None:
        return Preparedness.NEEDED
    if spec.reruns_after_reboot and node.booted is not None and done.started < node.booted:
        return Preparedness.NEEDED
    return Preparedness.FAILED if done.outcome.failure is not None else Preparedness.READY


def eligible(job: Job, node: Node) -> bool:
    """Whether a task of the job may be given to the node."""
    spec = job.preparation_task
    waits = spec is not None and spec.waits_for_success
    return not waits or preparedness(job, node) is not Preparedness.FAILED


def begin(world: World, job: Job, task: Task, run_id: int, node: Node) -> Iterator[Instruction]:
    """Start a task that was given to a node, or the preparation that it has to wait for."""
    before = preparedness(job, node)
    spec = job.preparation_task
    if spec is not None and before is Preparedness.NEEDED:
        done = JobTaskRun(node.id, node.pool_id, world.now)
        job.preparation[node.id] = done
        yield from _start(world, job, node, done, "preparation", spec)
    if spec is None or not spec.waits_for_success or before is Preparedness.READY:
        yield from _launch(world, job, task, run_id)
        return
    world.runs[run_id].begun = False
    world.move_task(job, task, TaskEvent.PREPARE)


def _launch(world: World, job: Job, task: Task, run_id: int) -> Iterator[Instruction]:
    done = job.preparation.get(world.runs[run_id].node)
    if done is not None:
        done.used = True
    start = multi_instance.coordinate if task.instances else tasks.launch
    yield from start(world, job, task, run_id)


def _start(
    world: World,
    job: Job,
    node: Node,
    done: JobTaskRun,
    kind: Literal["preparation", "release"],
    spec: JobTask,
) -> Iterator[Instruction]:
    run_id = world.next_number()
    done.run, done.outcome, done.interrupted = run_id, None, False
    done.started = world.now
    world.runs[run_id] = Run(kind, key(node.pool_id), node.id, slots=0, job=key(job.id), task=key(spec.id))
    node.runs[run_id] = 0
    job.side_runs.add(run_id)
    yield RunJobTask(run_id, key(node.pool_id), node.id, key(job.id), kind)
    if spec.wall_clock is not None:
        yield After(spec.wall_clock, RunExpired(run_id))


def ended(world: World, run_id: int, run: Run, outcome: Outcome) -> Iterator[Instruction]:
    """Note how a preparation or release task ended on a node, and let follow what waited for it."""
    job = world.account.jobs.get(run.job)
    if job is None or run_id not in job.side_runs:
        return
    job.side_runs.discard(run_id)
    world.touch_job(job)
    done = (job.preparation if run.kind == "preparation" else job.release)[run.node]
    if done.run != run_id:
        return
    done.run = None
    if run.expired:
        outcome = Outcome(outcome.started, outcome.ended, outcome.exit_code, OUT_OF_TIME)
    done.outcome, done.interrupted = outcome, run.ending and not run.expired
    if run.kind == "preparation":
        yield from _prepared(world, job, run, done, outcome)


def _prepared(world: World, job: Job, run: Run, done: JobTaskRun, outcome: Outcome) -> Iterator[Instruction]:
    node, spec = world.node(run.pool, run.node), job.preparation_task
    if node is None or spec is None:
        return
    failed = outcome.failure is not None and outcome.failure.code == "FailureExitCode"
    if failed and not done.interrupted and (spec.max_retries == -1 or done.retries < spec.max_retries):
        done.retries += 1
        done.last_retry = world.now
        yield from _start(world, job, node, done, "preparation", spec)
        return
    for run_id in list(node.runs):
        waiting = _waiting_task(world, job, run_id)
        if waiting is None:
            continue
        if outcome.failure is None and not done.interrupted:
            yield from _launch(world, job, waiting, run_id)
        else:
            yield from _send_back(world, job, waiting, run_id)


def _waiting_task(world: World, job: Job, run_id: int) -> Task | None:
    run = world.runs.get(run_id)
    task = job.tasks.get(run.task) if run is not None and run.job == key(job.id) else None
    here = task is not None and task.run == run_id and task.state is TaskState.PREPARING
    return task if here else None


def _send_back(world: World, job: Job, task: Task, run_id: int) -> Iterator[Instruction]:
    yield from tasks.kill(world, run_id)
    tasks.take_off(world, job, task, TaskEvent.PREPARATION_FAILED)


def stop_preparing(world: World, job: Job) -> Iterator[Instruction]:
    """End the preparation tasks of a job that ends; release tasks go on."""
    for done in job.preparation.values():
        if done.run is not None:
            yield from tasks.kill(world, done.run)


def release(world: World, job: Job) -> Iterator[Instruction]:
    """Run the release task, once, on each node that was prepared and ran a task of the job (documented)."""
    spec = job.release_task
    if spec is None:
        return
    for node in list(_to_release(world, job)):
        if node.state in _AT_WORK:
            done = job.release[node.id] = JobTaskRun(node.id, node.pool_id, world.now)
            yield from _start(world, job, node, done, "release", spec)


def awaits_release(world: World, job: Job) -> bool:
    """Whether a node of the job's pool is still to come back that the release task has not ended on."""
    if job.release_task is None or job.pool_id is None:
        return False
    mine = key(job.pool_id)
    return any(node.state in _COMING_BACK and key(node.pool_id) == mine for node in _to_release(world, job))


def _to_release(world: World, job: Job) -> Iterator[Node]:
    for node_id, prepared in job.preparation.items():
        node = world.node(key(prepared.pool_id), node_id)
        if node is None or not prepared.used or prepared.started < node.imaged or node.leaving:
            continue
        done = job.release.get(node_id)
        if done is None or (done.run is None and done.interrupted):
            yield node
