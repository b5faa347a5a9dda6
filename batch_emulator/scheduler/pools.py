"""The rules of pools: how they grow, shrink and go."""

from collections.abc import Iterator
from itertools import count, islice

from batch_emulator import errors, ledger
from batch_emulator.events import (
    AddPool,
    After,
    AllocationDone,
    DeletePool,
    Instruction,
    NodeStep,
    PoolGone,
    RemoveNodes,
    ResizePool,
    ResizeTimedOut,
    StopResize,
)
from batch_emulator.lifecycle import (
    POOL,
    AllocationEvent,
    AllocationState,
    NodeState,
    PoolEvent,
    PoolState,
    after,
)
from batch_emulator.node_events import FailResize, UpdatePool
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Disposal, Node, Pool, key
from batch_emulator.scheduler import nodes, quotas
from batch_emulator.scheduler.books import FreeSlots
from batch_emulator.scheduler.world import World

RESIZE_STOPPED = Failure("UserError", "ResizeStopped", "Resize of the pool was stopped")
TIMED_OUT = Failure(
    "UserError",
    "AllocationTimedout",
    "Desired number of dedicated nodes could not be allocated as the resize timeout was reached",
)

_INSTANT = 1e-3
"""Seconds by which a timer may come early: times are floating."""


def add(world: World, event: AddPool) -> Iterator[Instruction]:
    """Take a new pool into the account and begin to allocate its nodes.

    The service answers `resizing` right after the creation, with no nodes yet (seen in recorded traffic).
    """
    pool = event.pool
    existing = world.account.pools.get(key(pool.id))
    if existing is not None:
        raise errors.PoolBeingDeleted if existing.state is PoolState.DELETING else errors.PoolExists
    quotas.check_pools(world)
    pool.serial = world.next_number()
    pool.state_since = world.now
    world.account.pools[key(pool.id)] = pool
    world.free[key(pool.id)] = FreeSlots(pool.fill)
    yield from begin_resize(world, pool)


def begin_resize(world: World, pool: Pool) -> Iterator[Instruction]:
    """Set a steady pool to resizing, with its two timers."""
    world.move_allocation(pool, AllocationEvent.RESIZE)
    pool.resize_errors = []
    pool.resize_epoch = world.next_number()
    pool_key = key(pool.id)
    # Without nodes there is nothing to wait for: such a pool is steady within its next few requests (the
    # official SDK's tests ask for it).
    empty = not (pool.nodes or pool.target_dedicated or pool.target_low_priority)
    seconds = 0.0 if empty else world.delays.allocation
    yield After(seconds, AllocationDone(pool_key, pool.resize_epoch))
    yield After(pool.resize_timeout, ResizeTimedOut(pool_key, pool.resize_epoch))


def usable(world: World, pool_key: str) -> Pool:
    """The pool, unless it does not exist or is being deleted."""
    pool = world.pool(pool_key)
    if pool.state is PoolState.DELETING:
        raise errors.PoolBeingDeleted
    return pool


def resize(world: World, event: ResizePool) -> Iterator[Instruction]:
    """Set new targets; only a steady pool without autoscale can be resized (documented)."""
    pool = usable(world, event.pool)
    if pool.auto_scale is not None:
        raise errors.OperationNotValidOnPool(Reason="The pool has autoscale enabled; disable it first.")
    yield from set_targets(
        world, pool, event.dedicated, event.low_priority, timeout=event.timeout, disposal=event.disposal
    )


def set_targets(
    world: World,
    pool: Pool,
    dedicated: int | None,
    low_priority: int | None,
    *,
    timeout: float,
    disposal: Disposal,
) -> Iterator[Instruction]:
    """Begin a resize to these targets; superfluous nodes are told to leave at once."""
    if pool.allocation is not AllocationState.STEADY:
        raise errors.PoolBeingResized
    if dedicated is not None:
        pool.target_dedicated = dedicated
    if low_priority is not None:
        pool.target_low_priority = low_priority
    pool.resize_timeout = timeout
    yield from begin_resize(world, pool)
    for is_dedicated, target in targets(pool):
        staying = [
            node for node in pool.nodes.values() if node.dedicated is is_dedicated and not node.leaving
        ]
        for node in _first_to_go(staying, len(staying) - target):
            yield from nodes.dismiss(world, pool, node, disposal)


def targets(pool: Pool) -> tuple[tuple[bool, int], tuple[bool, int]]:
    """The wanted numbers of dedicated and of low-priority nodes."""
    return (True, pool.target_dedicated), (False, pool.target_low_priority)


def _first_to_go(staying: list[Node], surplus: int) -> Iterator[Node]:
    # The service does not say which nodes it takes first; those without work are the least loss (assumed).
    by_load = sorted(staying, key=lambda node: (node.slots_taken > 0, node.slots_taken))
    return islice(by_load, max(surplus, 0))


def remove_nodes(world: World, event: RemoveNodes) -> Iterator[Instruction]:
    """Remove certain nodes and lower the targets by them."""
    pool = usable(world, event.pool)
    if pool.allocation is not AllocationState.STEADY:
        raise errors.PoolBeingResized
    missing = [node_id for node_id in event.nodes if node_id not in pool.nodes]
    if missing:
        raise errors.NodeNotFound(NodeId=missing[0])
    chosen = [pool.nodes[node_id] for node_id in dict.fromkeys(event.nodes)]
    pool.target_dedicated -= sum(node.dedicated for node in chosen)
    pool.target_low_priority -= sum(not node.dedicated for node in chosen)
    pool.resize_timeout = event.timeout
    yield from begin_resize(world, pool)
    for node in chosen:
        yield from nodes.dismiss(world, pool, node, event.disposal)


def allocated(world: World, event: AllocationDone) -> Iterator[Instruction]:
    """Let the missing nodes appear, creating; with too few cores for all, the resize ends with an error."""
    pool = world.account.pools.get(event.pool)
    if pool is None or pool.resize_epoch != event.epoch:
        return
    taken = {node.place for node in pool.nodes.values()}
    places = (place for place in count() if place not in taken)
    failures = []
    for is_dedicated, target in targets(pool):
        have = sum(node.dedicated is is_dedicated for node in pool.nodes.values() if not node.leaving)
        granted, failure = quotas.grant(world, pool, target - have, is_dedicated=is_dedicated)
        failures += [failure] if failure is not None else []
        for _ in range(granted):
            node = _new_node(world, pool, next(places), is_dedicated=is_dedicated)
            pool.nodes[node.id] = node
            yield After(world.delays.creating, NodeStep(event.pool, node.id, node.state_since))
    if failures and pool.allocation is AllocationState.RESIZING:
        _fail(world, pool, failures)
    world.touch_pool(pool)


def _fail(world: World, pool: Pool, failures: list[Failure]) -> None:
    world.move_allocation(pool, AllocationEvent.FAILED)
    pool.resize_epoch = world.next_number()
    pool.resize_errors += failures


def fail_resize(world: World, event: FailResize) -> None:
    """End a resize that is under way with an error; the pool keeps the nodes that it has."""
    pool = usable(world, event.pool)
    if pool.allocation is not AllocationState.RESIZING:
        raise errors.OperationInvalidForCurrentState(Reason="The pool is not being resized.")
    _fail(world, pool, [event.error])


def _new_node(world: World, pool: Pool, place: int, *, is_dedicated: bool) -> Node:
    number = world.next_number()
    node_id = world.new_node_id(is_dedicated)
    world.account.stays[node_id] = ledger.begin(
        pool.id, node_id, dedicated=is_dedicated, vm_size=pool.document["vmSize"], now=world.now
    )
    return Node(
        id=node_id,
        place=place,
        pool_id=pool.id,
        dedicated=is_dedicated,
        allocated=world.now,
        state_since=world.now,
        serial=number,
        imaged=world.now,
        ip_address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
    )


def settle(world: World, pool: Pool) -> Iterator[Instruction]:
    """Derive what follows from the number of nodes: a steady pool, or the end of a deleted one."""
    if pool.state is PoolState.DELETING:
        if not pool.nodes:
            yield After(world.delays.deleting_pool, PoolGone(key(pool.id), pool.serial))
        return
    if pool.allocation is AllocationState.STEADY or any(node.leaving for node in pool.nodes.values()):
        return
    if pool.allocation is AllocationState.STOPPING:
        if world.now + _INSTANT >= pool.allocation_since + world.delays.stopping:
            world.move_allocation(pool, AllocationEvent.STOPPED)
        return
    have = (current(pool, is_dedicated=True), current(pool, is_dedicated=False))
    if have == (pool.target_dedicated, pool.target_low_priority):
        world.move_allocation(pool, AllocationEvent.REACHED)


def current(pool: Pool, *, is_dedicated: bool) -> int:
    """How many nodes of a kind the pool has; preempted ones are not there any more (documented)."""
    return sum(
        node.dedicated is is_dedicated and node.state is not NodeState.PREEMPTED
        for node in pool.nodes.values()
    )


def timed_out(world: World, event: ResizeTimedOut) -> None:
    """End a resize that took too long: steady, with an error that says so."""
    pool = world.account.pools.get(event.pool)
    if pool is None or pool.resize_epoch != event.epoch or pool.allocation is AllocationState.STEADY:
        return
    if pool.state is PoolState.DELETING:
        return
    if pool.allocation is AllocationState.RESIZING:
        world.move_allocation(pool, AllocationEvent.TIMED_OUT)
    else:
        world.move_allocation(pool, AllocationEvent.STOPPED)
    pool.resize_errors.append(TIMED_OUT)


def stop_resize(world: World, event: StopResize) -> Iterator[Instruction]:
    """Stop a resize where it is: the targets become what is there."""
    pool = usable(world, event.pool)
    if pool.allocation is not AllocationState.RESIZING:
        raise errors.OperationInvalidForCurrentState(Reason="The pool is not being resized.")
    world.move_allocation(pool, AllocationEvent.STOP)
    pool.resize_errors.append(RESIZE_STOPPED)
    pool.resize_epoch = world.next_number()
    pool.target_dedicated = current(pool, is_dedicated=True)
    pool.target_low_priority = current(pool, is_dedicated=False)
    yield After(world.delays.stopping, AllocationDone(event.pool, pool.resize_epoch))


CHANGEABLE = frozenset({"startTask", "applicationPackageReferences", "metadata"})
"""What can be changed of a pool with nodes (documented)."""


def update(world: World, event: UpdatePool) -> None:
    """Change a pool; most of it only while it has no nodes (documented, the error is assumed)."""
    pool = usable(world, event.pool)
    fixed = sorted(event.changed - CHANGEABLE)
    if fixed and pool.nodes:
        raise errors.OperationNotValidOnPool(
            Reason=f"{', '.join(fixed)} can be changed only while the pool has no nodes."
        )
    pool.document, pool.slots_per_node = event.new.document, event.new.slots_per_node
    if event.new.fill != pool.fill:
        pool.fill = event.new.fill
        world.free[event.pool] = FreeSlots(pool.fill)
    pool.modified, pool.etag = event.new.modified, event.new.etag


def delete(world: World, event: DeletePool) -> Iterator[Instruction]:
    """Shrink the pool to nothing; running tasks go back to their queues (documented)."""
    pool = usable(world, event.pool)
    pool.state = after(POOL, pool.state, PoolEvent.DELETE)
    pool.state_since = world.now
    pool.target_dedicated = pool.target_low_priority = 0
    pool.resize_epoch = world.next_number()
    if pool.allocation is AllocationState.STEADY and pool.nodes:
        world.move_allocation(pool, AllocationEvent.RESIZE)
    for node in list(pool.nodes.values()):
        yield from nodes.dismiss(world, pool, node, "requeue")
    world.touch_pool(pool)


def gone(world: World, event: PoolGone) -> None:
    """Forget a deleted pool."""
    pool = world.account.pools.get(event.pool)
    if pool is not None and pool.serial == event.serial:
        del world.account.pools[event.pool]
        del world.free[event.pool]
