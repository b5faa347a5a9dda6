"""Provision the run's pool: nodes from the start, and a formula that takes them away if we cannot.

The pool scales itself from the moment it exists, so the bound on what it may cost holds without this process:
after `STARTUP` it falls to zero nodes when nothing is pending, and at the run's end whatever is pending.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from azure.batch.models import (
    AutoUserScope,
    AutoUserSpecification,
    BatchContainerConfiguration,
    BatchMetadataItem,
    BatchPoolCreateOptions,
    BatchPoolEnableAutoScaleOptions,
    BatchPoolState,
    BatchStartTask,
    BatchVmImageReference,
    ContainerType,
    ElevationLevel,
    UserIdentity,
    VirtualMachineConfiguration,
)
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.errors import PoolUnusable, ResourceBusy, error_code
from batch_tasks.options import PoolOptions
from batch_tasks.patience import FIRST_CONTACT, patiently, pause, stop_if_closing
from batch_tasks.plan import RunPlan
from batch_tasks.stage import log, stage
from batch_tasks.workload import StartTask, Workload

STARTUP = timedelta(minutes=30)
"""How long nodes are kept although no task is pending: uploads take a while, and so does allocation."""
EVALUATION = timedelta(minutes=5)
"""How often Batch evaluates the formula; the shortest it allows (documented)."""
_WAIT_FOR_DELETION = 600.0  # seconds; deleting a pool takes "several minutes" (documented)
_BETWEEN_TRIES = 5.0


def nodes_wanted(tasks: int, pool: PoolOptions) -> tuple[int, int]:
    """How many dedicated and how many Spot nodes: as many as the tasks fill, within what is allowed."""
    needed = max(1, math.ceil(tasks / pool.task_slots_per_node))
    dedicated = min(pool.dedicated_nodes, needed)
    return dedicated, min(pool.spot_nodes, needed - dedicated)


def formula(dedicated: int, spot: int, startup: datetime, deadline: datetime) -> str:
    """The autoscale formula. Without enough samples of pending tasks nodes are kept until the deadline."""
    return "\n".join(
        (
            f'startup = time("{startup:%Y-%m-%dT%H:%M:%SZ}");',
            f'deadline = time("{deadline:%Y-%m-%dT%H:%M:%SZ}");',
            f"dedicated = {dedicated};",
            f"spot = {spot};",
            "sampled = $PendingTasks.GetSamplePercent(10 * TimeInterval_Minute);",
            "pending = sampled < 70 ? 1 : max($PendingTasks.GetSample(10 * TimeInterval_Minute));",
            "alive = time() < startup ? 1 : (pending > 0 ? 1 : 0);",
            "wanted = time() < deadline ? alive : 0;",
            "$TargetDedicatedNodes = wanted * dedicated;",
            "$TargetLowPriorityNodes = wanted * spot;",
            "$NodeDeallocationOption = taskcompletion;",
        )
    )


def pool_options(plan: RunPlan, pool: PoolOptions) -> BatchPoolCreateOptions:
    """What we ask Batch for. Pure: times come from the plan."""
    image = plan.workload.image
    dedicated, spot = nodes_wanted(len(plan.tasks), pool)
    return BatchPoolCreateOptions(
        id=plan.names.pool_id,
        vm_size=pool.vm_size,
        virtual_machine_configuration=VirtualMachineConfiguration(
            image_reference=BatchVmImageReference(
                publisher=image.publisher, offer=image.offer, sku=image.sku, version="latest"
            ),
            node_agent_sku_id=image.node_agent,
            container_configuration=_container_configuration(plan.workload),
        ),
        enable_auto_scale=True,
        auto_scale_formula=formula(dedicated, spot, plan.created + STARTUP, plan.expires),
        auto_scale_evaluation_interval=EVALUATION,
        task_slots_per_node=pool.task_slots_per_node,
        start_task=_start_task(plan.workload),
        metadata=metadata_items(plan.metadata),
    )


def _container_configuration(workload: Workload) -> BatchContainerConfiguration | None:
    """Nodes fetch the image before their first task."""
    if not workload.container_image:
        return None
    return BatchContainerConfiguration(
        type=ContainerType.DOCKER_COMPATIBLE, container_image_names=[workload.container_image]
    )


def metadata_items(metadata: Mapping[str, str]) -> list[BatchMetadataItem]:
    """Metadata as Batch takes it."""
    return [BatchMetadataItem(name=name, value=value) for name, value in metadata.items()]


@stage("provision-pool", retries=0)
def provision_pool(plan: RunPlan, pool: PoolOptions) -> None:
    """Ask for the pool, unless an earlier try of this run has. Returns before any node is there.

    Raises:
        ResourceBusy: a pool of the id is still being deleted after ten minutes.
        PoolUnusable: Batch refuses to make such a pool.
        RunClosing: the run ended meanwhile; nothing was made after that.
    """
    options = pool_options(plan, pool)
    ensure_pool(options)
    dedicated, spot = nodes_wanted(len(plan.tasks), pool)
    log().info("Pool %s asks for %d dedicated and %d Spot nodes", options.id, dedicated, spot)


def ensure_pool(options: BatchPoolCreateOptions) -> None:
    """Create the pool unless it exists; wait for the end of a deletion under way."""
    waited = 0.0
    while not _created(options):
        if waited >= _WAIT_FOR_DELETION:
            raise ResourceBusy(
                f"The pool {options.id} is still being deleted after {waited:.0f} s. Run again later."
            )
        pause(_BETWEEN_TRIES)
        waited += _BETWEEN_TRIES


def _created(options: BatchPoolCreateOptions) -> bool:
    """Whether the pool is there now; False while one of its id is being deleted."""

    def create() -> None:
        stop_if_closing()
        batch_client().create_pool(options)

    try:
        patiently(create, patience=FIRST_CONTACT)
    except ResourceExistsError as error:
        code = error_code(error)
        if code == "PoolQuotaReached":
            raise PoolUnusable(
                "The Batch account may have no more pools (PoolQuotaReached). Delete pools that are no "
                "longer needed, or ask Azure to raise the account's pool quota."
            ) from error
        if code not in {"PoolExists", "PoolBeingDeleted"}:
            raise
        return code == "PoolExists" and _usable(options)
    return True


def _usable(options: BatchPoolCreateOptions) -> bool:
    """Whether the pool stays; one of an earlier attempt then gets this one's formula, so that its nodes come
    back and stay as long as this attempt may take.
    """
    try:
        pool = patiently(lambda: batch_client().get_pool(options.id, select=["id,state,autoScaleFormula"]))
        if pool.state == BatchPoolState.DELETING:
            return False
        if pool.auto_scale_formula != options.auto_scale_formula:
            patiently(lambda: _change_formula(options))
    except ResourceNotFoundError:
        return False  # gone between the calls: the next try makes it
    return True


def _change_formula(options: BatchPoolCreateOptions) -> None:
    """Batch takes a formula once in 30 s (documented); one so young says nearly what ours does."""
    scaling = BatchPoolEnableAutoScaleOptions(auto_scale_formula=options.auto_scale_formula)
    try:
        batch_client().enable_pool_auto_scale(options.id, scaling, retry_total=0)
    except HttpResponseError as error:
        if error_code(error) != "TooManyEnableAutoScaleRequests":
            raise


def _start_task(workload: Workload) -> BatchStartTask | None:
    task: StartTask | None = workload.start_task
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


def shell_command(command: str) -> str:
    """A shell line as a Batch command line, which is split like a shell's but run by none (documented)."""
    return "/bin/sh -c '" + command.replace("'", "'\"'\"'") + "'"
