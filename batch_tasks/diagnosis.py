"""What to do about a pool on which nothing runs, or a part of it. Pure: views in, treatments or an end out.

A bad node is rebooted once, then replaced, so many times in a run; but where the start task fails on every
node and has never worked, a new node would not help either. Only when nothing runs, no treatment is left and
the cause has lasted as long as it may, does the run end. Causes that turn into each other and back, though
nothing gets better, are one in this: their times are added up until a task runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from batch_tasks.stalls import (
    BAD_NODES,
    FAMILY,
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

    `stall` is what there was at the last look, which was at `looked`; `lasted` are the seconds of kinds and
    families of stalls since a task ran, and `told` the kinds told since. `resize_errors` are those of the
    last resize that ended; `errors_told` their codes that were told. `rebooted` and `lost` tell since when,
    by node; `refused` how often Batch refused a treatment; `trouble` is what was wrong with the last node
    treated; `known` are the nodes ever seen; a node was removed at `new_node_due` and none has come since.
    """

    stall: str = ""
    looked: float = 0.0
    lasted: Mapping[str, float] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    resize_errors: tuple[tuple[str, str], ...] = ()
    errors_told: frozenset[str] = frozenset()
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
    rebooted: Mapping[str, float] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    new_node_due: float | None = None
    ever_ready: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Decision:
    """What follows from a look: treatments, which `treated` notes once they were asked for; the stall if
    there is one, how long it has lasted, and whether it ends the run; and remarks on what ends nothing.

    A stall is `news` once, when it is worth telling.
    """

    chart: Chart
    treatments: tuple[Treatment, ...] = ()
    stall: Stall | None = None
    ends: bool = False
    news: bool = False
    lasted: float = 0.0
    remarks: tuple[str, ...] = ()


def decide(view: RunView, chart: Chart, now: float, limits: Limits = USUAL) -> Decision:
    """What to do about this view, given what is remembered of earlier ones."""
    chart = _noted(view, chart, now)
    remarks, chart = _resize_remarks(view.pool, chart)
    bad = list(_bad(view.pool, chart, now, limits)) if view.pool else []
    judged = [node for node in bad if now - chart.rebooted.get(node.node_id, -limits.settle) >= limits.settle]
    treatable = view.pool if view.own_pool else None
    treatments = tuple(_treatments(treatable, judged, chart, limits)) if treatable else ()
    waits = bool(treatments) or len(judged) < len(bad) or _hopes(treatable, chart, now, limits)
    earlier = " ".join(_earlier(view.pool, chart))
    stall = None if view.running else why_nothing_runs(view, bad, earlier, limits)
    chart = _timed(chart, stall, now)
    if stall is None:
        return Decision(chart, treatments, remarks=remarks)
    lasted = chart.lasted[stall.kind]
    family = chart.lasted.get(FAMILY.get(stall.kind, ""), 0.0)
    over = lasted >= stall.patience or family >= limits.of_family(stall.kind)
    ends = over and not (stall.kind == BAD_NODES and waits)
    news = stall.kind not in chart.told and lasted >= stall.quiet
    chart = replace(chart, told=chart.told | {stall.kind}) if news else chart
    return Decision(chart, treatments, stall, ends, news, max(lasted, family), remarks)


def treated(
    chart: Chart, treatment: Treatment, now: float, limits: Limits = USUAL, *, accepted: bool
) -> Chart:
    """The chart once Batch was asked for a treatment. One that it refuses again and again counts as tried, so
    that the next step is taken.
    """
    node, key = treatment.node_id, (treatment.kind, treatment.node_id)
    chart = replace(chart, trouble=treatment.why)
    if not accepted:
        chart = replace(chart, refused={**chart.refused, key: chart.refused.get(key, 0) + 1})
        if chart.refused[key] < limits.refusals:
            return chart
    if treatment.kind == "reboot":
        return replace(chart, rebooted={**chart.rebooted, node: now if accepted else -math.inf})
    due = now if accepted else chart.new_node_due
    return replace(chart, replaced=chart.replaced | {node}, new_node_due=due)


def _timed(chart: Chart, stall: Stall | None, now: float) -> Chart:
    """What stalls have lasted. The time since the last look is that of what there was then."""
    if stall is None:
        return replace(chart, stall="", looked=now, lasted={}, told=frozenset())
    lasted = dict(chart.lasted)
    for one in filter(None, (chart.stall, FAMILY.get(chart.stall))):
        lasted[one] = lasted.get(one, 0.0) + now - chart.looked
    counted = {one: lasted.get(one, 0.0) for one in (*FAMILY, *FAMILY.values(), stall.kind)}
    return replace(chart, stall=stall.kind, looked=now, lasted=counted)


def _resize_remarks(pool: PoolView | None, chart: Chart) -> tuple[tuple[str, ...], Chart]:
    """What is to be said of nodes that Batch could not get, though others are there; each code once."""
    if pool is None:
        return (), chart
    if pool.steady or pool.resize_errors:
        chart = replace(chart, resize_errors=pool.resize_errors)
    if not chart.resize_errors:
        return (), replace(chart, errors_told=frozenset())
    if not pool.nodes:
        return (), chart
    new = [(code, text) for code, text in chart.resize_errors if code not in chart.errors_told]
    (dedicated, spot), (all_dedicated, all_spot) = pool.current, pool.target
    has = f"{dedicated} of {all_dedicated} dedicated and {spot} of {all_spot} Spot nodes"
    remarks = tuple(f"The pool {pool.pool_id} has {has}: {code}: {text}" for code, text in new)
    return remarks, replace(chart, errors_told=chart.errors_told | {code for code, _ in new})


def _earlier(pool: PoolView | None, chart: Chart) -> Iterator[str]:
    if chart.trouble:
        yield chart.trouble
    if pool is not None and not pool.resize_errors:
        yield from (f"{code}: {message}" for code, message in chart.resize_errors[:1])


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
    if pool is None:
        return False
    due = chart.new_node_due is not None and now - chart.new_node_due < limits.replacement
    untried = any(node.node_id not in chart.replaced for node in pool.nodes)
    return due or (untried and _replacements_left(pool, chart, limits) > 0)


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
