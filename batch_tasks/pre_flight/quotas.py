"""Whether the account may have the nodes, the pool and the job that a run asks for.

Quotas are not on the data plane: they are read from Azure Resource Manager, with one GET and no further
package, where the account's subscription is known and Entra ID lets us (role Reader). What is in use is on
the data plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError

from batch_tasks.clients import account_signed_in, batch_client
from batch_tasks.errors import AccountError
from batch_tasks.patience import FIRST_CONTACT, patiently
from batch_tasks.pools.vm_size import cores, family
from batch_tasks.pre_flight.findings import Findings
from batch_tasks.resource_manager import account_resource
from batch_tasks.wire import wire_value

_RAISE = "ask for more on the page Quotas of the Batch account in the Azure portal"


@dataclass(frozen=True)
class Quotas:
    """What the account may have; `families` by name in lower case, where Azure counts by family."""

    dedicated_cores: int
    spot_cores: int
    pools: int
    jobs: int
    families: Mapping[str, int]


@dataclass(frozen=True)
class Used:
    """What it has: cores of nodes that are there, pools, jobs and schedules that are not completed."""

    dedicated_cores: int
    spot_cores: int
    pools: int
    jobs: int


@dataclass(frozen=True)
class Wanted:
    """What a run asks for: nodes of a pool of ours, and whether that pool is still to be made."""

    vm_size: str
    dedicated_nodes: int
    spot_nodes: int
    new_pool: bool


def quota_findings(wanted: Wanted) -> Findings:
    """Compare what the run asks for with the account's quotas, where these can be read."""
    try:
        quotas = quotas_in(account_resource()["properties"])
    except AccountError as unknown:
        told = [f"Quotas were not compared. {unknown}"]
        is_set = bool(account_signed_in().subscription_id)  # then it is set wrongly, which is worth a line
        return Findings(notes=told) if is_set else Findings(not_compared=told)
    except AzureError as error:
        return Findings(notes=[f"Quotas were not compared: they cannot be read ({type(error).__name__})."])
    return compared(quotas, read_used(), wanted)


def quotas_in(properties: Mapping[str, Any]) -> Quotas:
    """The quotas in the properties of an account, as Resource Manager spells them."""
    by_family = properties.get("dedicatedCoreQuotaPerVMFamily") or ()
    enforced = properties.get("dedicatedCoreQuotaPerVMFamilyEnforced")
    return Quotas(
        properties.get("dedicatedCoreQuota") or 0,
        properties.get("lowPriorityCoreQuota") or 0,
        properties.get("poolQuota") or 0,
        properties.get("activeJobAndJobScheduleQuota") or 0,
        {one["name"].lower(): one["coreQuota"] for one in by_family} if enforced else {},
    )


def read_used() -> Used:
    """What the account has by now."""
    client = batch_client()
    fields = ["id,vmSize,currentDedicatedNodes,currentLowPriorityNodes"]
    pools = patiently(lambda: list(client.list_pools(select=fields)), patience=FIRST_CONTACT)
    jobs = patiently(lambda: list(client.list_jobs(select=["id,state"])), patience=FIRST_CONTACT)
    schedules = patiently(
        lambda: list(client.list_job_schedules(select=["id,state"])), patience=FIRST_CONTACT
    )
    states = [wire_value(job.state) for job in jobs] + [wire_value(schedule.state) for schedule in schedules]
    sizes = [(cores(pool.vm_size or "") or 1, pool) for pool in pools]
    return Used(
        sum(count * (pool.current_dedicated_nodes or 0) for count, pool in sizes),
        sum(count * (pool.current_low_priority_nodes or 0) for count, pool in sizes),
        len(pools),
        sum(state != "completed" for state in states),
    )


def compared(quotas: Quotas, used: Used, wanted: Wanted) -> Findings:
    """What the quotas forbid, and what only has to wait. Pure."""
    found = Findings()
    if used.jobs >= quotas.jobs:
        found.problems.append(
            f"The Batch account may have {quotas.jobs} active jobs and has {used.jobs}: end some, or "
            f"{_RAISE}."
        )
    if wanted.new_pool and used.pools >= quotas.pools:
        found.problems.append(
            f"The Batch account may have {quotas.pools} pools and has {used.pools}: delete some, or {_RAISE}."
        )
    if not wanted.dedicated_nodes + wanted.spot_nodes:
        return found
    each = cores(wanted.vm_size)
    if each is None:
        found.notes.append(
            f"Cores were not compared: the name {wanted.vm_size} does not tell how many it has."
        )
        return found
    dedicated, spot = wanted.dedicated_nodes * each, wanted.spot_nodes * each
    family_name = family(wanted.vm_size)
    of_family = quotas.families.get(family_name)
    limits = [
        ("dedicated", "--nodes", dedicated, quotas.dedicated_cores, used.dedicated_cores),
        ("Spot", "--spot-nodes", spot, quotas.spot_cores, used.spot_cores),
    ]
    if of_family is not None:
        limits.append((f"dedicated {family_name}", "--nodes", dedicated, of_family, 0))
    for what, option, asked, allowed, taken in limits:
        _compare_cores(found, what, option, (asked, allowed, taken), each)
    return found


def _compare_cores(found: Findings, what: str, option: str, figures: tuple[int, int, int], each: int) -> None:
    asked, allowed, taken = figures
    if asked > allowed:
        fewer = f"set {option} {allowed // each}" if allowed >= each else "choose another VM size"
        found.problems.append(
            f"The run asks for {asked} {what} cores; the Batch account may have {allowed}: {fewer}, or "
            f"{_RAISE}."
        )
    elif asked and asked > allowed - taken:
        found.notes.append(
            f"The run asks for {asked} {what} cores; of {allowed} that the Batch account may have, {taken} "
            "are in use: some nodes will come later."
        )
