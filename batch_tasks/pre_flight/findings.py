"""What a check found: problems refuse the run, notes do not."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """Sentences. A problem says what is wrong, with the figures, and what to do."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over what another check found."""
        self.problems += other.problems
        self.notes += other.notes
