"""Faults of the world: they become events of the scheduler, quotas, or another event than the one at hand."""

from collections.abc import Callable, Iterator
from functools import partial

from batch_emulator import errors
from batch_emulator.clock import Clock
from batch_emulator.events import AllocationDone, Event
from batch_emulator.faults import kinds
from batch_emulator.faults.kinds import Fault
from batch_emulator.faults.rules import Rule, Rules, like
from batch_emulator.lifecycle import NODE, AllocationState, NodeEvent
from batch_emulator.node_events import BreakNode, FailResize, LoseContact, PreemptNode, RegainContact
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Node, Pool, key
from batch_emulator.scheduler import Quotas, World

_STRIKES: dict[type[Fault], NodeEvent] = {
    kinds.Preempt: NodeEvent.PREEMPT,
    kinds.Unusable: NodeEvent.BROKEN,
    kinds.ContactLost: NodeEvent.CONTACT_LOST,
}
"""What happens to a node that a fault strikes: only nodes to which it can happen are drawn."""


class WorldFaults:
    """Puts faults in force, and lets those that have their time strike when it comes.

    Args:
        rules: the faults in force.
        world: the scheduler's, to be read; its quotas are set.
        clock: calls back when a fault is due.
        submit: lets an event happen.
    """

    def __init__(self, rules: Rules, world: World, clock: Clock, submit: Callable[[Event], None]) -> None:
        self._rules = rules
        self._world = world
        self._clock = clock
        self._submit = submit

    def add(self, fault: Fault) -> Rule:
        """Put a fault in force."""
        rule = self._rules.add(fault)
        if isinstance(fault, kinds.TimedFault):
            self._clock.call_later(fault.at, partial(self._strike, rule, fault))
        self.apply_quotas()
        return rule

    def remove(self, number: int) -> bool:
        """Take a fault out of force; False if there is none of this number."""
        removed = self._rules.remove(number)
        self.apply_quotas()
        return removed

    def clear(self) -> None:
        """Take all faults out of force."""
        self._rules.clear()
        self.apply_quotas()

    def apply_quotas(self) -> None:
        """Let the quotas in force be those of the world; of several the latest counts."""
        quotas: dict[str, int] = {}
        for rule in self._rules:
            if isinstance(rule.fault, kinds.Quota):
                given = {
                    "pools": rule.fault.pools,
                    "active_jobs": rule.fault.jobs,
                    "dedicated_cores": rule.fault.dedicated_cores,
                    "low_priority_cores": rule.fault.low_priority_cores,
                }
                quotas |= {name: most for name, most in given.items() if most is not None}
        self._world.quotas = Quotas(**quotas)

    @property
    def account_skew(self) -> float:
        """Seconds by which the account's clock is ahead of real time."""
        skews = [rule.fault for rule in self._rules if isinstance(rule.fault, kinds.ClockSkew)]
        return sum(skew.seconds for skew in skews if skew.of == "account")

    def instead_of(self, event: Event) -> Event:
        """The event that happens instead of this one: machines that were asked for may not be there."""
        if not isinstance(event, AllocationDone):
            return event
        pool = self._world.account.pools.get(event.pool)
        due = pool is not None and pool.resize_epoch == event.epoch
        if pool is None or not due or pool.allocation is not AllocationState.RESIZING or not _lacks(pool):
            return event
        pool_id = pool.id
        for fault in self._rules.struck(kinds.ResizeError, lambda fault: like(pool_id, fault.pool)):
            return FailResize(event.pool, Failure("UserError", fault.code, fault.message))
        return event

    def _strike(self, rule: Rule, fault: kinds.TimedFault) -> None:
        if rule not in self._rules:
            return
        if fault.again is not None:
            self._clock.call_later(fault.again, partial(self._strike, rule, fault))
        candidates = list(self._candidates(fault))
        if not candidates or not rule.strikes():
            return
        for pool, node in rule.random.sample(candidates, min(fault.count, len(candidates))):
            try:
                self._happen(fault, key(pool.id), node.id)
            except errors.BatchError:
                continue  # what happened to another node has changed this one

    def _candidates(self, fault: kinds.TimedFault) -> Iterator[tuple[Pool, Node]]:
        happens = _STRIKES[type(fault)]
        for pool in self._world.account.pools.values():
            for node in pool.nodes.values() if like(pool.id, fault.pool) else ():
                spot_only = isinstance(fault, kinds.Preempt) and node.dedicated
                if happens in NODE[node.state] and like(node.id, fault.node) and not spot_only:
                    yield pool, node

    def _happen(self, fault: kinds.TimedFault, pool: str, node: str) -> None:
        match fault:
            case kinds.Preempt():
                self._submit(PreemptNode(pool, node, fault.restore))
            case kinds.Unusable(code=None):
                self._submit(BreakNode(pool, node))
            case kinds.Unusable(code=str(code)):
                self._submit(BreakNode(pool, node, Failure("ServerError", code, fault.message)))
            case kinds.ContactLost():
                self._submit(LoseContact(pool, node))
                if fault.restore is not None:
                    self._clock.call_later(fault.restore, partial(self._regain, pool, node))

    def _regain(self, pool: str, node: str) -> None:
        found = self._world.node(pool, node)
        if found is not None and NodeEvent.CONTACT_REGAINED in NODE[found.state]:
            self._submit(RegainContact(pool, node))


def _lacks(pool: Pool) -> bool:
    have = sum(not node.leaving for node in pool.nodes.values())
    return have < pool.target_dedicated + pool.target_low_priority
