"""What a run will cost, before anything is made: what is expected, and what it can be at most. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from batch_tasks.money.prices import PriceTable
from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.scaling import EVALUATION, LEAVING, nodes_wanted

BOOT = timedelta(minutes=2)
"""From a node's allocation to its first task, without a start task (assumed; 20 s were recorded)."""


@dataclass(frozen=True)
class Estimate:
    """Node-seconds and cost: as expected, where it was said how long a file takes, and at most, whatever is
    tried again: all nodes until `hours`, the run's time, are over. No cost where the table has no price.
    """

    most_seconds: float
    most: float | None
    expected_seconds: float | None
    expected: float | None
    hours: float

    def words(self, prices: PriceTable) -> str:
        """One line for people."""
        if self.most is None:
            return f"No estimate of cost: the {prices.valid.removeprefix('by ')} have none for these nodes."
        hours = f"if no node goes before its {self.hours:g} hours are over"
        amount = f"at most {self.most:.2f} {prices.currency}, {hours}"
        if self.expected is not None:
            amount = f"{self.expected:.2f} {prices.currency} expected, {amount}"
        return f"Estimated cost of nodes: {amount}, {prices.valid}."


def estimate(plan: RunPlan, pool: PoolOptions, prices: PriceTable, boot: timedelta = BOOT) -> Estimate:
    """The estimate for a plan on a pool of this run alone."""
    dedicated, spot = nodes_wanted(len(plan.tasks), pool)
    nodes = dedicated + spot
    rounds = math.ceil(len(plan.tasks) / (nodes * pool.task_slots_per_node)) if nodes else 0
    files = max((len(task.files) for task in plan.tasks), default=0)
    time = plan.expires - plan.created
    most = (time + EVALUATION + LEAVING).total_seconds()
    moved = spot if plan.retry.dedicated_after else 0  # may be there beside the Spot nodes they replace
    dearest = _hourly(pool, dedicated + moved, spot, prices)
    hourly = _hourly(pool, dedicated, spot, prices)
    expected = None
    if pool.expected_minutes:
        expected = (boot + rounds * files * timedelta(minutes=pool.expected_minutes)).total_seconds()
    return Estimate(
        most * (nodes + moved),
        None if dearest is None else dearest * most / 3600,
        None if expected is None else expected * nodes,
        None if hourly is None or expected is None else hourly * expected / 3600,
        time.total_seconds() / 3600,
    )


def _hourly(pool: PoolOptions, dedicated: int, spot: int, prices: PriceTable) -> float | None:
    total = 0.0
    for number, is_dedicated in ((dedicated, True), (spot, False)):
        price = prices.price(pool.vm_size, dedicated=is_dedicated)
        if number and price is None:
            return None
        total += number * (price or 0.0)
    return total
