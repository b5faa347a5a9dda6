"""What a check found: problems refuse the run, notes do not; what could not be compared is no news."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """Sentences. A problem says what is wrong, with the figures, and what to do; `not_compared` says what
    nobody looked at, and how to have it looked at.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over what another check found."""
        self.problems += other.problems
        self.notes += other.notes
        self.not_compared += other.not_compared
