"""All that a formula can look at: the samples, the counts of nodes, the time and a source of chance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

SAMPLE_PERIOD = 30.0
"""Seconds between two samples (documented)."""


class Sample(NamedTuple):
    """One measurement: when, in epoch seconds, and how much."""

    time: float
    value: float


def _one_half() -> float:
    return 0.5


@dataclass(frozen=True, slots=True)
class Inputs:
    """The pool as a formula sees it at one moment."""

    now: float
    """The time of the evaluation, in epoch seconds; ``time()`` in a formula."""
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    """By the variable's name with its "$", oldest first. A variable that is missing has no samples."""
    current_dedicated: int = 0
    current_low_priority: int = 0
    """Preempted nodes included (documented)."""
    random: Callable[[], float] = _one_half
    """``rand()``: a number from 0 to 1."""
    target_dedicated: int | None = None
    """The target in force, which a formula can read; None means as many as there are now."""
    target_low_priority: int | None = None
    task_slots_per_node: int = 1

    @property
    def dedicated_in_force(self) -> int:
        """The target of dedicated nodes that stands if the formula sets none."""
        return self.current_dedicated if self.target_dedicated is None else self.target_dedicated

    @property
    def low_priority_in_force(self) -> int:
        """The target of low-priority nodes that stands if the formula sets none."""
        return self.current_low_priority if self.target_low_priority is None else self.target_low_priority
