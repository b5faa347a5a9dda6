"""A pool for one run alone: made by it and deleted by it."""

from __future__ import annotations

from azure.batch.models import BatchPool, BatchPoolCreateOptions

from batch_tasks.pools.creation import change_formula, make_or_meet


def ensure_pool(options: BatchPoolCreateOptions, identity: str = "") -> None:
    """Create the pool unless an earlier attempt of the run has. One of an earlier attempt gets this one's
    formula, so that its nodes come back and stay as long as this attempt may take.

    `identity` is the resource id of the identity that its nodes get, "" for none.

    Raises:
        ResourceBusy, PoolUnusable, AccountError, RunClosing: as `make_or_meet`.
    """

    def meet(pool: BatchPool) -> bool:
        change_formula(pool, options.auto_scale_formula or "")
        return True  # a formula so young that Batch takes no other yet says nearly what ours does

    make_or_meet(options, meet, identity)
