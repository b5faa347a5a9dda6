"""The faults that are in force, and the decision whether one strikes.

Each has its own random numbers, from the seed and its id: what one draws does not depend on the others.
"""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from random import Random
from typing import TypeVar

from batch_emulator.faults.kinds import Fault

F = TypeVar("F", bound=Fault)


class Rule:
    """One fault in force: how often it was asked, and how often it has struck."""

    def __init__(self, number: int, fault: Fault, seed: str) -> None:
        self.number = number
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self.random = Random(f"{seed}:{number}")  # noqa: S311 - chance, not secrecy

    def strikes(self) -> bool:
        """Whether it strikes what it was just found to match."""
        self.seen += 1
        fault = self.fault
        if fault.next is not None:
            struck = self.hits < fault.next
        elif fault.every is not None:
            struck = self.seen % fault.every == 0
        else:
            struck = fault.probability is None or self.random.random() < fault.probability
        self.hits += struck
        return struck


class Rules:
    """All faults in force, in the order in which they were added."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._rules: dict[int, Rule] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Rule]:
        return iter(list(self._rules.values()))

    def __contains__(self, rule: Rule) -> bool:
        return self._rules.get(rule.number) is rule

    def add(self, fault: Fault) -> Rule:
        """Put a fault in force."""
        self._last += 1
        rule = self._rules[self._last] = Rule(self._last, fault, self._seed)
        return rule

    def remove(self, number: int) -> bool:
        """Take a fault out of force; False if there is none of this number."""
        return self._rules.pop(number, None) is not None

    def clear(self) -> None:
        """Take all faults out of force."""
        self._rules.clear()

    def struck(self, kind: type[F], matches: Callable[[F], bool]) -> Iterator[F]:
        """The faults of a kind that strike now, of those that match."""
        for rule in list(self._rules.values()):
            fault = rule.fault
            if isinstance(fault, kind) and matches(fault) and rule.strikes():
                yield fault


def like(text: str, pattern: str) -> bool:
    """Whether an id matches a pattern, without regard to case."""
    return pattern == "*" or fnmatchcase(text.lower(), pattern.lower())
