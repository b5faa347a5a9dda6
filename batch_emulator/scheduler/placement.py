"""Which ready task goes to which node."""

from collections.abc import Iterator

from batch_emulator.events import After, Instruction, RunExpired, RunTask
from batch_emulator.lifecycle import JobState, NodeEvent, NodeState, TaskEvent
from batch_emulator.resources import Job, RecentTask, Task, key
from batch_emulator.scheduler.world import Run, World

RECENT_TASKS = 10
"""How many of its last tasks a node tells."""


def place(world: World, pool_key: str) -> Iterator[Instruction]:
    """Start ready tasks on free slots of a pool, jobs of higher priority first."""
    if pool_key not in world.account.pools:
        return
    for job in world.jobs_of_pool.get(pool_key, ()):
        if job.state is JobState.ACTIVE:
            yield from _place_job(world, pool_key, job)


def _place_job(world: World, pool_key: str, job: Job) -> Iterator[Instruction]:
    limit: int = job.document.get("maxParallelTasks", -1)
    while limit == -1 or len(job.runs) < limit:
        chosen = _choose(world, pool_key, job)
        if chosen is None:
            return
        yield from _start(world, pool_key, *chosen, job)


def _choose(world: World, pool_key: str, job: Job) -> tuple[str, Task] | None:
    for _, task in world.ready[key(job.id)].heads():
        node_id = world.free[pool_key].find(task.slots, _affinity(task))
        if node_id is not None:
            return node_id, task
    return None


def _affinity(task: Task) -> str | None:
    affinity = task.document.get("affinityInfo")
    return affinity["affinityId"].removeprefix("TVM:") if affinity else None


def _start(world: World, pool_key: str, node_id: str, task: Task, job: Job) -> Iterator[Instruction]:
    pool = world.pool(pool_key)
    node = pool.nodes[node_id]
    run_id = world.next_number()
    world.ready[key(job.id)].discard(key(task.id), task)
    world.runs[run_id] = Run("task", pool_key, node_id, task.slots, key(job.id), key(task.id))
    world.move_task(job, task, TaskEvent.START)
    task.run, task.started, task.outcome = run_id, world.now, None
    task.pool_id, task.node_id, task.files_removed = pool.id, node_id, False
    job.runs.add(run_id)
    if node.state is NodeState.IDLE:
        world.move_node(node, NodeEvent.TASK_STARTED)
    node.runs[run_id] = task.slots
    node.tasks_run += 1
    node.recent = [*node.recent[1 - RECENT_TASKS :], RecentTask(job.id, task.id)]
    world.book(pool, node)
    yield RunTask(run_id, pool_key, node_id, key(job.id), key(task.id))
    if task.wall_clock is not None:
        yield After(task.wall_clock, RunExpired(run_id))
