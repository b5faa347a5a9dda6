"""The rules of quotas: what the account may not have yet another of."""

from batch_emulator import errors
from batch_emulator.lifecycle import JobScheduleState, JobState, NodeState
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Pool
from batch_emulator.scheduler.world import World
from batch_emulator.vm_sizes import cores

# The codes are documented, the texts follow the codes (assumed).
NO_CORES = Failure(
    "UserError", "AccountCoreQuotaReached", "The core quota for the Batch account has been reached"
)
NO_LOW_PRIORITY_CORES = Failure(
    "UserError",
    "AccountLowPriorityCoreQuotaReached",
    "The low-priority core quota for the Batch account has been reached",
)


def check_pools(world: World) -> None:
    """Refuse one more pool.

    Raises:
        PoolQuotaReached: the account has as many as it may have.
    """
    allowed = world.quotas.pools
    if allowed is not None and len(world.account.pools) >= allowed:
        raise errors.PoolQuotaReached


def check_jobs(world: World) -> None:
    """Refuse one more job or job schedule; completed ones do not count (documented).

    Raises:
        ActiveJobAndScheduleQuotaReached: the account has as many as it may have.
    """
    allowed = world.quotas.active_jobs
    if allowed is None:
        return
    jobs = sum(job.state is not JobState.COMPLETED for job in world.account.jobs.values())
    schedules = sum(
        schedule.state is not JobScheduleState.COMPLETED for schedule in world.account.schedules.values()
    )
    if jobs + schedules >= allowed:
        raise errors.ActiveJobAndScheduleQuotaReached


def grant(world: World, pool: Pool, wanted: int, *, is_dedicated: bool) -> tuple[int, Failure | None]:
    """How many of the wanted nodes there are cores for, and the resize error if that is not all of them."""
    quotas = world.quotas
    allowed = quotas.dedicated_cores if is_dedicated else quotas.low_priority_cores
    if allowed is None or wanted <= 0:
        return wanted, None
    used = sum(
        cores(other.document["vmSize"])
        * sum(
            node.dedicated is is_dedicated and node.state is not NodeState.PREEMPTED
            for node in other.nodes.values()
        )
        for other in world.account.pools.values()
    )
    granted = min(wanted, max(allowed - used, 0) // cores(pool.document["vmSize"]))
    if granted == wanted:
        return wanted, None
    return granted, NO_CORES if is_dedicated else NO_LOW_PRIORITY_CORES
