"""The rules of a node's upkeep: restarted, set aside, given users, lost and found again."""

from collections.abc import Iterator

from batch_emulator import errors
from batch_emulator.events import After, Instruction, NodeStep, RemoveNode
from batch_emulator.lifecycle import NODE, InvalidTransition, NodeEvent, NodeState, after
from batch_emulator.node_events import (
    AddNodeUser,
    BreakNode,
    DeleteNodeUser,
    DisableScheduling,
    EnableScheduling,
    LoseContact,
    PreemptNode,
    RegainContact,
    ReplaceNodeUser,
    RestartNode,
    RestoreNode,
    StartNode,
    UpgradeNode,
    UploadLogs,
    UploadNodeLogs,
)
from batch_emulator.resources import Node, NodeUser, Pool, key
from batch_emulator.scheduler import nodes, pools
from batch_emulator.scheduler.world import WORKING, Run, World

RESTORED_WITHIN = 48 * 3600.0
"""Seconds after which the service gives up on a preempted node (documented)."""

_BUSY: dict[NodeState, type[errors.BatchError]] = {
    NodeState.CREATING: errors.NodeBeingCreated,
    NodeState.STARTING: errors.NodeBeingStarted,
    NodeState.WAITING_FOR_START_TASK: errors.NodeBeingStarted,
    NodeState.REBOOTING: errors.NodeBeingRebooted,
    NodeState.UPGRADING_OS: errors.NodeBeingRebooted,
    NodeState.REIMAGING: errors.NodeBeingReimaged,
    NodeState.UNUSABLE: errors.NodeStateUnusable,
}
"""What a node says in a state in which it cannot do what it is asked (the codes are documented)."""

OUT_OF_REACH = frozenset(
    {
        NodeState.CREATING,
        NodeState.STARTING,
        NodeState.PREEMPTED,
        NodeState.UNUSABLE,
        NodeState.UNKNOWN,
        NodeState.REBOOTING,
        NodeState.REIMAGING,
        NodeState.UPGRADING_OS,
        NodeState.DEALLOCATING,
        NodeState.DEALLOCATED,
        NodeState.LEAVING_POOL,
    }
)
"""States in which a node gives out nothing."""

_RESTARTING = frozenset(
    {NodeState.REBOOTING, NodeState.REIMAGING, NodeState.DEALLOCATING, NodeState.UPGRADING_OS}
)


def present(world: World, pool_key: str, node_id: str) -> tuple[Pool, Node]:
    """A node of a pool that is not being deleted.

    Raises:
        PoolNotFound, PoolBeingDeleted, NodeNotFound: there is none.
    """
    pool = pools.usable(world, pool_key)
    if node_id not in pool.nodes:
        raise errors.NodeNotFound
    return pool, pool.nodes[node_id]


def _refuse_unless(node: Node, event: NodeEvent) -> None:
    try:
        after(NODE, node.state, event)
    except InvalidTransition as error:
        refusal = _BUSY.get(node.state, errors.OperationInvalidForCurrentState)
        raise refusal(Reason=f"The node is {node.state.value}.") from error


def restart(world: World, event: RestartNode) -> Iterator[Instruction]:
    """Reboot, reimage or deallocate a node, at once or when its tasks have ended."""
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, event.how)
    if event.disposal in ("taskcompletion", "retaineddata") and node.runs:
        node.restart = event.how
        world.book(pool, node)
        return
    yield from _go_down(world, pool, node, event.how, requeue=event.disposal != "terminate")


def upgrade(world: World, event: UpgradeNode) -> Iterator[Instruction]:
    """Upgrade the operating system of a node; its tasks go back to their queues (assumed)."""
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, NodeEvent.UPGRADE_OS)
    yield from _go_down(world, pool, node, NodeEvent.UPGRADE_OS, requeue=True, by_user=False)


def _go_down(
    world: World, pool: Pool, node: Node, how: NodeEvent, *, requeue: bool, by_user: bool = True
) -> Iterator[Instruction]:
    yield from nodes.end_runs(world, node, requeue=requeue, by_user=by_user)
    world.move_node(node, how)
    node.restart = None
    node.errors.clear()
    world.book(pool, node)
    if how in (NodeEvent.REIMAGE, NodeEvent.DEALLOCATE):
        yield from _wipe(world, pool, node)
    if not node.runs:
        yield from _come_up(world, pool, node)


def _wipe(world: World, pool: Pool, node: Node) -> Iterator[Instruction]:
    node.imaged = world.now
    node.users.clear()
    yield RemoveNode(key(pool.id), node.id)


def _come_up(world: World, pool: Pool, node: Node) -> Iterator[Instruction]:
    yield After(world.delays.restarting, NodeStep(key(pool.id), node.id, node.state_since))


def drained(world: World, run: Run) -> Iterator[Instruction]:
    """Let a node go on with what only waited for its last process to end."""
    node = world.node(run.pool, run.node)
    if node is None or node.runs or node.leaving:
        return
    pool = world.pool(run.pool)
    if node.restart is not None:
        yield from _go_down(world, pool, node, node.restart, requeue=True)
    elif node.state in _RESTARTING:
        yield from _come_up(world, pool, node)
    elif node.state is NodeState.STARTING:
        due = node.state_since + world.delays.starting
        yield After(max(due - world.now, 0.0), NodeStep(run.pool, node.id, node.state_since))


def start(world: World, event: StartNode) -> Iterator[Instruction]:
    """Start a deallocated node."""
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, NodeEvent.START)
    world.move_node(node, NodeEvent.START)
    yield After(world.delays.starting, NodeStep(key(pool.id), node.id, node.state_since))


def disable_scheduling(world: World, event: DisableScheduling) -> Iterator[Instruction]:
    """Let a node take no more tasks; it is offline when it runs none any more (documented)."""
    pool, node = present(world, event.pool, event.node)
    if not node.scheduling_enabled:
        raise errors.NodeAlreadyInTargetSchedulingState
    node.scheduling_enabled = False
    if event.disposal != "taskcompletion":
        yield from nodes.end_tasks(world, node, requeue=event.disposal == "requeue")
    world.book(pool, node)


def enable_scheduling(world: World, event: EnableScheduling) -> None:
    """Let a node take tasks again."""
    pool, node = present(world, event.pool, event.node)
    if node.scheduling_enabled:
        raise errors.NodeAlreadyInTargetSchedulingState
    node.scheduling_enabled = True
    if node.state is NodeState.OFFLINE:
        world.move_node(node, NodeEvent.SCHEDULING_ENABLED)
    world.book(pool, node)


def _with_users(world: World, pool_key: str, node_id: str) -> Node:
    """A node whose user accounts can be changed: an idle or running one (documented)."""
    _, node = present(world, pool_key, node_id)
    if node.state not in WORKING:
        raise _BUSY.get(node.state, errors.NodeNotReady)
    return node


def _forget_expired(world: World, node: Node) -> None:
    for user in [user for user in node.users.values() if user.expires <= world.now]:
        del node.users[user.name]


def add_user(world: World, event: AddNodeUser) -> None:
    """Add a user account to a node."""
    node = _with_users(world, event.pool, event.node)
    _forget_expired(world, node)
    if event.user.name in node.users:
        raise errors.NodeUserExists
    node.users[event.user.name] = event.user


def replace_user(world: World, event: ReplaceNodeUser) -> None:
    """Change a user account; an administrator stays one."""
    node = _with_users(world, event.pool, event.node)
    _forget_expired(world, node)
    if event.name not in node.users:
        raise errors.NodeUserNotFound
    node.users[event.name] = NodeUser(event.name, node.users[event.name].is_admin, event.expires)


def delete_user(world: World, event: DeleteNodeUser) -> None:
    """Remove a user account from a node."""
    node = _with_users(world, event.pool, event.node)
    _forget_expired(world, node)
    if node.users.pop(event.name, None) is None:
        raise errors.NodeUserNotFound


def upload_logs(world: World, event: UploadLogs) -> Iterator[Instruction]:
    """Let a node store its log files; one that is not up cannot (assumed)."""
    _, node = present(world, event.pool, event.node)
    if node.state in OUT_OF_REACH:
        raise _BUSY.get(node.state, errors.NodeNotReady)
    yield UploadNodeLogs(event.pool, event.node, event.container_url, event.directory, event.begin, event.end)


def preempt(world: World, event: PreemptNode) -> Iterator[Instruction]:
    """Take a Spot node away with everything on it; it stays listed under its id (documented)."""
    pool, node = present(world, event.pool, event.node)
    if node.dedicated:
        raise errors.OperationNotValidOnNode(Reason="Dedicated nodes are not preempted.")
    _refuse_unless(node, NodeEvent.PREEMPT)
    yield from nodes.end_runs(world, node, requeue=True, by_user=False)
    world.move_node(node, NodeEvent.PREEMPT)
    node.start_task = node.booted = node.restart = None
    node.errors.clear()
    world.book(pool, node)
    yield from _wipe(world, pool, node)
    if event.restore_after is not None and event.restore_after <= RESTORED_WITHIN:
        yield After(event.restore_after, RestoreNode(event.pool, event.node, world.now))
    world.touch_pool(pool)


def restore(world: World, event: RestoreNode) -> Iterator[Instruction]:
    """Bring a preempted node up anew, or an unusable one back; a late timer finds nothing to do."""
    if event.since is not None:
        found = world.node(event.pool, event.node)
        if found is None or found.leaving or found.state_since != event.since:
            return
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, NodeEvent.RESTORED)
    node.errors.clear()
    created = world.move_node(node, NodeEvent.RESTORED) is NodeState.CREATING
    seconds = world.delays.creating if created else world.delays.starting
    yield After(seconds, NodeStep(key(pool.id), node.id, node.state_since))
    world.touch_pool(pool)


def break_down(world: World, event: BreakNode) -> Iterator[Instruction]:
    """Make a node unusable; its tasks go back to their queues (documented for a full disk)."""
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, NodeEvent.BROKEN)
    yield from nodes.end_runs(world, node, requeue=True, by_user=False)
    world.move_node(node, NodeEvent.BROKEN)
    node.restart = None
    node.errors = [event.error] if event.error is not None else []
    world.book(pool, node)


def lose_contact(world: World, event: LoseContact) -> None:
    """Know nothing of a node for a while: it takes no tasks, those it runs go on unseen (assumed)."""
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, NodeEvent.CONTACT_LOST)
    world.move_node(node, NodeEvent.CONTACT_LOST)
    world.book(pool, node)


def regain_contact(world: World, event: RegainContact) -> None:
    """Find a node again as it is by now."""
    pool, node = present(world, event.pool, event.node)
    _refuse_unless(node, NodeEvent.CONTACT_REGAINED)
    world.move_node(node, NodeEvent.CONTACT_REGAINED)
    if node.slots_taken:
        world.move_node(node, NodeEvent.TASK_STARTED)
    world.book(pool, node)
