"""Watches for Spot nodes that Azure takes away, and moves a run that suffers from it to dedicated nodes.

Batch gives no task a choice between the kinds of node of its pool. So it is the pool that changes: its
formula asks for dedicated nodes in place of the Spot ones, and all that waits runs there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from azure.batch.models import BatchJob, BatchTask
from azure.core.exceptions import ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.naming import OWNER, TIMESTAMP
from batch_tasks.owned_resources import metadata_of
from batch_tasks.patience import patient_list, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.pools.auto import has_auto_pool
from batch_tasks.pools.creation import change_formula
from batch_tasks.pools.scaling import Scaling
from batch_tasks.preemptions import Preemptions, TaskSighting
from batch_tasks.report import FinishedTask
from batch_tasks.stage import log
from batch_tasks.wire import wire_value

_CLOCKS_DIFFER: Final = timedelta(minutes=2)
_FIELDS = (
    "id,state,stateTransitionTime,previousState,previousStateTransitionTime,creationTime,executionInfo,"
    "nodeInfo"
)


class SpotWatch:
    """Counts the preemptions of a run's tasks and acts on them, once."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._preemptions = Preemptions()
        self._looked = plan.created
        self._moved = plan.retry.dedicated_after == 0

    def look(self, job: BatchJob, pool_id: str, spot: frozenset[str], dedicated: frozenset[str]) -> None:
        """See what became of tasks since the last look, if the pool has or had Spot nodes.

        Raises:
            AzureError: Batch does not answer.
        """
        if not spot:
            return
        began = datetime.now(UTC)
        self._preemptions.look(self._sightings(), dedicated)
        self._looked = began
        if not self._moved and self._preemptions.most >= self._plan.retry.dedicated_after:
            self._moved = _move_to_dedicated(job, pool_id, self._plan, self._preemptions)

    def on(self, finished: list[FinishedTask]) -> list[FinishedTask]:
        """The finished tasks, with the preemptions that were seen of each."""
        return [self._preemptions.on(task) for task in finished]

    def _sightings(self) -> list[TaskSighting]:
        since = self._looked - _CLOCKS_DIFFER
        query = (
            "state eq 'running' or (state eq 'active' and "
            f"stateTransitionTime gt DateTime'{since:{TIMESTAMP}}')"
        )
        job = self._plan.names.job_id
        tasks = patient_list(lambda: batch_client().list_tasks(job, filter=query, select=[_FIELDS]))
        return [sighting(task) for task in tasks]


def sighting(task: BatchTask) -> TaskSighting:
    """A task as our own value; what Batch counts of it are its own retries and the requeues it was told."""
    info, node = task.execution_info, task.node_info
    return TaskSighting(
        task.id,
        wire_value(task.state),
        task.state_transition_time or task.creation_time,
        wire_value(task.previous_state) if task.previous_state else "",
        task.previous_state_transition_time,
        task.creation_time,
        (node.node_id or "") if node else "",
        (info.retry_count or 0) + (info.requeue_count or 0) if info else 0,
    )


def moved(scaling: Scaling, *, shared: bool) -> Scaling:
    """What the pool is to be: dedicated nodes for the Spot ones, which stay where others use them. Pure.

    Asked for again, by a later run on a shared pool, it asks for no more nodes.
    """
    if shared:
        return replace(scaling, dedicated=max(scaling.dedicated, scaling.spot))
    return replace(scaling, dedicated=scaling.dedicated + scaling.spot, spot=0)


def _move_to_dedicated(job: BatchJob, pool_id: str, plan: RunPlan, seen: Preemptions) -> bool:
    """Change the pool's formula; whether that is done, or cannot be."""
    try:
        pool = patiently(lambda: batch_client().get_pool(pool_id))
    except ResourceNotFoundError:
        return True
    said = f"Azure took nodes from one task {seen.most} times and from all {seen.total} times"
    scaling = Scaling.parse(pool.auto_scale_formula or "")
    own = pool_id == plan.names.pool_id or has_auto_pool(job)
    if scaling is None or not (own or metadata_of(pool).get("owner") == OWNER):
        log().warning("%s. The pool %s is not ours to change: it goes on with Spot nodes", said, pool_id)
        return True
    wanted = moved(scaling, shared=not own)
    if not change_formula(pool, wanted.formula()):
        return False  # Batch takes a formula once in 30 s (documented): at the next look, then
    log().warning("%s: the pool goes on with %d dedicated nodes, which cost more", said, wanted.dedicated)
    return True
