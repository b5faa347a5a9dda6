"""What the run will cost, and whether its ceiling can be held."""

from __future__ import annotations

from batch_tasks.errors import InputError
from batch_tasks.money.bill import ceiling_problem, kinds_of, prices_for
from batch_tasks.money.estimate import estimate
from batch_tasks.money.prices import PriceTable, price_table
from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pre_flight.findings import Findings


def priced(plan: RunPlan, pool: PoolOptions) -> tuple[PriceTable, Findings]:
    """The prices that hold for the run, and what they say of it.

    Raises:
        AzureError: an existing pool cannot be looked at.
    """
    found = Findings()
    try:
        prices = prices_for(pool)
    except InputError as error:
        return price_table(), Findings(list(error.problems))
    if pool.kind != "existing":
        found.notes.append(estimate(plan, pool, prices).words(prices))
    if pool.max_cost and (problem := ceiling_problem(pool.max_cost, kinds_of(pool), prices)):
        found.problems.append(problem)
    return prices, found
