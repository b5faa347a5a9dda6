"""The rules of autoscale: when a formula is evaluated, on what, and what its targets lead to."""

from collections import deque
from collections.abc import Iterator
from typing import cast

from batch_emulator import autoscale, errors
from batch_emulator.autoscale import AutoScaleFormulaError, AutoScaleResult, Inputs, Sample
from batch_emulator.events import (
    AddPool,
    After,
    AutoScaleDue,
    DisableAutoScale,
    EnableAutoScale,
    Instruction,
    SampleDue,
)
from batch_emulator.lifecycle import AllocationState, NodeState, PoolState
from batch_emulator.resources import AutoScale, Disposal, Pool, key
from batch_emulator.scheduler import pools
from batch_emulator.scheduler.world import WORKING, World

KEPT_SAMPLES = 2880
"""A day of samples (the documented history)."""
ENABLE_PAUSE = 30.0
"""Seconds between two enablings of autoscale on one pool (documented)."""


def add_pool(world: World, event: AddPool) -> Iterator[Instruction]:
    """Take a new pool into the account; a formula is evaluated at once and gives its first targets."""
    pool = event.pool
    if pool.auto_scale is not None:
        _begin_with(world, pool, pool.auto_scale)
        dedicated, low_priority = pool.auto_scale.wanted
        pool.target_dedicated, pool.target_low_priority = dedicated or 0, low_priority or 0
    yield from pools.add(world, event)
    if pool.auto_scale is not None:
        yield from _begin(world, pool, pool.auto_scale)


def _begin(world: World, pool: Pool, auto_scale: AutoScale) -> Iterator[Instruction]:
    auto_scale.epoch = world.next_number()
    yield After(autoscale.SAMPLE_PERIOD, SampleDue(key(pool.id), auto_scale.epoch))
    yield After(auto_scale.interval, AutoScaleDue(key(pool.id), auto_scale.epoch))


def enable(world: World, event: EnableAutoScale) -> Iterator[Instruction]:
    """Give a pool a formula, or another one; it is evaluated at once."""
    pool = pools.usable(world, event.pool)
    before = pool.auto_scale
    if before is not None and world.now - before.enabled < ENABLE_PAUSE:
        raise errors.TooManyEnableAutoScaleRequests(retry_after=ENABLE_PAUSE)
    if before is None and pool.allocation is not AllocationState.STEADY:
        raise errors.PoolBeingResized
    new = event.auto_scale
    new.samples = before.samples if before is not None else new.samples
    _begin_with(world, pool, new)
    pool.auto_scale = new
    yield from _begin(world, pool, new)
    yield from _apply(world, pool, new)


def disable(world: World, event: DisableAutoScale) -> None:
    """Leave the pool at the size it has."""
    pools.usable(world, event.pool).auto_scale = None


def due(world: World, event: AutoScaleDue) -> Iterator[Instruction]:
    """Evaluate the formula again; what goes wrong is told in the pool, which stays as it is."""
    pool, auto_scale = _current(world, event.pool, event.epoch)
    if pool is None or auto_scale is None:
        return
    yield After(auto_scale.interval, event)
    _note(world, pool, auto_scale, _evaluated(world, pool, auto_scale))
    if auto_scale.error is None:
        yield from _apply(world, pool, auto_scale)


def _current(world: World, pool_key: str, epoch: int) -> tuple[Pool | None, AutoScale | None]:
    pool = world.account.pools.get(pool_key)
    if pool is None or pool.state is PoolState.DELETING or pool.auto_scale is None:
        return None, None
    return (pool, pool.auto_scale) if pool.auto_scale.epoch == epoch else (None, None)


def _begin_with(world: World, pool: Pool, auto_scale: AutoScale) -> None:
    """Evaluate a formula for the first time.

    Raises:
        AutoScalingFormulaSyntaxError, AutoScaleFormulaTooLong: it is no formula at all.
    """
    result = _evaluated(world, pool, auto_scale)
    if isinstance(result, AutoScaleFormulaError) and result.kind != "runtime":
        raise _refusal(result)
    auto_scale.enabled = world.now
    _note(world, pool, auto_scale, result)


def _note(
    world: World, pool: Pool, auto_scale: AutoScale, result: AutoScaleResult | AutoScaleFormulaError
) -> None:
    auto_scale.last_run = world.now
    if isinstance(result, AutoScaleFormulaError):
        auto_scale.error = (result.code, result.summary, str(result))
        auto_scale.results = autoscale.unchanged_results(_inputs(world, pool, auto_scale))
        return
    auto_scale.error, auto_scale.results = None, result.results
    auto_scale.wanted = (result.target_dedicated, result.target_low_priority)
    auto_scale.disposal = cast("Disposal", result.deallocation)


def try_out(world: World, pool: Pool, auto_scale: AutoScale, now: float) -> None:
    """Evaluate a formula at a time and note the result in it; the pool stays as it is.

    Even what is no formula at all is answered with an error in the result, not refused (asserted by the tests
    of the service's SDKs).
    """
    world.now = now
    _note(world, pool, auto_scale, _evaluated(world, pool, auto_scale))


def _evaluated(world: World, pool: Pool, auto_scale: AutoScale) -> AutoScaleResult | AutoScaleFormulaError:
    try:
        return autoscale.evaluate(autoscale.parse(auto_scale.formula), _inputs(world, pool, auto_scale))
    except AutoScaleFormulaError as error:
        return error


def _refusal(error: AutoScaleFormulaError) -> errors.BatchError:
    too_long = error.kind == "too_long"
    refused = errors.AutoScaleFormulaTooLong if too_long else errors.AutoScalingFormulaSyntaxError
    return refused(Reason=str(error))


def _inputs(world: World, pool: Pool, auto_scale: AutoScale) -> Inputs:
    return Inputs(
        now=world.now,
        samples={name: [Sample(*pair) for pair in pairs] for name, pairs in auto_scale.samples.items()},
        current_dedicated=pools.current(pool, is_dedicated=True),
        current_low_priority=sum(not node.dedicated for node in pool.nodes.values()),
        target_dedicated=pool.target_dedicated,
        target_low_priority=pool.target_low_priority,
        task_slots_per_node=pool.slots_per_node,
    )


def _apply(world: World, pool: Pool, auto_scale: AutoScale) -> Iterator[Instruction]:
    dedicated, low_priority = auto_scale.wanted
    wanted = (
        pool.target_dedicated if dedicated is None else dedicated,
        pool.target_low_priority if low_priority is None else low_priority,
    )
    # A pool that is still resizing gets the new targets at the next evaluation (assumed).
    if pool.allocation is not AllocationState.STEADY:
        return
    if wanted != (pool.target_dedicated, pool.target_low_priority):
        yield from pools.set_targets(
            world, pool, *wanted, timeout=pool.resize_timeout, disposal=auto_scale.disposal
        )


def sample(world: World, event: SampleDue) -> Iterator[Instruction]:
    """Take the values that a formula can ask for."""
    pool, auto_scale = _current(world, event.pool, event.epoch)
    if pool is None or auto_scale is None:
        return
    for name, value in _metrics(world, pool).items():
        kept = auto_scale.samples.setdefault(name, deque(maxlen=KEPT_SAMPLES))
        kept.append((world.now, float(value)))
    yield After(autoscale.SAMPLE_PERIOD, event)


def _metrics(world: World, pool: Pool) -> dict[str, float]:
    tallies = [job.tally.tasks for job in world.jobs_of_pool.get(key(pool.id), ())]
    # Tasks that wait for others do not count as active (documented); ready are those that wait for slots.
    active = sum(len(world.ready[key(job.id)]) for job in world.jobs_of_pool.get(key(pool.id), ()))
    running = sum(tally["running"] + tally["preparing"] for tally in tallies)
    nodes = list(pool.nodes.values())
    usable = [node for node in nodes if node.state in WORKING]
    # Nobody looks at the processors of a machine that several nodes share: a node is as busy as its slots.
    busy = sum(node.slots_taken for node in usable)
    slots = pool.slots_per_node * len(usable)
    return {
        "$ActiveTasks": active,
        "$RunningTasks": running,
        "$PendingTasks": active + running,
        "$SucceededTasks": sum(tally["succeeded"] for tally in tallies),
        "$FailedTasks": sum(tally["failed"] for tally in tallies),
        "$CurrentDedicatedNodes": pools.current(pool, is_dedicated=True),
        "$CurrentLowPriorityNodes": pools.current(pool, is_dedicated=False),
        "$PreemptedNodeCount": sum(node.state is NodeState.PREEMPTED for node in nodes),
        "$UsableNodeCount": len(usable),
        "$SampleNodeCount": len(usable),
        "$CPUPercent": 100.0 * busy / slots if slots else 0.0,
    }
