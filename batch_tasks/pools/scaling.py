"""The autoscale formula of every pool of ours: nodes from the start, and none left when nobody is there.

The pool scales itself from the moment it exists, so the bound on what it may cost holds without our process:
after `STARTUP` it has no more nodes than the pending tasks fill, none when nothing is pending, and none after
the deadline whatever is pending.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batch_tasks.naming import TIMESTAMP
from batch_tasks.options import PoolOptions

STARTUP = timedelta(minutes=30)
"""How long nodes are kept although no task is pending: uploads take a while, and so does allocation."""
WINDOW = timedelta(minutes=10)
"""How long nothing must have been pending before the nodes go."""
EVALUATION = timedelta(minutes=5)
"""How often Batch evaluates the formula; the shortest it allows (documented)."""
LEAVING = timedelta(minutes=5)
"""What Batch is granted to take nodes away ("a few minutes" is documented, no figure)."""


@dataclass(frozen=True)
class Scaling:
    """How many dedicated and Spot nodes a pool has at most, its two times (UTC, whole seconds), and how many
    tasks a node takes at once.
    """

    dedicated: int
    spot: int
    startup: datetime
    deadline: datetime
    slots: int

    def formula(self) -> str:
        """The autoscale formula: all nodes at first, then as many as pending tasks fill, Spot nodes going
        before dedicated ones. Without enough samples of pending tasks nodes stay until the deadline.

        The language has no whole-number division (documented). Batch cuts a target down to a whole number
        (seen in an issue of the service), which makes of `needed` what the tasks fill exactly; if it rounded,
        there would be one node too many at most, and never one too few.
        """
        minutes = f"{WINDOW.total_seconds() / 60:.0f} * TimeInterval_Minute"
        return "\n".join(
            (
                f'startup = time("{self.startup:{TIMESTAMP}}");',
                f'deadline = time("{self.deadline:{TIMESTAMP}}");',
                f"dedicated = {self.dedicated};",
                f"spot = {self.spot};",
                f"slots = {self.slots};",
                "most = dedicated + spot;",
                f"sampled = $PendingTasks.GetSamplePercent({minutes});",
                f"pending = sampled < 70 ? most * slots : max($PendingTasks.GetSample({minutes}));",
                "needed = pending > 0 ? (pending + slots - 1) / slots : 0;",
                "alive = time() < startup ? most : needed;",
                "wanted = time() < deadline ? alive : 0;",
                "$TargetDedicatedNodes = min(dedicated, wanted);",
                "$TargetLowPriorityNodes = max(0, min(spot, wanted - dedicated));",
                "$NodeDeallocationOption = taskcompletion;",
            )
        )

    @classmethod
    def parse(cls, formula: str) -> Scaling | None:
        """What a formula of ours says; None for any other."""
        times = re.findall(r'^(?:startup|deadline) = time\("([^"]*)"\);$', formula, re.MULTILINE)
        counts = re.findall(r"^(?:dedicated|spot|slots) = (\d+);$", formula, re.MULTILINE)
        if len(times) != 2 or len(counts) != 3:
            return None
        startup, deadline = (datetime.strptime(text, TIMESTAMP).replace(tzinfo=UTC) for text in times)
        return cls(int(counts[0]), int(counts[1]), startup, deadline, int(counts[2]))

    def with_room_for(self, other: Scaling) -> Scaling:
        """What serves both: a pool that several runs use at once never shrinks under one of them."""
        return Scaling(
            max(self.dedicated, other.dedicated),
            max(self.spot, other.spot),
            max(self.startup, other.startup),
            max(self.deadline, other.deadline),
            min(self.slots, other.slots),
        )


def scaling(tasks: int, pool: PoolOptions, created: datetime, expires: datetime) -> Scaling:
    """The scaling for a run of so many tasks."""
    return Scaling(*nodes_wanted(tasks, pool), created + STARTUP, expires, pool.task_slots_per_node)


def nodes_wanted(tasks: int, pool: PoolOptions) -> tuple[int, int]:
    """How many dedicated and how many Spot nodes: as many as the tasks fill, within what is allowed."""
    needed = max(1, math.ceil(tasks / pool.task_slots_per_node))
    dedicated = min(pool.dedicated_nodes, needed)
    return dedicated, min(pool.spot_nodes, needed - dedicated)


def last_billed(created: datetime, expires: datetime, last_pending: datetime | None = None) -> datetime:
    """Until when at most nodes bill if the driver dies, however it does.

    `last_pending` is when the last task ended; None when that is not known: then the deadline bounds it, at
    which the job's wall clock ends what runs and the formula wants no node.
    """
    idle = max(created + STARTUP, last_pending + WINDOW) if last_pending else expires
    return min(idle, expires) + EVALUATION + LEAVING
