"""The rules of nodes: how they come up, run a start task, are lost and leave."""

from collections.abc import Iterator

from batch_emulator.events import (
    After,
    Instruction,
    NodeGone,
    NodeStep,
    RemoveNode,
    RunStartTask,
)
from batch_emulator.lifecycle import NodeEvent, NodeState
from batch_emulator.outcomes import Outcome, StartTaskRun
from batch_emulator.resources import Disposal, Node, Pool, key
from batch_emulator.scheduler import tasks
from batch_emulator.scheduler.world import Run, World


def step(world: World, event: NodeStep) -> Iterator[Instruction]:
    """Bring a node that was creating, starting or restarting into its next state."""
    node = world.node(event.pool, event.node)
    if node is None or node.state_since != event.since:
        return
    pool = world.pool(event.pool)
    if node.state is NodeState.CREATING:
        world.move_node(node, NodeEvent.ALLOCATED)
        node.imaged = world.now
        yield After(world.delays.starting, NodeStep(event.pool, node.id, world.now))
    elif node.state in (NodeState.REBOOTING, NodeState.REIMAGING, NodeState.UPGRADING_OS):
        node.imaged = world.now if node.state is NodeState.REIMAGING else node.imaged
        world.move_node(node, NodeEvent.RESTARTED)
        yield After(world.delays.starting, NodeStep(event.pool, node.id, world.now))
    elif node.state is NodeState.DEALLOCATING:
        world.move_node(node, NodeEvent.DEALLOCATED)
    elif node.state is NodeState.STARTING and not node.runs:  # else when the last process of before is gone
        yield from _booted(world, pool, node)


def _booted(world: World, pool: Pool, node: Node) -> Iterator[Instruction]:
    node.booted = world.now
    start_task = pool.start_task
    if start_task is None:
        world.move_node(node, NodeEvent.BOOTED)
        world.book(pool, node)
        return
    node.start_task = StartTaskRun(started=world.now, document=dict(start_task))
    yield from _run_start_task(world, pool, node)
    if start_task.get("waitForSuccess", True):
        world.move_node(node, NodeEvent.START_TASK_BEGAN)
    else:
        world.move_node(node, NodeEvent.BOOTED)
        world.book(pool, node)


def _run_start_task(world: World, pool: Pool, node: Node) -> Iterator[Instruction]:
    node.start_run = world.next_number()
    world.runs[node.start_run] = Run("start task", key(pool.id), node.id, slots=0)
    yield RunStartTask(node.start_run, key(pool.id), node.id)


def start_task_ended(world: World, run_id: int, run: Run, outcome: Outcome) -> Iterator[Instruction]:
    """Note how the start task ended: try it again, let the node work, or give the node up."""
    node = world.node(run.pool, run.node)
    if node is None or node.start_run != run_id or node.start_task is None:
        return
    pool = world.pool(run.pool)
    info = node.start_task
    start_task = info.document
    exited_badly = outcome.exit_code not in (None, 0)
    limit = start_task.get("maxTaskRetryCount", 0)
    if exited_badly and (limit == -1 or info.retries < limit):
        info.retries += 1
        info.last_retry = world.now
        yield from _run_start_task(world, pool, node)
        return
    info.ended, info.exit_code, info.failure = outcome.ended, outcome.exit_code, outcome.failure
    info.container = outcome.container
    node.start_run = None
    if node.state is not NodeState.WAITING_FOR_START_TASK:
        return
    if outcome.failure is not None:
        world.move_node(node, NodeEvent.START_TASK_FAILED)
        return
    world.move_node(node, NodeEvent.START_TASK_SUCCEEDED)
    world.book(pool, node)


def slots_freed(world: World, run_id: int, run: Run) -> Iterator[Instruction]:
    """Give back the slots of a run whose process has really ended."""
    node = world.node(run.pool, run.node)
    if node is None:
        return
    node.runs.pop(run_id, None)
    pool = world.pool(run.pool)
    if not node.slots_taken and node.state is NodeState.RUNNING:
        world.move_node(node, NodeEvent.LAST_TASK_ENDED)
    world.book(pool, node)
    # The run may have kept others of its job from nodes that are free, by the job's limit of parallel tasks.
    world.unplaced[run.pool] = None
    if node.leaving and not node.runs:
        yield from _leave(world, pool, node)


def dismiss(world: World, pool: Pool, node: Node, disposal: Disposal) -> Iterator[Instruction]:
    """Tell a node to leave the pool; what becomes of its tasks is the caller's choice.

    With `taskcompletion` and `retaineddata` it leaves when its tasks have ended, else at once.
    """
    if node.leaving and node.state is NodeState.LEAVING_POOL:
        return
    node.leaving = True
    world.book(pool, node)
    waits = disposal in ("taskcompletion", "retaineddata")
    if waits and node.runs:
        return
    yield from end_runs(world, node, requeue=disposal != "terminate")
    yield from _leave(world, pool, node)


def end_runs(world: World, node: Node, *, requeue: bool, by_user: bool = True) -> Iterator[Instruction]:
    """End all that runs on a node, its start task too; tasks go back to their queues or are completed."""
    if node.start_run is not None:
        yield from tasks.kill(world, node.start_run)
        node.start_run = None
    yield from end_tasks(world, node, requeue=requeue, by_user=by_user)


def end_tasks(world: World, node: Node, *, requeue: bool, by_user: bool = True) -> Iterator[Instruction]:
    """End the tasks on a node: back to their queues, or completed."""
    for run_id in list(node.runs):
        run = world.runs[run_id]
        if run.kind == "task":
            yield from tasks.lose(world, run_id, run, keep=requeue, by_user=by_user)
        yield from tasks.kill(world, run_id)


def _leave(world: World, pool: Pool, node: Node) -> Iterator[Instruction]:
    if node.state is not NodeState.LEAVING_POOL:
        world.move_node(node, NodeEvent.LEAVE)
    yield After(world.delays.leaving, NodeGone(key(pool.id), node.id))


def gone(world: World, event: NodeGone) -> Iterator[Instruction]:
    """Forget a node that has left, once no process of it is alive."""
    node = world.node(event.pool, event.node)
    if node is None or node.runs:
        return
    pool = world.pool(event.pool)
    del pool.nodes[node.id]
    if node.id in world.account.stays:
        world.account.stays[node.id].leave(world.now)
    world.free[event.pool].set(node.id, None)
    yield RemoveNode(event.pool, node.id)
    world.touch_pool(pool)
