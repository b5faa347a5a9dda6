"""A pool with a name, which runs share and none deletes: made if absent, grown if too small, zero when idle.

What its nodes are is written into its metadata as a hash, so that two runs never work on each other's
settings.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from azure.batch.models import BatchPool, BatchPoolCreateOptions, BatchPoolState
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.naming import OWNER, TIMESTAMP
from batch_tasks.options import PoolOptions
from batch_tasks.owned_resources import metadata_of
from batch_tasks.patience import FIRST_CONTACT, patient_list, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.pools.creation import change_formula, make_or_meet
from batch_tasks.pools.identity import identities
from batch_tasks.pools.scaling import Scaling, scaling
from batch_tasks.pools.specification import contents, metadata_items, node_settings
from batch_tasks.unfinished import PoolUnusable
from batch_tasks.workload import Image

SETTINGS = "settings"
"""The metadata item with the hash."""


def named_pool_options(plan: RunPlan, pool: PoolOptions, image: Image) -> BatchPoolCreateOptions:
    """The pool as we ask Batch for it when it is not there. It names no run and never expires. Pure."""
    metadata = {
        "owner": OWNER,
        "created": f"{plan.created:{TIMESTAMP}}",
        SETTINGS: settings_hash(plan, pool, image),
    }
    return BatchPoolCreateOptions(
        id=pool.pool_id, **{**contents(plan, pool, image), "metadata": metadata_items(metadata)}
    )


def settings_hash(plan: RunPlan, pool: PoolOptions, image: Image) -> str:
    """Stands for what the nodes are; not for how many they are, which runs may change."""
    settings = BatchPoolCreateOptions(id="", **node_settings(plan.workload, pool, image)).as_dict()
    if pool.identity:
        settings["identity"] = pool.identity.lower()
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def ensure_named_pool(plan: RunPlan, pool: PoolOptions, image: Image) -> None:
    """Make the pool, or grow the one that is there to what this run wants.

    Raises:
        PoolUnusable: the pool is not ours, or of other settings; the text names them.
        ResourceBusy, AccountError, RunClosing: as `make_or_meet`.
    """
    options = named_pool_options(plan, pool, image)
    wanted = scaling(len(plan.tasks), pool, plan.created, plan.expires)

    def meet(there: BatchPool) -> bool:
        if refusal := why_not_shared(there, options, pool.identity):
            raise PoolUnusable(refusal)
        working = has_active_jobs(pool.pool_id, but=plan.names.job_id)
        return change_formula(there, grown(there, wanted, datetime.now(UTC), working=working).formula())

    make_or_meet(options, meet, pool.identity)


def named_pool_there(plan: RunPlan, pool: PoolOptions, image: Image) -> bool:
    """Whether the pool is there already, for this run to share. One that is being deleted is not.

    Raises:
        PoolUnusable: as `ensure_named_pool`, without making or changing anything.
    """
    try:
        there = patiently(lambda: batch_client().get_pool(pool.pool_id), patience=FIRST_CONTACT)
    except ResourceNotFoundError:
        return False
    if there.state == BatchPoolState.DELETING:
        return False
    if refusal := why_not_shared(there, named_pool_options(plan, pool, image), pool.identity):
        raise PoolUnusable(refusal)
    return True


def grown(there: BatchPool, wanted: Scaling, now: datetime, *, working: bool) -> Scaling:
    """What a pool is to be that others may be using: never less than they asked for while they may need it.
    Pure.

    They may while the pool has nodes or is to have some, in the first minutes of their run, and until their
    deadline where another run's job is active (`working`), though nothing may be pending in it yet.
    """
    theirs = Scaling.parse(there.auto_scale_formula or "")
    nodes = (
        there.current_dedicated_nodes,
        there.current_low_priority_nodes,
        there.target_dedicated_nodes,
        there.target_low_priority_nodes,
    )
    if theirs is None or not (any(nodes) or now < theirs.startup or (working and now < theirs.deadline)):
        return wanted
    return wanted.with_room_for(theirs)


def has_active_jobs(pool_id: str, *, but: str) -> bool:
    """Whether any job but one of this id may still bring tasks to the pool."""
    active = f"state eq 'active' and executionInfo/poolId eq '{pool_id}'"
    jobs = patient_list(lambda: batch_client().list_jobs(filter=active, select=["id"]))
    return any(job.id.lower() != but.lower() for job in jobs)


def why_not_shared(there: BatchPool, options: BatchPoolCreateOptions, identity: str = "") -> str | None:
    """Why a run must keep off the pool that has its name; None when it may share it. Pure."""
    metadata, ours = metadata_of(there), {item.name: item.value for item in options.metadata or ()}
    if metadata.get("owner") != OWNER or SETTINGS not in metadata:
        return (
            f"A pool {there.id} exists that was not made as a named pool here. Choose another pool id, or "
            "set the kind of pool to 'existing' to use it as it is."
        )
    if metadata[SETTINGS] == ours[SETTINGS]:
        return None
    differing = "; ".join(
        f"{what} is {theirs or 'none'}, not {mine or 'none'}"
        for (what, theirs), (_, mine) in zip(
            _told(there, ", ".join(identities(there))), _told(options, identity.lower()), strict=True
        )
        if theirs != mine
    )
    return (
        f"The pool {there.id} was made with other settings: {differing or 'nodes are prepared differently'}. "
        "Choose another pool id, or delete that pool when nobody uses it."
    )


def _told(pool: BatchPool | BatchPoolCreateOptions, identity: str) -> list[tuple[str, str]]:
    machine = pool.virtual_machine_configuration
    image = machine.image_reference if machine else None
    containers = machine.container_configuration if machine else None
    return [
        ("the VM size", (pool.vm_size or "").lower()),
        ("the image", " ".join(filter(None, (image.publisher, image.offer, image.sku))) if image else ""),
        ("the number of tasks at once per node", str(pool.task_slots_per_node or 1)),
        ("the container image", ", ".join((containers and containers.container_image_names) or ())),
        ("the identity", identity),
        ("the start task", pool.start_task.command_line[:200] if pool.start_task else ""),
    ]
