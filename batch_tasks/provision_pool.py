"""Provision the pool: one of four kinds, each with a formula that takes the nodes away if we cannot."""

from __future__ import annotations

from azure.batch.models import BatchPoolInfo

from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.auto import auto_pool
from batch_tasks.pools.checked import check_pool, check_size
from batch_tasks.pools.ephemeral import ensure_pool
from batch_tasks.pools.named import ensure_named_pool
from batch_tasks.pools.scaling import nodes_wanted
from batch_tasks.pools.specification import pool_options
from batch_tasks.stage import log, stage
from batch_tasks.unfinished import PoolUnusable


def pool_by_id(plan: RunPlan, pool: PoolOptions) -> BatchPoolInfo | None:
    """The run's pool by its id, which a job may name before there is such a pool (documented); None for a
    pool that Batch makes when it is given the job. Pure.
    """
    if pool.kind == "auto":
        return None
    return BatchPoolInfo(pool_id=pool.pool_id if pool.shared else plan.names.pool_id)


@stage("provision-pool", retries=0)
def provision_pool(plan: RunPlan, pool: PoolOptions) -> BatchPoolInfo:
    """Ask for the pool, unless an earlier try of this run has. Returns before any node is there.

    What it returns tells the job which pool is its own; of an auto pool, the job's creation makes it.

    Raises:
        ResourceBusy: a pool of the id is still being deleted after ten minutes.
        AccountError: the pool is to have an identity, and who is signed in may not make such a pool.
        PoolUnusable: Batch refuses to make such a pool, or nothing would run on the one that is there.
        RunClosing: the run ended meanwhile; nothing was made after that.
    """
    checked = check_pool(plan, pool)
    if problems := (*check_size(pool, plan.created.date()).problems, *checked.problems):
        raise PoolUnusable(" ".join(problems))
    if pool.kind == "existing":
        return BatchPoolInfo(pool_id=pool.pool_id)
    image = checked.image or plan.workload.image
    dedicated, spot = nodes_wanted(len(plan.tasks), pool)
    log().info("A pool (%s) of %d dedicated and %d Spot nodes is asked for", pool.kind, dedicated, spot)
    if pool.kind == "auto":
        return auto_pool(plan, pool, image)
    if pool.kind == "named":
        ensure_named_pool(plan, pool, image)
        return BatchPoolInfo(pool_id=pool.pool_id)
    ensure_pool(pool_options(plan, pool, image), pool.identity)
    return BatchPoolInfo(pool_id=plan.names.pool_id)
