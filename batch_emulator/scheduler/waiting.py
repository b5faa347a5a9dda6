"""The books of dependencies: which tasks of one job wait for which ids, and for which ranges of numbers.

A range can hold a million numbers, most of which no task bears. So a task does not wait for each of them: it
looks at one that is not met, and when that is, at the next one. Tasks that look at the same number and have
the same end before them move on together.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from batch_emulator.resources import Task


@dataclass(slots=True)
class Waiting:
    """What the tasks of one job wait for."""

    by_id: dict[str, list[Task]] = field(default_factory=dict)
    watched: dict[int, dict[int, list[Task]]] = field(default_factory=dict)
    """The tasks that look at a number, by the end of their range."""
    unmet: Counter[int] = field(default_factory=Counter)
    """How many tasks bear a number and do not let others run (yet): 7 and 007 bear the same."""
    met: set[int] = field(default_factory=set)
    """Numbers that a task bore which let others run; it may be deleted by now."""

    def add(self, number: int) -> None:
        """A task with this number is there, still to be run."""
        self.unmet[number] += 1

    def remove(self, number: int) -> Iterator[Task]:
        """A task with this number is gone before it let others run; gives the tasks that wait no more."""
        self.unmet[number] -= 1
        yield from self._move_on(number)

    def meet(self, number: int) -> Iterator[Task]:
        """A task with this number lets others run; gives the tasks that have come to the end of a range."""
        self.unmet[number] -= 1
        self.met.add(number)
        yield from self._move_on(number)

    def watch(self, task: Task, start: int, end: int) -> bool:
        """Let a task wait for all numbers of a range; False if it need not."""
        number = self._first_unmet(start, end)
        if number is not None:
            self.watched.setdefault(number, {}).setdefault(end, []).append(task)
        return number is not None

    def _is_met(self, number: int) -> bool:
        return number in self.met and number not in self.unmet

    def _first_unmet(self, start: int, end: int) -> int | None:
        return next((number for number in range(start, end + 1) if not self._is_met(number)), None)

    def _move_on(self, number: int) -> Iterator[Task]:
        if not self.unmet[number]:
            del self.unmet[number]
        if not self._is_met(number):
            return
        for end, tasks in self.watched.pop(number, {}).items():
            following = self._first_unmet(number + 1, end)
            if following is None:
                yield from tasks
            else:
                self.watched.setdefault(following, {}).setdefault(end, []).extend(tasks)
