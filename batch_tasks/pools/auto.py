"""A pool that Batch makes for the run's job and deletes with it, even if nobody is there to ask."""

from __future__ import annotations

from azure.batch.models import (
    BatchAutoPoolSpecification,
    BatchJob,
    BatchPoolInfo,
    BatchPoolLifetimeOption,
    BatchPoolSpecification,
)

from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.specification import contents
from batch_tasks.workload import Image

_LONGEST_PREFIX = 20  # characters (documented)


def has_auto_pool(job: BatchJob) -> bool:
    """Whether Batch made a pool for this job, read with its `poolInfo`."""
    return bool(job.pool_info and job.pool_info.auto_pool_specification)


def auto_pool(plan: RunPlan, pool: PoolOptions, image: Image | None = None) -> BatchPoolInfo:
    """What the job is told, to get a pool of its own. Pure."""
    return BatchPoolInfo(
        auto_pool_specification=BatchAutoPoolSpecification(
            auto_pool_id_prefix=plan.names.workload[:_LONGEST_PREFIX].rstrip("-"),
            pool_lifetime_option=BatchPoolLifetimeOption.JOB,
            keep_alive=False,
            pool=BatchPoolSpecification(**contents(plan, pool, image)),
        )
    )
