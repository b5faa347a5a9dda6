"""A pool that somebody else made: used as it is, never changed, never deleted."""

from __future__ import annotations

from collections.abc import Iterator

from azure.batch.models import BatchPool, BatchPoolState
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.patience import FIRST_CONTACT, patiently
from batch_tasks.pools.identity import identities
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.workload import Workload


def check_existing_pool(pool_id: str, workload: Workload, identity: str = "") -> list[str]:
    """What is to be said about using this pool, by this identity, in sentences.

    Raises:
        PoolUnusable: there is no such pool, or nothing of this workload would ever run on it.
    """
    try:
        pool = patiently(lambda: batch_client().get_pool(pool_id), patience=FIRST_CONTACT)
    except ResourceNotFoundError as error:
        raise PoolUnusable(
            f"There is no pool {pool_id} in the Batch account. Give the id of one that exists, or set the "
            "kind of pool to 'named' to have it made."
        ) from error
    if refusal := why_unfit(pool, workload, identity):
        raise PoolUnusable(refusal)
    return list(_differences(pool, workload))


def why_unfit(pool: BatchPool, workload: Workload, identity: str = "") -> str | None:
    """Why nothing of this workload would ever run on the pool; None when it would. Pure."""
    if pool.state == BatchPoolState.DELETING:
        return f"The pool {pool.id} is being deleted. Choose another."
    targets = (pool.target_dedicated_nodes or 0) + (pool.target_low_priority_nodes or 0)
    if not pool.enable_auto_scale and targets == 0:
        return (
            f"The pool {pool.id} has no nodes and does not scale itself: nothing would run. Resize it with "
            f"`az batch pool resize --pool-id {pool.id} --target-dedicated-nodes 1`."
        )
    machine = pool.virtual_machine_configuration
    if workload.container_image and not (machine and machine.container_configuration):
        return (
            f"The pool {pool.id} cannot run containers, but {workload.container_image} is to be run. Choose "
            "a pool with a container configuration."
        )
    return _without(pool, identity)


def _without(pool: BatchPool, identity: str) -> str | None:
    there = identities(pool)
    if not identity or identity.lower() in there:
        return None
    has = ", ".join(there) or "none"
    return (
        f"The pool {pool.id} does not have the identity {identity}; it has {has}. Make a pool that has it "
        "(kind 'named'), choose another, or leave the identity out: then nodes get signed URLs."
    )


def _differences(pool: BatchPool, workload: Workload) -> Iterator[str]:
    if workload.start_task and not pool.start_task:
        needed = workload.start_task.command[:200]
        yield (
            f"The pool {pool.id} has no start task, so what {workload.name} needs on a node must be there: "
            f"{needed}"
        )
