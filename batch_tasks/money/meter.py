"""Node-seconds of a run, from what is seen of its nodes now and then. Pure: sightings in, seconds out.

A node is billed from its allocation until it has left the pool, whatever its state (documented); not while it
is preempted or deallocated, when no machine is there (assumed).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

UNBILLED = "preempted"
_KINDS = {
    **dict.fromkeys(("creating", "starting", "waitingforstarttask", "rebooting", "reimaging"), "starting"),
    **dict.fromkeys(("preempted", "deallocated"), UNBILLED),
    "idle": "idle",
    "running": "running",
}


@dataclass(frozen=True)
class Sighting:
    """A node as Batch shows it: its state, since when that is, and when the node was allocated."""

    node_id: str
    vm_size: str
    dedicated: bool
    state: str
    since: datetime
    allocated: datetime


@dataclass(frozen=True)
class NodeKind:
    """What the price of a node depends on."""

    vm_size: str
    dedicated: bool

    @property
    def words(self) -> str:
        """`dedicated standard_d2s_v5`."""
        return f"{'dedicated' if self.dedicated else 'Spot'} {self.vm_size}"


@dataclass(frozen=True)
class NodeTime:
    """Seconds by kind of node and by what the nodes did: starting, idle, running, preempted or other."""

    seconds: Mapping[NodeKind, Mapping[str, float]]

    def billed(self, kind: NodeKind) -> float:
        """The seconds of nodes of this kind that are billed."""
        return sum(seconds for doing, seconds in self.seconds.get(kind, {}).items() if doing != UNBILLED)

    @property
    def node_seconds(self) -> float:
        """All seconds that are billed."""
        return sum(map(self.billed, self.seconds))

    def by_doing(self) -> dict[str, float]:
        """Seconds of all kinds of node together."""
        total: defaultdict[str, float] = defaultdict(float)
        for seconds in self.seconds.values():
            for doing, number in seconds.items():
                total[doing] += number
        return dict(total)


class Meter:
    """Counts from `began` on: of a pool that others use, too, only the time of this run is its own."""

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._there: dict[str, tuple[Sighting, datetime]] = {}
        self._seconds: defaultdict[NodeKind, defaultdict[str, float]] = defaultdict(
            lambda: defaultdict(float)
        )
        self._looked: datetime | None = None

    def begin(self, at: datetime) -> None:
        """Count from then on, if that is earlier: to be told before the first look."""
        self._began = min(self._began, at)

    def look(self, sightings: Iterable[Sighting], now: datetime) -> None:
        """All nodes that are there now. One that was and is not left between two looks: halfway is taken."""
        here = {sighting.node_id: sighting for sighting in sightings}
        for node_id in self._there.keys() - here.keys():
            last, until = self._there.pop(node_id)
            self._add(last, last.state, until, until + (now - until) / 2)
        for node_id, sighting in here.items():
            before = self._there.get(node_id)
            since = max(sighting.since, self._began)
            if before is None:
                began = max(sighting.allocated, self._began)
                self._add(sighting, "starting", began, since)
                self._add(sighting, sighting.state, max(began, since), now)
            else:
                last, until = before
                changed = min(max(since, until), now)
                self._add(sighting, last.state, until, changed)
                self._add(sighting, sighting.state, changed, now)
            self._there[node_id] = sighting, now
        self._looked = now

    def read(self, now: datetime | None = None) -> NodeTime:
        """What was counted; with `now`, the nodes seen last are taken to be there still, as they were."""
        seconds = {kind: dict(by) for kind, by in self._seconds.items()}
        for sighting, until in self._there.values():
            if now is not None and now > until:
                kind, doing = _kind(sighting), _KINDS.get(sighting.state, "other")
                by = seconds.setdefault(kind, {})
                by[doing] = by.get(doing, 0.0) + (now - until).total_seconds()
        return NodeTime(seconds)

    def _add(self, sighting: Sighting, state: str, begin: datetime, end: datetime) -> None:
        if end > begin:
            self._seconds[_kind(sighting)][_KINDS.get(state, "other")] += (end - begin).total_seconds()


def _kind(sighting: Sighting) -> NodeKind:
    return NodeKind(sighting.vm_size.lower(), sighting.dedicated)
