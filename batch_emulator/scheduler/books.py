"""The books that placement reads: queues of ready tasks, free slots of nodes. Each step in constant time."""

from collections.abc import Callable, Iterator
from typing import Literal

from batch_emulator.resources import Task

Need = tuple[bool, int, int]
"""Whether a task needs a whole node, how many nodes, and how many slots."""


def _need(task: Task) -> Need:
    return task.exclusive, task.instances, task.slots


class ReadyTasks:
    """The tasks of one job that only wait for slots, oldest first, kept apart by the slots they need.

    Those that need a whole node, or several nodes, are kept apart too: they keep no other from running.
    """

    def __init__(self) -> None:
        self._by_slots: dict[Need, dict[str, Task]] = {}

    def add(self, task_key: str, task: Task) -> None:
        """Put a task at the end."""
        self._by_slots.setdefault(_need(task), {})[task_key] = task

    def discard(self, task_key: str, task: Task) -> None:
        """Take a task out, if it is there."""
        group = self._by_slots.get(_need(task))
        if group and group.pop(task_key, None) and not group:
            del self._by_slots[_need(task)]

    def heads(self) -> Iterator[tuple[str, Task]]:
        """The oldest task of each size, the oldest of them first."""
        firsts = [next(iter(group.items())) for group in self._by_slots.values()]
        return iter(sorted(firsts, key=lambda item: item[1].sequence))

    def __len__(self) -> int:
        return sum(map(len, self._by_slots.values()))


class FreeSlots:
    """Free slots of the nodes of one pool that take tasks."""

    def __init__(self, fill: Literal["spread", "pack"]) -> None:
        self._fill = fill
        self._free: dict[str, int] = {}
        self._by_free: dict[int, dict[str, None]] = {}

    def set(self, node_id: str, free: int | None) -> None:
        """Note how many slots of a node are free; None if it takes no tasks at all."""
        before = self._free.pop(node_id, None)
        if before is not None:
            group = self._by_free[before]
            del group[node_id]
            if not group:
                del self._by_free[before]
        if free is not None:
            self._free[node_id] = free
            self._by_free.setdefault(free, {})[node_id] = None

    def find_several(
        self, count: int, slots: int, preferred: str | None = None, fits: Callable[[str], bool] | None = None
    ) -> list[str]:
        """As many nodes as wanted, each with so many free slots; none if there are not enough."""
        found: list[str] = []
        condition = fits
        while len(found) < count:
            node_id = self.find(slots, preferred, condition)
            if node_id is None:
                return []
            found.append(node_id)
            condition = lambda other: other not in found and (fits is None or fits(other))  # noqa: E731
        return found

    def find(
        self, slots: int, preferred: str | None = None, fits: Callable[[str], bool] | None = None
    ) -> str | None:
        """A node with so many free slots: the preferred one if it can, else by the pool's fill type.

        `spread` takes the node with the most free slots, `pack` the one with the fewest that suffice; either
        only among the nodes that `fits` is true of, if it is given.
        """
        suffices = preferred is not None and self._free.get(preferred, 0) >= slots
        if preferred is not None and suffices and (fits is None or fits(preferred)):
            return preferred
        enough = [free for free in self._by_free if free >= slots]
        if not enough:
            return None
        if fits is None:
            return next(iter(self._by_free[max(enough) if self._fill == "spread" else min(enough)]))
        enough.sort(reverse=self._fill == "spread")
        return next((node for free in enough for node in self._by_free[free] if fits(node)), None)
