"""The rules of multi-instance tasks: several nodes at once, coordinated before the primary runs its command.

All instances hold a slot on a node of their own until the primary has ended. The coordination command runs on
each; when all have succeeded, the command runs on the primary's. If one fails, the task fails as if it had
itself (all documented). Assumed: only the primary's node is prepared for the job; a node that is lost takes
the whole task back to its queue.
"""

from collections.abc import Iterator

from batch_emulator.events import After, Instruction, RunEnded, RunExpired, RunTask
from batch_emulator.job_events import RunCoordination
from batch_emulator.lifecycle import NodeEvent, NodeState, TaskEvent
from batch_emulator.outcomes import Outcome
from batch_emulator.resources import Job, Subtask, Task, key
from batch_emulator.scheduler import tasks
from batch_emulator.scheduler.world import Run, World


def reserve(world: World, job: Job, task: Task, primary: int, node_ids: list[str]) -> None:
    """Take a slot for each instance, the primary's first, whose own slots are taken already."""
    pool_key = world.runs[primary].pool
    task.subtasks = []
    for instance, node_id in enumerate(node_ids):
        run_id, slots = world.next_number(), task.slots if instance else 0
        pool = world.pool(pool_key)
        node = pool.nodes[node_id]
        world.runs[run_id] = Run(
            "coordination", pool_key, node_id, slots, key(job.id), key(task.id), begun=False, primary=primary
        )
        world.runs[primary].instances.append(run_id)
        task.subtasks.append(Subtask(pool.id, node_id, run_id))
        if node.state is NodeState.IDLE:
            world.move_node(node, NodeEvent.TASK_STARTED)
        node.runs[run_id] = slots
        job.side_runs.add(run_id)
        world.book(pool, node)


def coordinate(world: World, job: Job, task: Task, primary: int) -> Iterator[Instruction]:
    """Run the coordination command on all nodes; the task is running from now on."""
    world.move_task(job, task, TaskEvent.START)
    task.started = world.now
    for instance, subtask in enumerate(task.subtasks):
        run = world.runs[subtask.run]
        run.begun = True
        subtask.started = world.now
        yield RunCoordination(subtask.run, run.pool, run.node, run.job, run.task, instance)
    if task.wall_clock is not None:
        yield After(task.wall_clock, RunExpired(primary))


def ended(world: World, run_id: int, run: Run, outcome: Outcome) -> Iterator[Instruction]:
    """Note how the coordination command ended on a node, and let the primary go on or fail.

    The run is left in the world while it still holds its slot.
    """
    job = world.account.jobs.get(run.job)
    task = job.tasks.get(run.task) if job is not None else None
    if job is None or task is None or task.run != run.primary:
        return
    for subtask in task.subtasks:
        if subtask.run == run_id:
            subtask.outcome = outcome
    if run.ending:
        yield from tasks.kill(world, run.primary)
        tasks.requeue(world, job, task)
        return
    run.begun = False
    world.runs[run_id] = run
    if outcome.failure is not None:
        failed = Outcome(task.started or world.now, world.now, outcome.exit_code, outcome.failure)
        yield After(0.0, RunEnded(run.primary, failed))
    elif all(subtask.outcome is not None and not subtask.outcome.failure for subtask in task.subtasks):
        primary = world.runs[run.primary]
        primary.begun = True
        yield RunTask(run.primary, primary.pool, primary.node, primary.job, primary.task)


def held(world: World, primary: Run) -> list[tuple[int, Run]]:
    """The runs that only hold a slot for a primary that has ended; they are taken out of the world."""
    idle = [run_id for run_id in primary.instances if run_id in world.runs and not world.runs[run_id].begun]
    return [(run_id, world.runs.pop(run_id)) for run_id in idle]


def dismiss(world: World, primary: Run) -> Iterator[Instruction]:
    """End what still coordinates for a primary that has ended."""
    for run_id in primary.instances:
        yield from tasks.kill(world, run_id)
