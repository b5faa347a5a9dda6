"""What can be known to go wrong is found here: before anything is made, all of it at once.

Each module asks about one thing; nothing of what they do changes the account.
"""

from __future__ import annotations

from collections.abc import Callable

from batch_tasks.concurrently import concurrently
from batch_tasks.errors import PreFlightFailed
from batch_tasks.money.prices import PriceTable, price_table
from batch_tasks.node_urls import SAS_MARGIN
from batch_tasks.options import PoolOptions
from batch_tasks.plan import RunPlan
from batch_tasks.pools.checked import Checked, check_pool, check_size
from batch_tasks.pools.scaling import nodes_wanted
from batch_tasks.pre_flight.access import batch_findings, blobs_findings
from batch_tasks.pre_flight.findings import Findings
from batch_tasks.pre_flight.identity import identity_findings
from batch_tasks.pre_flight.money import priced
from batch_tasks.pre_flight.quotas import Wanted, quota_findings
from batch_tasks.pre_flight.requests import signatures, size_of_requests
from batch_tasks.report import RunReport
from batch_tasks.stage import log

ASKED_FOR = "asked_for"
"""The attribute of a log record: whether somebody wanted to hear this, and nothing but this."""


def pre_flight(plan: RunPlan, pool: PoolOptions, *, asked_for: bool = False) -> PriceTable:
    """Refuse a run that cannot go well, before it makes anything; what is merely worth knowing is logged, and
    what could not be compared too where somebody asked for this check. Gives the prices of its nodes.

    Raises:
        PreFlightFailed: with every problem that was found.
    """
    found = findings(plan, pool)
    prices = price_table()
    if pool.kind != "existing" or not found.problems:  # else the pool may be what is wrong
        prices, costs = priced(plan, pool)
        found.add(costs)
    for note in [*found.notes, *(found.not_compared if asked_for else ())]:
        log().info(note, extra={ASKED_FOR: asked_for})
    if found.problems:
        raise PreFlightFailed(found.problems)
    return prices


def nothing_run(plan: RunPlan, output_dir: str) -> RunReport:
    """The report of a run that was only checked: it tells of no file."""
    return RunReport(plan.names.workload, plan.names.flow_run_id, output_dir, ())


def findings(plan: RunPlan, pool: PoolOptions) -> Findings:
    """Everything there is to say about this run on the account that is signed in."""
    found = Findings()
    size = check_size(pool, plan.created.date())
    for check in (size_of_requests(plan), signatures(plan), _findings(size)):
        found.add(check)
    signed_until = None if plan.identity else plan.expires + SAS_MARGIN
    blobs, batch = _at_once(
        lambda: blobs_findings(plan.names, signed_until),
        lambda: batch_findings(plan.names, makes_pools=pool.kind != "existing"),
    )
    found.add(blobs)
    found.add(batch)
    if not batch.problems:  # who is not let in would be told the same again
        checked = check_pool(plan, pool)
        found.add(_findings(checked))
        for check in _at_once(
            lambda: identity_findings(pool), lambda: _quotas(plan, pool, new_pool=not checked.there)
        ):
            found.add(check)
    return found


def _at_once(*checks: Callable[[], Findings]) -> list[Findings]:
    """What the checks find; each may have to wait for a service that is out of reach."""
    return concurrently(lambda check: check(), checks)


def _findings(checked: Checked) -> Findings:
    return Findings(list(checked.problems), list(checked.notes))


def _quotas(plan: RunPlan, pool: PoolOptions, *, new_pool: bool) -> Findings:
    """Nodes of an existing pool are there, or its owner's affair."""
    dedicated, spot = (0, 0) if pool.kind == "existing" else nodes_wanted(len(plan.tasks), pool)
    pool_id = pool.pool_id if pool.shared else plan.names.pool_id
    return quota_findings(Wanted(pool.vm_size, dedicated, spot, new_pool, pool_id, plan.names.job_id))
