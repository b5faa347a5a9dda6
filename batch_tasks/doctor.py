"""Watches job, pool and nodes while the tasks are waited for, and does what `diagnosis` decides. Thin.

A treatment that Batch refuses, or a look that it does not answer, changes nothing of what is believed of the
run: there will be another look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from azure.batch.models import BatchJob, BatchPool
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from batch_tasks.clients import batch_client
from batch_tasks.diagnosis import Chart, Treatment, decide
from batch_tasks.errors import error_code, without_secrets
from batch_tasks.money.spending import NODE_FIELDS, nodes_seen
from batch_tasks.patience import patient_list, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.stage import log
from batch_tasks.stalls import USUAL, Limits, NodeView, PoolView, RunView, Stall
from batch_tasks.wire import wire_value

_STDERR = "startup/stderr.txt"
_LAST = 2000  # characters of it
_API_VERSION = "2025-06-01"


class Doctor:
    """Looks after the pool of a run and remembers what was tried. A pool that is not the run's own is watched
    and left alone.
    """

    def __init__(
        self, plan: RunPlan, limits: Limits = USUAL, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._names = plan.names
        self._limits = limits
        self._now = now
        self._chart = Chart()
        self._evidence = ""
        self.nodes: Mapping[str, int] = {}
        self.pool_id = plan.names.pool_id
        self.spot: frozenset[str] = frozenset()
        self.dedicated: frozenset[str] = frozenset()

    def look(self, job: BatchJob, running: int) -> str | None:
        """Look and treat. Why the run cannot go on, with evidence and remedy; None while it may.

        Raises:
            AzureError: Batch does not answer.
        """
        pool_id = (job.execution_info and job.execution_info.pool_id) or self._names.pool_id
        pool = pool_view(pool_id)
        self.nodes = pool.nodes_by_state if pool else {}
        self._note_kinds(pool_id, pool)
        view = RunView(pool_id, pool, wire_value(job.state), running, job.id, pool_id == self._names.pool_id)
        decision = decide(view, self._chart, self._now(), self._limits)
        self._chart = decision.chart
        self._keep_evidence(pool)
        for treatment in decision.treatments:
            _treat(pool_id, treatment)
        stall = decision.stall
        if stall is None:
            return None
        if decision.ends:
            return stall.text + self._evidence
        if decision.news and stall.patience:
            log().warning("%s Waiting for up to %s.", stall.text, _told(stall))
        return None

    def _note_kinds(self, pool_id: str, pool: PoolView | None) -> None:
        """Which nodes, of all ever seen, are Spot nodes and which are not: those that are gone, too."""
        nodes = pool.nodes if pool else ()
        self.pool_id = pool_id
        self.spot |= {node.node_id for node in nodes if not node.dedicated}
        self.dedicated |= {node.node_id for node in nodes if node.dedicated}

    def _keep_evidence(self, pool: PoolView | None) -> None:
        """A reboot or a replacement takes the files of the node away: what its start task said is kept."""
        stderr = start_task_stderr(pool) if pool and not self._evidence else ""
        if stderr:
            self._evidence = stderr
            log().warning("A start task failed.%s", stderr)


def _treat(pool_id: str, treatment: Treatment) -> None:
    doing = "Rebooting a node" if treatment.kind == "reboot" else "Replacing a node"
    log().warning("%s: %s", doing, treatment.why)
    path = f"/pools/{pool_id}"
    try:
        if treatment.kind == "reboot":
            _ask(f"{path}/nodes/{treatment.node_id}/reboot", {"nodeRebootOption": "requeue"})
        else:
            body = {"nodeList": [treatment.node_id], "nodeDeallocationOption": "requeue"}
            _ask(f"{path}/removenodes", body)
    except AzureError as error:
        log().warning("Batch would not: %s", error_code(error) or type(error).__name__)


def _ask(path: str, body: Mapping[str, object]) -> None:
    """Send one request. The SDK's `begin_...` methods would each leave a thread that polls for the end."""
    headers = {"Content-Type": "application/json; odata=minimalmetadata"}
    request = HttpRequest("POST", path, params={"api-version": _API_VERSION}, json=body, headers=headers)
    batch_client().send_request(request).raise_for_status()


def pool_view(pool_id: str) -> PoolView | None:
    """What Batch says of pool and nodes, those that are leaving left out; None when there is no such pool."""
    try:
        pool = patiently(
            lambda: batch_client().get_pool(
                pool_id, select=["id,state,allocationState,resizeErrors,autoScaleRun"]
            )
        )
        nodes = patient_list(lambda: batch_client().list_nodes(pool_id, select=[f"{NODE_FIELDS},errors"]))
    except ResourceNotFoundError:
        return None
    nodes_seen(nodes)
    views = [
        NodeView(
            node.id,
            wire_value(node.state),
            tuple(without_secrets(f"{error.code}: {error.message}") for error in node.errors or ()),
            dedicated=bool(node.is_dedicated),
        )
        for node in nodes
    ]
    return _pool_view(pool, [view for view in views if view.state != "leavingpool"])


def _pool_view(pool: BatchPool, nodes: list[NodeView]) -> PoolView:
    error = pool.auto_scale_run.error if pool.auto_scale_run else None
    return PoolView(
        pool.id,
        wire_value(pool.state),
        tuple((error.code or "", error.message or "") for error in pool.resize_errors or ()),
        f"{error.code}: {error.message}" if error else "",
        nodes,
        wire_value(pool.allocation_state) == "steady",
    )


def start_task_stderr(pool: PoolView) -> str:
    """What the first node's failed start task wrote last, read from the node while it is there."""
    for node in pool.nodes:
        if node.state == "starttaskfailed":
            try:
                stderr = b"".join(batch_client().download_node_file(pool.pool_id, node.node_id, _STDERR))
            except AzureError:
                return ""
            text = without_secrets(stderr.decode(errors="replace"))[-_LAST:]
            return f"\nLast lines of its stderr on {node.node_id}:\n{text}"
    return ""


def _told(stall: Stall) -> str:
    return f"{stall.patience / 60:.0f} minutes" if stall.patience >= 60 else f"{stall.patience:.0f} s"
