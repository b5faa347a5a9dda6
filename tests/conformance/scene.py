"""What many conformance tests begin with: a pool that is up, a job on it, a wait with an end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from azure.batch import models

from tests.conformance.conftest import Batch

PATIENCE = 30.0
"""Seconds after which a wait is a failure."""


def pool_options(pool_id: str, **more: Any) -> models.BatchPoolCreateOptions:
    """A small Linux pool."""
    image = models.BatchVmImageReference(publisher="Canonical", offer="ubuntu-24_04-lts", sku="server")
    machine = models.VirtualMachineConfiguration(
        image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04"
    )
    more.setdefault("target_dedicated_nodes", 1)
    return models.BatchPoolCreateOptions(
        id=pool_id, vm_size="STANDARD_D1_V2", virtual_machine_configuration=machine, **more
    )


@contextmanager
def pool(batch: Batch, pool_id: str, **more: Any) -> Iterator[str]:
    """A pool whose nodes are idle; deleted at the end."""
    batch.create_pool(pool_options(pool_id, **more))
    try:
        wanted = more.get("target_dedicated_nodes", 1)
        wait_for(lambda: [n.state for n in batch.list_nodes(pool_id)].count("idle") == wanted)
        yield pool_id
    finally:
        batch.begin_delete_pool(pool_id)


@contextmanager
def job(batch: Batch, job_id: str, pool_id: str, **more: Any) -> Iterator[str]:
    """A job on a pool; deleted at the end."""
    batch.create_job(
        models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id=pool_id), **more)
    )
    try:
        yield job_id
    finally:
        batch.begin_delete_job(job_id)


def completed(batch: Batch, job_id: str, task_id: str) -> models.BatchTask:
    """The task, once it is completed."""
    wait_for(lambda: batch.get_task(job_id, task_id).state == "completed")
    task: models.BatchTask = batch.get_task(job_id, task_id)
    return task


def wait_for(met: Callable[[], bool]) -> None:
    """Wait until something is so, for a bounded time."""
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
