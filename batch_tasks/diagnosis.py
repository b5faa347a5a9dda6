"""Why nothing will run any more, judged from what Batch says of pool and nodes. Pure.

It ends a wait only for what does not pass by itself: allocation that failed once is tried again by Batch at
the next evaluation, a node that lost contact is often recovered (documented), a failed start task is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PASSING_RESIZE_ERRORS = frozenset(
    code.lower()
    for code in (
        "AllocationFailed",
        "AllocationTimedout",
        "OverconstrainedAllocationRequestError",
        "RemoveNodesFailed",
        "ResizeStopped",
        "Unknown",
    )
)


@dataclass(frozen=True)
class NodeView:
    """A node: its state and its errors."""

    node_id: str
    state: str
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class PoolView:
    """A pool: its state, its last resize's errors (code and message), what is wrong with its formula."""

    pool_id: str
    state: str
    resize_errors: tuple[tuple[str, str], ...] = ()
    autoscale_error: str = ""
    nodes: Sequence[NodeView] = ()

    @property
    def nodes_by_state(self) -> Mapping[str, int]:
        """How many nodes are in each state."""
        return Counter(node.state for node in self.nodes)


def why_unusable(pool: PoolView | None, pool_id: str) -> str | None:
    """One sentence with evidence and remedy when no node will ever run a task; None while one may."""
    if pool is None or pool.state == "deleting":
        return f"The pool {pool_id} was deleted while its tasks ran. Run again."
    if not pool.nodes:
        return _why_no_nodes(pool)
    failed = [node for node in pool.nodes if node.state == "starttaskfailed"]
    broken = [node for node in pool.nodes if node.state == "unusable" and node.errors]
    if len(failed) + len(broken) < len(pool.nodes):
        return None
    if failed:
        return (
            f"The start task failed on {_every(failed)} of pool {pool.pool_id}. Correct what prepares "
            "the node and run again."
        )
    return f"Batch finds {_every(broken)} of pool {pool.pool_id} unusable: {'; '.join(broken[0].errors)}."


def _why_no_nodes(pool: PoolView) -> str | None:
    for code, message in pool.resize_errors:
        if code.lower().endswith("quotareached"):
            return (
                f"The pool {pool.pool_id} gets no nodes: {code}: {message} Ask for fewer nodes or a smaller "
                "VM size, or have the quota of the Batch account raised."
            )
        if code.lower() not in PASSING_RESIZE_ERRORS:
            return (
                f"The pool {pool.pool_id} gets no nodes: {code}: {message} Choose another VM size or image."
            )
    if pool.autoscale_error:
        return (
            f"The pool {pool.pool_id} gets no nodes: its formula cannot be evaluated: {pool.autoscale_error}"
        )
    return None


def _every(nodes: Sequence[NodeView]) -> str:
    return "the only node" if len(nodes) == 1 else f"all {len(nodes)} nodes"
