"""Watches job, pool and nodes while the tasks are waited for, and does what `diagnosis` decides. Thin.

A treatment that Batch refuses, or a look that it does not answer, changes nothing of what is believed of the
run: there will be another look. Nothing is done to a node before what its start task wrote is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from azure.batch.models import BatchJob, BatchPool
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from batch_tasks.clients import batch_client
from batch_tasks.diagnosis import Chart, Decision, Treatment, decide, treated
from batch_tasks.errors import error_code, without_secrets
from batch_tasks.money.spending import NODE_FIELDS, nodes_seen
from batch_tasks.patience import Patience, is_transient, patient_list, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.pools.auto import has_auto_pool
from batch_tasks.stage import log
from batch_tasks.stalls import USUAL, Limits, NodeView, PoolView, RunView
from batch_tasks.wire import wire_value

_COUNTS = "currentDedicatedNodes,currentLowPriorityNodes,targetDedicatedNodes,targetLowPriorityNodes"
_STDERR = "startup/stderr.txt"
_LAST = 2000  # characters of it
_BRIEFLY = Patience(budget=60.0)
"""For what is done at a look: the next one is not far."""
_GONE = 404
_READINGS = 3
"""How often the evidence is tried to be read before nodes are treated without."""
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
        self._unread = 0
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
        own = has_auto_pool(job) or pool_id == self._names.pool_id
        view = RunView(pool_id, pool, wire_value(job.state), running, job.id, own)
        decision = decide(view, self._chart, self._now(), self._limits)
        self._chart = decision.chart
        if self._evidence_kept(pool):
            for treatment in decision.treatments:
                accepted = _treat(pool_id, treatment)
                self._chart = treated(self._chart, treatment, self._now(), self._limits, accepted=accepted)
        _tell(decision)
        return decision.stall.text + self._evidence if decision.stall and decision.ends else None

    def _note_kinds(self, pool_id: str, pool: PoolView | None) -> None:
        """Which nodes, of all ever seen, are Spot nodes and which are not: those that are gone, too."""
        nodes = pool.nodes if pool else ()
        self.pool_id = pool_id
        self.spot |= {node.node_id for node in nodes if not node.dedicated}
        self.dedicated |= {node.node_id for node in nodes if node.dedicated}

    def _evidence_kept(self, pool: PoolView | None) -> bool:
        """Whether what a start task said is kept, which a reboot or a replacement takes away with the node's
        files. False while it cannot be read, which may be better at the next look.
        """
        if pool is None or self._evidence:
            return True
        try:
            self._evidence = start_task_stderr(pool)
        except AzureError as error:
            self._unread += 1
            said = error_code(error) or type(error).__name__
            log().warning("What a start task wrote to stderr cannot be read: %s", said)
            return self._unread >= _READINGS
        if self._evidence:
            log().warning("A start task failed.%s", self._evidence)
        return True


def _tell(decision: Decision) -> None:
    for remark in decision.remarks:
        log().warning("%s The run goes on with what there is.", remark)
    stall = decision.stall
    if stall and decision.news and stall.patience and not decision.ends:
        since = f" So for {_told(decision.lasted)}." if decision.lasted else ""
        log().warning("%s%s Waiting for up to %s.", stall.text, since, _told(stall.patience))


def _treat(pool_id: str, treatment: Treatment) -> bool:
    """Ask for the treatment; whether Batch accepted it."""
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
        return getattr(error, "status_code", None) == _GONE  # as when the answer to the first try was lost
    return True


def _ask(path: str, body: Mapping[str, object]) -> None:
    """Send one request. The SDK's `begin_...` methods would each leave a thread that polls for the end."""
    headers = {"Content-Type": "application/json; odata=minimalmetadata"}
    request = HttpRequest("POST", path, params={"api-version": _API_VERSION}, json=body, headers=headers)
    patiently(lambda: batch_client().send_request(request).raise_for_status(), patience=_BRIEFLY)


def pool_view(pool_id: str) -> PoolView | None:
    """What Batch says of pool and nodes, those that are leaving left out; None when there is no such pool."""
    try:
        pool = patiently(
            lambda: batch_client().get_pool(
                pool_id, select=[f"id,state,allocationState,resizeErrors,autoScaleRun,{_COUNTS}"]
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
        (pool.current_dedicated_nodes or 0, pool.current_low_priority_nodes or 0),
        (pool.target_dedicated_nodes or 0, pool.target_low_priority_nodes or 0),
    )


def start_task_stderr(pool: PoolView) -> str:
    """What a failed start task wrote last, read from the first of its nodes that lets it be read; "" where
    none does, or none has failed.

    Raises:
        AzureError: Batch does not answer.
    """
    for node in pool.nodes:
        if node.state == "starttaskfailed":
            try:
                read = partial(_node_file, pool.pool_id, node.node_id, _STDERR)
                stderr = patiently(read, patience=_BRIEFLY)
            except AzureError as error:
                if is_transient(error):
                    raise
                continue  # the node is gone, or has no such file
            text = without_secrets(stderr.decode(errors="replace"))[-_LAST:]
            return f"\nLast lines of its stderr on {node.node_id}:\n{text}"
    return ""


def _node_file(pool_id: str, node_id: str, path: str) -> bytes:
    return b"".join(batch_client().download_node_file(pool_id, node_id, path))


def _told(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 60 else f"{seconds:.0f} s"
