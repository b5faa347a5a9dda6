"""The bill of a run: its prices, what was spent, and why a ceiling could not be kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from azure.batch.models import BatchPool

from batch_tasks.clients import account_signed_in, batch_client
from batch_tasks.keep_report import write_whole
from batch_tasks.money.meter import NodeKind
from batch_tasks.money.prices import RETAIL, PriceTable, price_table
from batch_tasks.money.retail import SERVICE, NoRetailPriceError, region_of, retail_table
from batch_tasks.money.spending import Spending, Spent, metered
from batch_tasks.money.watch import Watch, watched
from batch_tasks.options import PoolOptions
from batch_tasks.patience import FIRST_CONTACT, patiently
from batch_tasks.plan import RunPlan
from batch_tasks.report import RunReport
from batch_tasks.stage import log

SPENT = "spent.json"
"""In the run's own folder beside its outputs."""


class Bill:
    """What a run has spent, for its report and its log."""

    def __init__(self, spending: Spending) -> None:
        self._spending = spending
        self._told = False
        self._told_until: datetime | None = None

    def begin(self, at: datetime | None) -> None:
        """What an earlier attempt left is from then, if it left something: nodes since are the run's, but for
        the time that `go_on` read of. Where nothing is left, the time between two attempts is nobody's.
        """
        if at is not None:
            self._spending.begin(max(at, self._told_until or at))

    def go_on(self, told: Path) -> None:
        """Read what an earlier attempt of this same run had spent, if it came to tell."""
        with suppress(OSError, ValueError, KeyError, TypeError):  # none, or not ours
            values = json.loads(told.read_text("utf-8"))
            earlier, until = Spent.of(values), datetime.fromisoformat(values["until"])
            self._spending.go_on(earlier)
            self._told_until = until

    def keep(self, folder: Path) -> None:
        """Tell a later attempt what was spent until now, unless no node was seen."""
        if self._spending.looked:
            now = datetime.now(UTC)
            told = {"until": now.isoformat(), **self._spending.spent(now).as_dict()}
            write_whole(folder, SPENT, json.dumps(told, indent=1) + "\n")

    def tell(self) -> None:
        """Log what was spent, unless a report tells it or there were no nodes to see."""
        if self._spending.looked and not self._told:
            log().info(self._spending.spent(datetime.now(UTC)).words)

    def on(self, report: RunReport) -> RunReport:
        """The report with what was spent until now; nodes bill on for the minutes that they take to leave."""
        self._told = True
        return replace(report, cost=self._spending.spent(datetime.now(UTC)))


@contextmanager
def billed(plan: RunPlan, pool: PoolOptions, prices: PriceTable, folder: Path) -> Iterator[Bill]:
    """Within the block the run's nodes are metered and its ceiling holds, with what earlier attempts had
    spent. What was spent is told however the block ends: to people, and in the run's own folder to a later
    attempt.
    """
    with (
        metered(Spending(plan.created, prices, pool.max_cost or None)) as spending,
        watched(_watch(plan, pool)),
    ):
        bill = Bill(spending)
        bill.go_on(folder / SPENT)
        try:
            yield bill
        finally:
            bill.tell()
            bill.keep(folder)


def _watch(plan: RunPlan, pool: PoolOptions) -> Watch | None:
    """None for a pool that Batch makes with the job: it has no nodes before the tasks are waited for."""
    if pool.kind == "auto":
        return None
    return Watch(pool.pool_id if pool.shared else plan.names.pool_id)


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
    return pool.vm_size if pool.kind != "existing" else _existing(pool).vm_size or ""


def kinds_of(pool: PoolOptions) -> list[NodeKind]:
    """The kinds of node that the run pays: those it asks for, or those that the existing pool has, is to
    have, or may come to have by its formula.
    """
    if pool.kind != "existing":
        size, dedicated, spot = pool.vm_size, pool.dedicated_nodes > 0, pool.spot_nodes > 0
    else:
        there = _existing(pool)
        size, formula = there.vm_size or "", (there.auto_scale_formula or "").lower()
        dedicated = "$targetdedicatednodes" in formula or bool(
            there.target_dedicated_nodes or there.current_dedicated_nodes
        )
        spot = "$targetlowprioritynodes" in formula or bool(
            there.target_low_priority_nodes or there.current_low_priority_nodes
        )
    return [NodeKind(size.lower(), kind) for kind, wanted in ((True, dedicated), (False, spot)) if wanted]


def _existing(pool: PoolOptions) -> BatchPool:
    return patiently(lambda: batch_client().get_pool(pool.pool_id), patience=FIRST_CONTACT)


def ceiling_problem(max_cost: float, kinds: Iterable[NodeKind], prices: PriceTable) -> str | None:
    """Why `max_cost` could not be held with such nodes; None when it can. Pure."""
    for kind in kinds:
        if prices.price(kind.vm_size, dedicated=kind.dedicated) is None:
            return (
                f"max_cost is {max_cost:g}, but {prices.name} has no price of a {kind.words}: name a table "
                "with one in `prices`, or leave max_cost out."
            )
    return None
