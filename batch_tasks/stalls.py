"""Why nothing runs, in one sentence with evidence and remedy, judged from what Batch says. Pure.

Each cause has its own patience: allocation that failed once is tried again by Batch, a node that lost contact
is often recovered (documented), a quota is not raised by waiting. A pool is not taken for ready because it is
steady: its nodes say whether they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

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
LOST = frozenset({"unusable", "unknown"})
BAD_NODES = "bad nodes"
FAMILY = {
    "no nodes": "without nodes",
    "allocation": "without nodes",
    "preempted": "none ready",
    "lost": "none ready",
    "starting": "none ready",
}
"""Kinds of stall that may turn into each other and back though nothing gets better: a resize clears the
errors of the last one, a Spot node that was taken away starts again. What they last is added up, until a
task runs.
"""


@dataclass(frozen=True)
class Limits:
    """How many nodes a run replaces, and how long in seconds each cause may last before the run ends.

    Attributes:
        replacements: nodes replaced in all.
        refusals: a treatment of a node that Batch refused so often is not asked for again.
        quiet: what every run goes through at its start, such as waiting for nodes, is told after so long.
        settle: a node that is to be rebooted is not judged for so long, unless it was seen to be up again.
        replacement: for a new node after one was removed; the pool's formula asks for it within 5 minutes.
        recovery: a node without contact, which Batch tries to recover (15 to 45 min, users report).
        allocation: no nodes, though Batch will try again or gives no reason.
        preempted: all Spot nodes taken away.
        disabled: the job disabled by somebody.
        starting: nodes that do not get ready.
        idle: nodes that are ready and get no task.
    """

    replacements: int = 3
    refusals: int = 3
    quiet: float = 300.0
    settle: float = 20.0
    replacement: float = 900.0
    recovery: float = 900.0
    allocation: float = 2700.0
    preempted: float = 1800.0
    disabled: float = 600.0
    starting: float = 3600.0
    idle: float = 900.0

    def of_family(self, kind: str) -> float:
        """How long all kinds of stall of this one's family may last together."""
        return {"without nodes": self.allocation, "none ready": self.starting}.get(FAMILY.get(kind, ""), inf)


USUAL = Limits()


@dataclass(frozen=True)
class NodeView:
    """A node: its state, its errors, and whether it is no Spot node."""

    node_id: str
    state: str
    errors: tuple[str, ...] = ()
    dedicated: bool = True


@dataclass(frozen=True)
class PoolView:
    """A pool: its state, its last resize's errors (code and message), what is wrong with its formula.

    `steady` says that no resize is under way, not that its nodes are ready. `current` and `target` are how
    many dedicated and Spot nodes it has and is to have.
    """

    pool_id: str
    state: str
    resize_errors: tuple[tuple[str, str], ...] = ()
    autoscale_error: str = ""
    nodes: Sequence[NodeView] = ()
    steady: bool = True
    current: tuple[int, int] = (0, 0)
    target: tuple[int, int] = (0, 0)

    @property
    def nodes_by_state(self) -> Mapping[str, int]:
        """How many nodes are in each state."""
        return Counter(node.state for node in self.nodes)


@dataclass(frozen=True)
class RunView:
    """What Batch says at one moment. `pool` is None when there is none; `running` counts the run's running
    tasks; the nodes of a pool that is not the run's own are not to be treated.
    """

    pool_id: str
    pool: PoolView | None
    job_state: str = "active"
    running: int = 0
    job_id: str = ""
    own_pool: bool = True


@dataclass(frozen=True)
class Stall:
    """A cause why nothing runs: in one sentence with evidence and remedy, how long it may last, and after how
    long it is worth telling.
    """

    kind: str
    text: str
    patience: float = 0.0
    quiet: float = 0.0


def why_nothing_runs(
    view: RunView, bad: Sequence[NodeView] = (), earlier: str = "", limits: Limits = USUAL
) -> Stall | None:
    """The cause, given that no task is running.

    Args:
        view: what Batch says.
        bad: those of its nodes that will not get well by themselves.
        earlier: what was wrong before: with a node that was treated, with a resize that was tried again.
        limits: how long each cause may last.
    """
    pool = view.pool
    if pool is None or pool.state == "deleting":
        return Stall("pool deleted", f"The pool {view.pool_id} was deleted while its tasks ran. Run again.")
    if view.job_state in {"disabled", "disabling"}:
        text = f"The job {view.job_id} was disabled by somebody: none of its tasks starts. Enable it."
        return Stall("job disabled", text, limits.disabled)
    earlier = f" Earlier: {earlier}" if earlier else ""
    if not pool.nodes:
        return _why_no_nodes(pool, earlier, limits)
    if len(bad) == len(pool.nodes):
        return Stall(BAD_NODES, _why_all_bad(pool, bad))
    return _why_not_ready(pool, earlier, limits)


def trouble_of(node: NodeView) -> str:
    """What is wrong with a node, in words."""
    if node.state == "starttaskfailed":
        return f"the start task failed on node {node.node_id}."
    reason = "; ".join(node.errors) or "Batch has lost contact with it"
    return f"node {node.node_id} is {node.state}: {reason}."


def _why_no_nodes(pool: PoolView, earlier: str, limits: Limits) -> Stall:
    said = f"The pool {pool.pool_id} gets no nodes"
    if pool.autoscale_error:
        return Stall("formula", f"{said}: its formula cannot be evaluated: {pool.autoscale_error}")
    for code, message in pool.resize_errors:
        if code.lower().endswith("quotareached"):
            remedy = (
                "Ask for fewer nodes or a smaller VM size, or have the quota of the Batch account raised."
            )
            return Stall("quota", f"{said}: {code}: {message} {remedy}")
        if code.lower() not in PASSING_RESIZE_ERRORS:
            return Stall("refused", f"{said}: {code}: {message} Choose another VM size or image.")
    if pool.resize_errors:
        code, message = pool.resize_errors[0]
        remedy = "Azure may be short of this VM size here: choose another one, or run again later."
        return Stall("allocation", f"{said}: {code}: {message} {remedy}{earlier}", limits.allocation)
    text = f"{said}, and Batch gives no reason. Somebody may have changed its size; run again.{earlier}"
    if not pool.steady:
        text = f"The pool {pool.pool_id} has no nodes yet: Batch is getting them.{earlier}"
    return Stall("no nodes", text, limits.allocation, limits.quiet)


def _why_all_bad(pool: PoolView, bad: Sequence[NodeView]) -> str:
    failed = [node for node in bad if node.state == "starttaskfailed"]
    if failed:
        return (
            f"The start task failed on {_every(failed)} of pool {pool.pool_id}. Correct what prepares "
            "the node and run again."
        )
    return (
        f"Batch finds {_every(bad)} of pool {pool.pool_id} unusable: {trouble_of(bad[0])} Run again; if it "
        "stays so, choose another image or VM size."
    )


def _why_not_ready(pool: PoolView, earlier: str, limits: Limits) -> Stall | None:
    states = pool.nodes_by_state
    if "running" in states:  # with somebody else's tasks
        return None
    counted = ", ".join(f"{states[one]} {one}" for one in sorted(states))
    said = f"the nodes of pool {pool.pool_id} are {counted}."
    if "idle" in states:
        text = f"Nodes are ready and no task starts: {said} See whether they take tasks, and run again."
        return Stall("idle", text, limits.idle, limits.quiet)
    if "preempted" in states:
        remedy = "Allow dedicated nodes, or run again when Azure has more to spare."
        return Stall("preempted", f"Azure took Spot nodes away: {said} {remedy}", limits.preempted)
    if set(states) <= LOST:
        text = f"Batch has lost contact: {said} It often recovers them; else run again.{earlier}"
        return Stall("lost", text, limits.starting)
    text = f"No node gets ready: {said} See what its start task does, and run again.{earlier}"
    return Stall("starting", text, limits.starting, limits.quiet)


def _every(nodes: Sequence[NodeView]) -> str:
    return "the only node" if len(nodes) == 1 else f"all {len(nodes)} nodes"
