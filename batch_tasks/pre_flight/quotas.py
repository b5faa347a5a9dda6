"""Whether the account may have the nodes, the pool and the job that a run asks for.

Quotas are not on the data plane: they are read from Azure Resource Manager, with one GET and no further
package, where the account's subscription is known and Entra ID lets us (role Reader). What is in use is on
the data plane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.batch.models import BatchJob, BatchPool
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
    """What others have: cores of nodes that are there, dedicated ones by family as well; pools; jobs and
    schedules that are not completed. Of VM sizes in `unknown` nobody knows the cores: they are not counted.
    """

    dedicated_cores: int = 0
    spot_cores: int = 0
    pools: int = 0
    jobs: int = 0
    families: Mapping[str, int] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """What a run asks for: nodes of a pool of ours, and whether that pool is still to be made.

    A pool and a job of these ids are the run's own, from an earlier attempt or to share, and no others'.
    """

    vm_size: str
    dedicated_nodes: int
    spot_nodes: int
    new_pool: bool
    pool_id: str = ""
    job_id: str = ""


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
    return compared(quotas, read_used(wanted), wanted)


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


def read_used(wanted: Wanted) -> Used:
    """What others have by now."""
    client = batch_client()
    fields = ["id,vmSize,currentDedicatedNodes,currentLowPriorityNodes"]
    pools = patiently(lambda: list(client.list_pools(select=fields)), patience=FIRST_CONTACT)
    jobs = patiently(
        lambda: list(client.list_jobs(select=["id,state,executionInfo"])), patience=FIRST_CONTACT
    )
    schedules = patiently(
        lambda: list(client.list_job_schedules(select=["id,state"])), patience=FIRST_CONTACT
    )
    active = sum(wire_value(schedule.state) != "completed" for schedule in schedules)
    return used_by_others(pools, jobs, active, wanted)


def used_by_others(
    pools: Iterable[BatchPool], jobs: Iterable[BatchJob], schedules: int, wanted: Wanted
) -> Used:
    """What of all this is not the run's own; so many schedules are active. Pure."""
    own, active = {wanted.pool_id.lower()}, schedules
    for job in jobs:
        if job.id.lower() != wanted.job_id.lower():
            active += wire_value(job.state) != "completed"
        elif job.execution_info and job.execution_info.pool_id:  # a pool that Batch made for the job, too
            own.add(job.execution_info.pool_id.lower())
    others = [pool for pool in pools if pool.id.lower() not in own]
    dedicated, spot, families, unknown = 0, 0, Counter[str](), set()
    for pool in others:
        size = pool.vm_size or ""
        each = cores(size)
        nodes = pool.current_dedicated_nodes or 0, pool.current_low_priority_nodes or 0
        if each is None and any(nodes):
            unknown.add(size)
        dedicated += nodes[0] * (each or 0)
        spot += nodes[1] * (each or 0)
        families[family(size)] += nodes[0] * (each or 0)
    return Used(dedicated, spot, len(others), active, families, frozenset(unknown))


def compared(quotas: Quotas, used: Used, wanted: Wanted) -> Findings:
    """What the quotas forbid, and what only has to wait. Pure."""
    found = Findings()
    if quotas.jobs < 1:
        found.problems.append(f"The Batch account may have no active job at all (its quota is 0): {_RAISE}.")
    elif used.jobs >= quotas.jobs:
        found.notes.append(
            f"The Batch account may have {quotas.jobs} active jobs and has {used.jobs}: the run waits for "
            "one to end, for a quarter of an hour."
        )
    if wanted.new_pool and used.pools >= quotas.pools:
        found.problems.append(
            f"The Batch account may have {quotas.pools} pools and has {used.pools}: delete some, or {_RAISE}."
        )
    if wanted.dedicated_nodes + wanted.spot_nodes:
        found.add(_cores_compared(quotas, used, wanted))
    return found


@dataclass(frozen=True)
class _Limit:
    """Cores of one kind: what the account may have of them, and what others have taken."""

    what: str
    option: str
    nodes: int
    allowed: int
    taken: int

    def had(self, each: int) -> int:
        """How many of the nodes, of so many cores each, can be had now."""
        return min(self.nodes, max(0, self.allowed - self.taken) // each)

    def in_words(self, each: int) -> str:
        """What is asked for and what there is."""
        return (
            f"The run asks for {self.nodes * each} {self.what} cores; of {self.allowed} that the Batch "
            f"account may have, {self.taken} are in use"
        )


def _cores_compared(quotas: Quotas, used: Used, wanted: Wanted) -> Findings:
    each, name = cores(wanted.vm_size), family(wanted.vm_size)
    if each is None:
        note = f"Cores were not compared: the name {wanted.vm_size} does not tell how many it has."
        return Findings(notes=[note])
    dedicated = [
        _Limit("dedicated", "--nodes", wanted.dedicated_nodes, quotas.dedicated_cores, used.dedicated_cores)
    ]
    if name in quotas.families:
        taken = used.families.get(name, 0)
        dedicated.append(
            _Limit(f"dedicated {name}", "--nodes", wanted.dedicated_nodes, quotas.families[name], taken)
        )
    spot = _Limit("Spot", "--spot-nodes", wanted.spot_nodes, quotas.spot_cores, used.spot_cores)
    limits = [limit for limit in (*dedicated, spot) if limit.nodes]
    short = [limit for limit in limits if limit.had(each) < limit.nodes]
    found = Findings([_refused(limit, each) for limit in limits if limit.nodes * each > limit.allowed])
    if found.problems:
        return found
    if min(limit.had(each) for limit in dedicated) + spot.had(each) == 0:
        return Findings([_nothing_free(short, wanted.vm_size, each)])
    found.notes += [_later(limit, each) for limit in short]
    if used.unknown:
        sizes = ", ".join(sorted(used.unknown))
        found.notes.append(f"Cores in use may be more: how many {sizes} has is not known.")
    return found


def _refused(limit: _Limit, each: int) -> str:
    fewer = (
        f"set {limit.option} {limit.allowed // each}" if limit.allowed >= each else "choose another VM size"
    )
    return (
        f"The run asks for {limit.nodes * each} {limit.what} cores; the Batch account may have "
        f"{limit.allowed}: {fewer}, or {_RAISE}."
    )


def _nothing_free(short: Iterable[_Limit], vm_size: str, each: int) -> str:
    """As the doctor ends a run that gets no node because of a quota, such a run is not begun."""
    said = ". ".join(limit.in_words(each) for limit in short)
    return (
        f"{said}. Not one node of {vm_size} ({each} cores) is to be had: run again when others' nodes have "
        f"gone, choose another VM size, or {_RAISE}."
    )


def _later(limit: _Limit, each: int) -> str:
    when = (
        "some nodes will come later" if limit.had(each) else "none of these nodes comes before that changes"
    )
    return f"{limit.in_words(each)}: {when}."
