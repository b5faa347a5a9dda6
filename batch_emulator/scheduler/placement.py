"""Which ready task goes to which node."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby

from batch_emulator.events import After, Instruction, PlacementDue
from batch_emulator.lifecycle import JobState, NodeEvent, NodeState
from batch_emulator.resources import Job, Pool, RecentTask, Task, key
from batch_emulator.scheduler import job_tasks, multi_instance
from batch_emulator.scheduler.world import Run, World

RECENT_TASKS = 10
"""How many of its last tasks a node tells."""


def consider(world: World, pool_key: str) -> Iterator[Instruction]:
    """Place tasks at once, or let it happen after the delay of scheduling, once for all that wait by then."""
    if not world.delays.scheduling:
        yield from place(world, pool_key)
    elif pool_key not in world.placing:
        world.placing.add(pool_key)
        yield After(world.delays.scheduling, PlacementDue(pool_key))


def due(world: World, event: PlacementDue) -> Iterator[Instruction]:
    """Place the tasks that are ready by now."""
    world.placing.discard(event.pool)
    yield from place(world, event.pool)


def place(world: World, pool_key: str) -> Iterator[Instruction]:
    """Start ready tasks on free slots of a pool, jobs of higher priority first.

    Jobs of equal priority have equal chances (documented): they take turns, unless the pool says that the
    oldest goes first.
    """
    pool = world.account.pools.get(pool_key)
    if pool is None:
        return
    active = (job for job in world.jobs_of_pool.get(pool_key, ()) if job.state is JobState.ACTIVE)
    for _, equals in groupby(active, key=lambda job: job.priority):
        yield from _place_equals(world, pool, pool_key, list(equals))


def _place_equals(world: World, pool: Pool, pool_key: str, jobs: list[Job]) -> Iterator[Instruction]:
    policy = pool.document.get("taskSchedulingPolicy", {})
    in_turns = policy.get("jobDefaultOrder", "none").lower() != "creationtime"
    if in_turns:
        jobs.sort(key=lambda job: job.serial <= pool.last_served)
    waiting = deque(jobs)
    while waiting:
        job = waiting.popleft()
        chosen = _choose(world, pool_key, job)
        if chosen is None:
            continue
        pool.last_served = job.serial
        yield from _start(world, pool_key, *chosen, job)
        if in_turns:
            waiting.append(job)
        else:
            waiting.appendleft(job)


def _choose(world: World, pool_key: str, job: Job) -> tuple[list[str], Task] | None:
    limit: int = job.document.get("maxParallelTasks", -1)
    if limit != -1 and len(job.runs) >= limit:
        return None
    pool, free = world.pool(pool_key), world.free[pool_key]
    for _, task in world.ready[key(job.id)].heads():
        node_ids = free.find_several(
            task.instances or 1, _slots(pool, task), _affinity(task), _condition(pool, job, task)
        )
        if node_ids:
            return node_ids, task
    return None


def _slots(pool: Pool, task: Task) -> int:
    # To run alone on a node is to take all its slots.
    return pool.slots_per_node if task.exclusive else task.slots


def _condition(pool: Pool, job: Job, task: Task) -> Callable[[str], bool] | None:
    """What a node must be beside free; None for most tasks, as looking at each node takes time."""
    if job.preparation_task is None and not task.dedicated_only:
        return None

    def fits(node_id: str) -> bool:
        node = pool.nodes[node_id]
        return (node.dedicated or not task.dedicated_only) and job_tasks.eligible(job, node)

    return fits


def _affinity(task: Task) -> str | None:
    affinity = task.document.get("affinityInfo")
    return affinity["affinityId"].removeprefix("TVM:") if affinity else None


def _start(world: World, pool_key: str, node_ids: list[str], task: Task, job: Job) -> Iterator[Instruction]:
    pool, node_id = world.pool(pool_key), node_ids[0]
    node = pool.nodes[node_id]
    run_id, slots = world.next_number(), _slots(pool, task)
    world.ready[key(job.id)].discard(key(task.id), task)
    world.runs[run_id] = Run("task", pool_key, node_id, slots, key(job.id), key(task.id))
    task.run, task.started, task.outcome = run_id, None, None
    task.pool_id, task.node_id, task.files_removed = pool.id, node_id, False
    task.on_windows = pool.on_windows
    job.runs.add(run_id)
    if node.state is NodeState.IDLE:
        world.move_node(node, NodeEvent.TASK_STARTED)
    node.runs[run_id] = slots
    node.tasks_run += 1
    node.recent = [*node.recent[1 - RECENT_TASKS :], RecentTask(job.id, task.id, task)]
    world.book(pool, node)
    if task.instances:
        world.runs[run_id].begun = False
        multi_instance.reserve(world, job, task, run_id, node_ids)
    yield from job_tasks.begin(world, job, task, run_id, node)
