"""How long each node stood in a pool and in which states: what the service would bill for.

A node is billed from its allocation until it has left its pool, whatever its state (documented); not while it
is preempted or deallocated, when no machine is there (assumed).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from batch_emulator.lifecycle import NodeState

UNBILLED = frozenset({NodeState.PREEMPTED, NodeState.DEALLOCATED})
"""States without a machine."""


@dataclass(slots=True)
class Stay:
    """One node in one pool, from its allocation on, kept when it has left. Times are since the epoch."""

    pool_id: str
    node_id: str
    dedicated: bool
    vm_size: str
    allocated: float
    left: float | None = None
    state: NodeState = NodeState.CREATING
    since: float = 0.0
    """When the present state began."""
    seconds: defaultdict[NodeState, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds in each state, the present one not counted yet."""
    closed: list[tuple[float, float]] = field(default_factory=list)
    """Billed times that are over."""
    open: float | None = None
    """Since when it is billed; None while it is not."""

    def enter(self, state: NodeState, now: float) -> None:
        """Note that the node changes its state."""
        self.seconds[self.state] += now - self.since
        self.state, self.since = state, now
        if state in UNBILLED:
            self._close(now)
        elif self.open is None:
            self.open = now

    def leave(self, now: float) -> None:
        """Note that the node has left its pool."""
        self.seconds[self.state] += now - self.since
        self.since = self.left = now
        self._close(now)

    def _close(self, now: float) -> None:
        if self.open is not None:
            self.closed.append((self.open, now))
        self.open = None

    def billed(self, now: float) -> Iterator[tuple[float, float]]:
        """The times in which the node is billed, as begin and end, up to now."""
        yield from self.closed
        if self.open is not None:
            yield self.open, now

    def node_seconds(self, now: float) -> float:
        """How many seconds of this node are billed up to now."""
        return sum(end - begin for begin, end in self.billed(now))

    def seconds_by_state(self, now: float) -> dict[str, float]:
        """Seconds in each state up to now, by the state's name on the wire."""
        counted = dict(self.seconds)
        if self.left is None:
            counted[self.state] = counted.get(self.state, 0.0) + now - self.since
        return {state.value: seconds for state, seconds in counted.items() if seconds > 0}


def begin(pool_id: str, node_id: str, *, dedicated: bool, vm_size: str, now: float) -> Stay:
    """The stay of a node that is being created now."""
    return Stay(pool_id, node_id, dedicated, vm_size, allocated=now, since=now, open=now)
