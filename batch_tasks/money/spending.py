"""What a run spends: told by whoever lists its nodes, read by its report, held below a ceiling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from azure.batch.models import BatchNode

from batch_tasks.money.meter import UNBILLED, Meter, NodeKind, NodeTime, Sighting
from batch_tasks.money.prices import PriceTable
from batch_tasks.wire import wire_value

NODE_FIELDS = "id,state,stateTransitionTime,allocationTime,isDedicated,vmSize"
"""What must be selected of nodes for `nodes_seen`."""
_BILLED = ("starting", "idle", "running", "other")
"""What nodes do in the hours that are billed, in the order of a node's life."""


@dataclass(frozen=True)
class Spent:
    """Node-seconds and what they cost. `amount` is None where a price is missing; `prices` says whose prices
    they are: no amount is a fact without that.
    """

    seconds_by_doing: Mapping[str, float]
    node_seconds: float
    amount: float | None
    currency: str
    prices: str

    @property
    def cost(self) -> str:
        """The amount in words; `prices` belongs beside it."""
        return "No price known" if self.amount is None else f"{_figure(self.amount)} {self.currency}"

    @property
    def hours(self) -> str:
        """The node-hours that are billed, as a figure."""
        return _figure(self.node_seconds / 3600)

    @property
    def doing(self) -> str:
        """What nodes did in these hours, and how long they were away; "" where no node was seen."""
        by = self.seconds_by_doing
        each = ", ".join(f"{_figure(by[doing] / 3600)} {doing}" for doing in _BILLED if by.get(doing))
        away = f"{_figure(by[UNBILLED] / 3600)} {UNBILLED}, not billed" if by.get(UNBILLED) else ""
        return "; ".join(filter(None, (each, away)))

    @property
    def words(self) -> str:
        """One line for people."""
        return f"Nodes until the end of the run: {self.cost}, {self.prices}. Node-hours: {self.apart}."

    @property
    def apart(self) -> str:
        """The node-hours and what they are made of, in words."""
        return f"{self.hours} ({self.doing})" if self.doing else self.hours

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "node_seconds": self.node_seconds,
            "seconds_by_doing": dict(self.seconds_by_doing),
            "amount": self.amount,
            "currency": self.currency,
            "prices": self.prices,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """What `as_dict` gave.

        Raises:
            KeyError, TypeError, ValueError: these are other values.
        """
        amount = values["amount"]
        return cls(
            {str(doing): float(seconds) for doing, seconds in dict(values["seconds_by_doing"]).items()},
            float(values["node_seconds"]),
            None if amount is None else float(amount),
            str(values["currency"]),
            str(values["prices"]),
        )

    def after(self, earlier: Spent | None) -> Spent:
        """This, and what an earlier attempt had spent. Amounts of two currencies make none."""
        if earlier is None:
            return self
        by_doing = Counter(earlier.seconds_by_doing)
        by_doing.update(self.seconds_by_doing)
        amounts = (self.amount, earlier.amount) if self.currency == earlier.currency else (None,)
        known = [amount for amount in amounts if amount is not None]
        return replace(
            self,
            seconds_by_doing=dict(by_doing),
            node_seconds=self.node_seconds + earlier.node_seconds,
            amount=sum(known) if len(known) == len(amounts) else None,
        )


def _figure(number: float) -> str:
    return "under 0.01" if 0 < number < 0.005 else f"{number:.2f}"


class Spending:
    """The meter of one run, its prices and its ceiling."""

    def __init__(self, began: datetime, prices: PriceTable, ceiling: float | None = None) -> None:
        self._meter = Meter(began)
        self._prices = prices
        self._ceiling = ceiling
        self._earlier: Spent | None = None
        self.looked = False

    def begin(self, at: datetime) -> None:
        """An earlier attempt of the run began then: what its nodes cost since is the run's, too."""
        self._meter.begin(at)

    def go_on(self, earlier: Spent) -> None:
        """Earlier attempts of the run had spent this."""
        self._earlier = earlier

    def look(self, sightings: Iterable[Sighting], now: datetime) -> None:
        """All nodes that are there now."""
        self._meter.look(sightings, now)
        self.looked = True

    def spent(self, now: datetime | None = None) -> Spent:
        """What was spent until the last look, or until `now` if the nodes are as they were."""
        time = self._meter.read(now)
        return Spent(
            time.by_doing(),
            time.node_seconds,
            cost(time, self._prices),
            self._prices.currency,
            self._prices.valid,
        ).after(self._earlier)

    def over(self, now: datetime | None = None) -> str | None:
        """Why the run must stop; None while it is below its ceiling, or has none. With `now`, the nodes seen
        last are taken to be there still: a look that fails stops no clock.
        """
        if self._ceiling is None:
            return None
        currency, time = self._prices.currency, self._meter.read(now)
        if (kind := unpriced(time, self._prices)) is not None:
            return (
                f"max_cost is {self._ceiling:.2f} {currency}, and what the run costs is not known: "
                f"{self._prices.name} has no price of a {kind.words}, which its pool has. What is done is "
                "kept; name a table with one in `prices`, or leave max_cost out."
            )
        amount = (cost(time, self._prices) or 0.0) + self._earlier_amount()
        if amount < self._ceiling:
            return None
        return (
            f"The run has cost {amount:.2f} {currency} {self._prices.valid}, and max_cost is "
            f"{self._ceiling:.2f} {currency}. What is done is kept; start another run for the rest."
        )

    def _earlier_amount(self) -> float:
        """Nothing of another currency: who changes the table of prices between two attempts changes both."""
        earlier = self._earlier
        if earlier is None or earlier.amount is None or earlier.currency != self._prices.currency:
            return 0.0
        return earlier.amount


def cost(time: NodeTime, prices: PriceTable) -> float | None:
    """What the time costs; None where a price is missing."""
    if unpriced(time, prices) is not None:
        return None
    return sum(
        time.billed(kind) * (prices.price(kind.vm_size, dedicated=kind.dedicated) or 0.0) / 3600
        for kind in time.seconds
    )


def unpriced(time: NodeTime, prices: PriceTable) -> NodeKind | None:
    """A kind of node that was there and has no price; None where all have one."""
    missing = (kind for kind in time.seconds if prices.price(kind.vm_size, dedicated=kind.dedicated) is None)
    return next(missing, None)


_spending: ContextVar[Spending | None] = ContextVar("spending_of_the_run", default=None)


@contextmanager
def metered(spending: Spending) -> Iterator[Spending]:
    """Within the block, `nodes_seen` counts for this run; threads that copy the context do, too."""
    token = _spending.set(spending)
    try:
        yield spending
    finally:
        _spending.reset(token)


def nodes_seen(nodes: Iterable[BatchNode], now: datetime | None = None) -> None:
    """All nodes of the run's pool at this moment, read with `NODE_FIELDS`."""
    spending = _spending.get()
    if spending is not None:
        spending.look(filter(None, map(sighting, nodes)), now or datetime.now(UTC))


def too_expensive(now: datetime | None = None) -> str | None:
    """Why the run of this context must stop for its cost by now; None while it need not."""
    spending = _spending.get()
    return spending.over(now or datetime.now(UTC)) if spending else None


def sighting(node: BatchNode) -> Sighting | None:
    """A node as our own value; None for one that Batch has not allocated yet."""
    allocated: datetime | None = node.allocation_time
    if allocated is None:
        return None
    return Sighting(
        node.id,
        node.vm_size or "",
        bool(node.is_dedicated),
        wire_value(node.state),
        node.state_transition_time or allocated,
        allocated,
    )
