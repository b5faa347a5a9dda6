"""What every pool of ours has in it, whichever kind it is: nodes, image, start task, formula, metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.batch.models import (
    AutoUserScope,
    AutoUserSpecification,
    BatchContainerConfiguration,
    BatchMetadataItem,
    BatchPoolCreateOptions,
    BatchStartTask,
    BatchVmImageReference,
    ContainerType,
    ElevationLevel,
    UserIdentity,
    VirtualMachineConfiguration,
)

from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.scaling import EVALUATION, scaling
from batch_tasks.registry import registry_by_identity
from batch_tasks.templates import shell_command
from batch_tasks.workload import Image, StartTask, Workload


def pool_options(plan: RunPlan, pool: PoolOptions, image: Image | None = None) -> BatchPoolCreateOptions:
    """The pool of this run alone, as we ask Batch for it. Pure: times come from the plan."""
    return BatchPoolCreateOptions(id=plan.names.pool_id, **contents(plan, pool, image))


def contents(plan: RunPlan, pool: PoolOptions, image: Image | None = None) -> dict[str, Any]:
    """All of a pool but its id, by the SDK's names: of a pool made by us, or by Batch for a job."""
    wanted = scaling(len(plan.tasks), pool, plan.created, plan.expires)
    return {
        **node_settings(plan.workload, pool, image or plan.workload.image),
        "enable_auto_scale": True,
        "auto_scale_formula": wanted.formula(),
        "auto_scale_evaluation_interval": EVALUATION,
        "metadata": metadata_items(plan.metadata),
    }


def node_settings(workload: Workload, pool: PoolOptions, image: Image) -> dict[str, Any]:
    """What a node is: two runs that share a pool must agree on all of it."""
    return {
        "vm_size": pool.vm_size,
        "virtual_machine_configuration": VirtualMachineConfiguration(
            image_reference=BatchVmImageReference(
                publisher=image.publisher, offer=image.offer, sku=image.sku, version="latest"
            ),
            node_agent_sku_id=image.node_agent,
            container_configuration=_container_configuration(workload, pool.identity),
        ),
        "task_slots_per_node": pool.task_slots_per_node,
        "start_task": _start_task(workload.start_task),
    }


def metadata_items(metadata: Mapping[str, str]) -> list[BatchMetadataItem]:
    """Metadata as Batch takes it."""
    return [BatchMetadataItem(name=name, value=value) for name, value in metadata.items()]


def _container_configuration(workload: Workload, identity: str) -> BatchContainerConfiguration | None:
    """Nodes fetch the image before their first task."""
    if not workload.container_image:
        return None
    registry = registry_by_identity(workload.container_image, identity)
    return BatchContainerConfiguration(
        type=ContainerType.DOCKER_COMPATIBLE,
        container_image_names=[workload.container_image],
        container_registries=[registry] if registry else None,
    )


def _start_task(task: StartTask | None) -> BatchStartTask | None:
    if task is None:
        return None
    level = ElevationLevel.ADMIN if task.elevated else ElevationLevel.NON_ADMIN
    return BatchStartTask(
        command_line=shell_command(task.command),
        user_identity=UserIdentity(
            auto_user=AutoUserSpecification(scope=AutoUserScope.POOL, elevation_level=level)
        ),
        max_task_retry_count=task.retries,
        wait_for_success=True,
    )
