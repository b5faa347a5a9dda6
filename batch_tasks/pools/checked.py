"""Whether nodes can be had as a run asks for them. Pre-flight and the pool's own stage both ask here, so that
what the one lets through the other does not refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools import vm_size
from batch_tasks.pools.existing import check_existing_pool
from batch_tasks.pools.images import image_for
from batch_tasks.pools.named import named_pool_there
from batch_tasks.pools.retirement import near_end, retired
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.workload import Image


@dataclass(frozen=True)
class Checked:
    """Sentences: problems refuse the run, notes do not. `image` is what nodes of a pool of ours get; `there`
    says that the pool exists already.
    """

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    image: Image | None = None
    there: bool = False


def check_size(pool: PoolOptions, today: date) -> Checked:
    """The VM size and the tasks at once on it; of an existing pool its owner decided. Pure."""
    if pool.kind == "existing":
        return Checked()
    problems = vm_size.problems(pool.vm_size, pool.task_slots_per_node)
    return Checked((*problems, *retired(pool.vm_size, today)), tuple(near_end(pool.vm_size, today)))


def check_pool(plan: RunPlan, pool: PoolOptions) -> Checked:
    """The image, and the pool where it is there already. Asks Batch, changes nothing.

    Raises:
        AzureError: Batch cannot be reached or refuses.
    """
    try:
        if pool.kind == "existing":
            return Checked(
                notes=tuple(check_existing_pool(pool.pool_id, plan.workload, pool.identity)), there=True
            )
        resolved = image_for(plan.workload, pool.vm_size, plan.created)
        there = pool.kind == "named" and named_pool_there(plan, pool, resolved.image)
        return Checked(notes=resolved.warnings, image=resolved.image, there=there)
    except PoolUnusable as error:
        return Checked((str(error),))
