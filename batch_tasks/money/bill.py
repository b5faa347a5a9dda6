"""The bill of a run: the estimate before, what was spent after, and no run that cannot keep its ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from batch_tasks.clients import account_signed_in, batch_client
from batch_tasks.errors import InputError
from batch_tasks.money.estimate import estimate
from batch_tasks.money.prices import RETAIL, PriceTable, price_table
from batch_tasks.money.retail import SERVICE, NoRetailPriceError, region_of, retail_table
from batch_tasks.money.spending import Spending, metered
from batch_tasks.options import PoolOptions
from batch_tasks.patience import FIRST_CONTACT, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.report import RunReport
from batch_tasks.stage import log


class Bill:
    """What a run has spent, for its report."""

    def __init__(self, spending: Spending) -> None:
        self._spending = spending

    def on(self, report: RunReport) -> RunReport:
        """The report with what was spent until now; nodes bill on for the minutes that they take to leave."""
        return replace(report, cost=self._spending.spent(datetime.now(UTC)))


@contextmanager
def billed(plan: RunPlan, pool: PoolOptions) -> Iterator[Bill]:
    """Within the block the run's nodes are metered and its ceiling holds.

    Raises:
        InputError: the price table cannot be used, or has no price for a run that has a ceiling.
    """
    prices = prices_for(pool)
    if problem := ceiling_problem(pool, prices):
        raise InputError([problem])
    if pool.kind != "existing":
        log().info(estimate(plan, pool, prices).words(prices))
    with metered(Spending(plan.created, prices, pool.max_cost or None)) as spending:
        yield Bill(spending)


def prices_for(pool: PoolOptions, service: str = SERVICE) -> PriceTable:
    """The table that the pool's options ask for. Where the retail price service gives no price for what the
    run asks, that is said, and the shipped table is used.

    Raises:
        InputError: as `price_table`.
    """
    if pool.prices != RETAIL:
        return price_table(pool.prices)
    try:
        return _retail(pool, service)
    except NoRetailPriceError as error:
        table = price_table()
        log().warning(
            "No price of today from the retail price service: %s. Amounts are %s instead.",
            error,
            table.valid,
        )
        return table


def _retail(pool: PoolOptions, service: str) -> PriceTable:
    endpoint = account_signed_in().batch_endpoint
    region = region_of(endpoint)
    if region is None:
        raise NoRetailPriceError(f"the Batch endpoint {endpoint} does not tell a region")
    size = vm_size_of(pool)
    table = retail_table(size, region, service)
    if pool.kind != "existing" and pool.spot_nodes and table.price(size, dedicated=False) is None:
        raise NoRetailPriceError(f"it has none of Spot nodes of {size} in {region}")
    return table


def vm_size_of(pool: PoolOptions) -> str:
    """The VM size of the run's nodes: what the options say, or what the existing pool has."""
    if pool.kind != "existing":
        return pool.vm_size
    return patiently(lambda: batch_client().get_pool(pool.pool_id), patience=FIRST_CONTACT).vm_size or ""


def ceiling_problem(pool: PoolOptions, prices: PriceTable) -> str | None:
    """Why `max_cost` could not be held; None when it can, or is not asked for. Pure."""
    if not pool.max_cost or pool.kind == "existing":
        return None
    asked = [(True, pool.dedicated_nodes, "dedicated"), (False, pool.spot_nodes, "Spot")]
    for dedicated, number, words in asked:
        if number and prices.price(pool.vm_size, dedicated=dedicated) is None:
            return (
                f"max_cost is {pool.max_cost:g}, but the price table of {prices.region} of "
                f"{prices.date:%Y-%m-%d} has no price of a {words} {pool.vm_size}: name a table with one in "
                "`prices`, or leave max_cost out."
            )
    return None
