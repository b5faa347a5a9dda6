"""What to do about a pool on which nothing runs, or a part of it. Pure: views in, treatments or an end out.

A bad node is rebooted once, then replaced, so many times in a run; but where the start task fails on every
node and has never worked, a new node would not help either. Only when nothing runs, no treatment is left and
the cause has lasted as long as it may, does the run end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from batch_tasks.stalls import (
    BAD_NODES,
    LOST,
    USUAL,
    Limits,
    NodeView,
    PoolView,
    RunView,
    Stall,
    trouble_of,
    why_nothing_runs,
)

_FAILED = "starttaskfailed"
_READY = frozenset({"idle", "running"})


@dataclass(frozen=True)
class Treatment:
    """What is to be done to a node: reboot it, or remove it so that the pool makes a new one."""

    kind: Literal["reboot", "replace"]
    node_id: str
    why: str


@dataclass(frozen=True)
class Chart:
    """What is remembered from one look to the next. Times are in seconds of one clock.

    `rebooted` and `lost` tell since when, by node; `trouble` is what was wrong with the last node treated;
    `known` are the nodes ever seen; a node was removed at `new_node_due` and none has come since.
    """

    stall: str = ""
    since: float = 0.0
    lost: Mapping[str, float] = field(default_factory=dict)
    rebooted: Mapping[str, float] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    new_node_due: float | None = None
    ever_ready: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Decision:
    """What follows from a look: treatments, the stall if there is one, and whether it ends the run.

    A stall is `news` when it was not there at the look before.
    """

    chart: Chart
    treatments: tuple[Treatment, ...] = ()
    stall: Stall | None = None
    ends: bool = False
    news: bool = False


def decide(view: RunView, chart: Chart, now: float, limits: Limits = USUAL) -> Decision:
    """What to do about this view, given what is remembered of earlier ones."""
    chart = _noted(view, chart, now)
    bad = list(_bad(view.pool, chart, now, limits)) if view.pool else []
    judged = [node for node in bad if now - chart.rebooted.get(node.node_id, -limits.settle) >= limits.settle]
    treatable = view.pool if view.own_pool else None
    treatments = tuple(_treatments(treatable, judged, chart, limits)) if treatable else ()
    waits = bool(treatments) or len(judged) < len(bad) or _hopes(treatable, chart, now, limits)
    chart = _treated(chart, treatments, now)
    stall = None if view.running else why_nothing_runs(view, bad, chart.trouble, limits)
    if stall is None:
        return Decision(replace(chart, stall="", since=now), treatments)
    news = stall.kind != chart.stall
    chart = replace(chart, stall=stall.kind, since=now) if news else chart
    over = now - chart.since >= stall.patience
    return Decision(chart, treatments, stall, over and not (stall.kind == BAD_NODES and waits), news)


def _noted(view: RunView, chart: Chart, now: float) -> Chart:
    nodes = view.pool.nodes if view.pool else ()
    lost = {node.node_id: chart.lost.get(node.node_id, now) for node in nodes if node.state in LOST}
    ready = chart.ever_ready or any(node.state in _READY for node in nodes)
    ids = {node.node_id for node in nodes}
    due = chart.new_node_due if ids <= chart.known else None
    up = {node.node_id for node in nodes if node.state not in LOST and node.state != _FAILED}
    rebooted = {one: -math.inf if one in up else since for one, since in chart.rebooted.items()}
    chart = replace(chart, rebooted=rebooted)
    return replace(chart, lost=lost, ever_ready=ready, known=chart.known | ids, new_node_due=due)


def _bad(pool: PoolView, chart: Chart, now: float, limits: Limits) -> Iterator[NodeView]:
    for node in pool.nodes:
        broken = node.state == _FAILED or (node.state == "unusable" and node.errors)
        if broken or now - chart.lost.get(node.node_id, now + 1) >= limits.recovery:
            yield node


def _replacements_left(pool: PoolView, chart: Chart, limits: Limits) -> int:
    hopeless = not chart.ever_ready and all(node.state == _FAILED for node in pool.nodes)
    return 0 if hopeless else limits.replacements - len(chart.replaced)


def _hopes(pool: PoolView | None, chart: Chart, now: float, limits: Limits) -> bool:
    """Whether a new node is due, or a bad one will be replaced as soon as the pool is steady."""
    due = chart.new_node_due is not None and now - chart.new_node_due < limits.replacement
    return pool is not None and (due or _replacements_left(pool, chart, limits) > 0)


def _treatments(
    pool: PoolView, judged: Sequence[NodeView], chart: Chart, limits: Limits
) -> Iterator[Treatment]:
    """Reboots at once; replacements only of a steady pool, since Batch removes nodes of no other."""
    left = _replacements_left(pool, chart, limits) if pool.steady else 0
    for node in judged:
        if node.node_id not in chart.rebooted:
            yield Treatment("reboot", node.node_id, trouble_of(node))
        elif left > 0 and node.node_id not in chart.replaced:
            left -= 1
            yield Treatment("replace", node.node_id, trouble_of(node))


def _treated(chart: Chart, treatments: Sequence[Treatment], now: float) -> Chart:
    reboots = {one.node_id: now for one in treatments if one.kind == "reboot"}
    gone = {one.node_id for one in treatments if one.kind == "replace"}
    trouble = treatments[-1].why if treatments else chart.trouble
    return replace(
        chart,
        rebooted={**chart.rebooted, **reboots},
        replaced=chart.replaced | gone,
        new_node_due=now if gone else chart.new_node_due,
        trouble=trouble,
    )
