"""How often Azure took a node from under a task, and the time that was lost by it. Pure: sightings in.

Batch puts such a task back into its queue and counts that nowhere: `requeueCount` is for requeues that a user
asked for (documented). So it is told from the task's states: one that went from running back to active,
without a retry and without a requeue, lost its node.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_tasks.report import FinishedTask

_AT_ONCE = timedelta(seconds=1)
"""A task becomes active when it is made; its two times may differ by less than this (recorded)."""


@dataclass(frozen=True)
class TaskSighting:
    """A task as Batch shows it: its state and the one before, each since when, its node, what was counted."""

    task_id: str
    state: str
    since: datetime
    previous: str
    previous_since: datetime | None
    created: datetime
    node_id: str = ""
    counted: int = 0


@dataclass(frozen=True)
class _Running:
    """When a task was seen to have begun, and where."""

    since: datetime
    node_id: str
    counted: int


class Preemptions:
    """What was seen of a run's tasks. Ids are kept in lower case, as Batch compares them."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._taken: Counter[str] = Counter()
        self._wasted: defaultdict[str, float] = defaultdict(float)
        self._known: set[tuple[str, datetime]] = set()

    @property
    def most(self) -> int:
        """How often the unluckiest task lost its node."""
        return max(self._taken.values(), default=0)

    @property
    def total(self) -> int:
        """How often any task lost its node."""
        return self._taken.total()

    def look(self, sightings: Iterable[TaskSighting], dedicated: Collection[str]) -> None:
        """Tasks that run, or are in the queue, at this moment; `dedicated` nodes are never taken away."""
        for one in sightings:
            key = one.task_id.lower()
            if one.state == "active" and one.previous == "running" and one.previous_since:
                self._note(key, one.counted, one.previous_since, one.since, dedicated)
            elif one.state == "running":
                self._note_restart(key, one, dedicated)
                self._running[key] = _Running(one.since, one.node_id, one.counted)

    def on(self, finished: FinishedTask) -> FinishedTask:
        """The finished task with what was seen of it."""
        key = finished.task_id.lower()
        return finished.preempted(self._taken[key], self._wasted[key])

    def _note_restart(self, key: str, one: TaskSighting, dedicated: Collection[str]) -> None:
        """A task that runs again since the last look went through its queue meanwhile."""
        before = self._running.get(key)
        back = one.previous_since
        if one.previous != "active" or back is None or back - one.created < _AT_ONCE:
            return
        began = before.since if before and before.since < back else back
        self._note(key, one.counted, began, back, dedicated)

    def _note(
        self, key: str, counted: int, began: datetime, ended: datetime, dedicated: Collection[str]
    ) -> None:
        before = self._running.pop(key, None)
        if (key, ended) in self._known or counted != (before.counted if before else 0):
            return  # known already, or asked for: by a user, or by the task's own retries
        if before and before.node_id in dedicated:
            return
        self._known.add((key, ended))
        self._taken[key] += 1
        self._wasted[key] += (ended - began).total_seconds()
