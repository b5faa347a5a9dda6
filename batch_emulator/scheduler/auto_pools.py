"""The rules of auto pools: pools that the service makes for a job or the jobs of a schedule, and removes.

Ids are a prefix, an underscore and a UUID (the UUID is seen in traffic, the underscore assumed); the UUID is
derived from the job, so that the same events give the same ids.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from batch_emulator import errors
from batch_emulator.events import AddPool, DeletePool, Instruction
from batch_emulator.lifecycle import PoolState
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Job, key
from batch_emulator.scheduler import pools, scaling
from batch_emulator.scheduler.world import World
from batch_emulator.wire import creations

_CODES: tuple[tuple[type[errors.BatchError], str], ...] = (
    (errors.PoolQuotaReached, "AutoPoolCreationFailedWithQuotaReached"),
    (errors.AutoScalingFormulaSyntaxError, "InvalidAutoScaleFormulaInAutoPool"),
    (errors.AutoScaleFormulaTooLong, "InvalidAutoScaleFormulaInAutoPool"),
    (errors.InvalidApplicationPackageReferences, "InvalidApplicationPackageReferencesInAutoPool"),
)
"""What the refusal of a pool is called as the scheduling error of its job (documented)."""


def specification(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The auto pool that a job or a job specification asks for."""
    found: Mapping[str, Any] | None = document.get("poolInfo", {}).get("autoPoolSpecification")
    return found


def create(world: World, job: Job) -> Iterator[Instruction]:
    """Make the auto pool of a job and give it to the job, or note in the job why that cannot be."""
    asked = specification(job.document)
    if asked is None:
        return
    if "pool" not in asked:
        job.scheduling_error = _error("InvalidAutoPoolSettings", "The auto pool has no pool specification.")
        return
    name = f"{key(job.id)}/{job.serial}/{world.now!r}"
    unique = str(uuid.uuid5(uuid.NAMESPACE_OID, name)).upper()
    prefix = f"{asked['autoPoolIdPrefix']}_" if "autoPoolIdPrefix" in asked else ""
    pool = creations.pool_of_specification(prefix + unique, asked["pool"], world.now)
    pool.owner_job = key(job.id)
    try:
        yield from scaling.add_pool(world, AddPool(pool))
    except errors.BatchError as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "InvalidAutoPoolSettings")
        job.scheduling_error = _error(code, error.message)
        return
    job.pool_id = pool.id


def _error(code: str, message: str) -> Failure:
    return Failure("UserError", code, message)


def remove(world: World, pool_id: str | None, asked: Mapping[str, Any] | None) -> Iterator[Instruction]:
    """Delete an auto pool whose lifetime is over, unless it is to be kept alive."""
    if asked is None or pool_id is None or asked.get("keepAlive", False):
        return
    pool = world.account.pools.get(key(pool_id))
    if pool is not None and pool.owner_job is not None and pool.state is PoolState.ACTIVE:
        yield from pools.delete(world, DeletePool(key(pool_id)))
