"""Make a pool, or meet the one that is there; wait for the end of a deletion under way."""

from __future__ import annotations

from collections.abc import Callable

from azure.batch.models import (
    BatchPool,
    BatchPoolCreateOptions,
    BatchPoolEnableAutoScaleOptions,
    BatchPoolState,
)
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from batch_tasks.clients import batch_client
from batch_tasks.errors import ResourceBusy, error_code
from batch_tasks.patience import FIRST_CONTACT, patiently, pause, stop_if_closing
from batch_tasks.pools.identity import create_with_identity
from batch_tasks.unfinished import PoolUnusable

_WAIT_FOR_DELETION = 600.0  # seconds; deleting a pool takes "several minutes" (documented)
_BETWEEN_TRIES = 5.0


def make_or_meet(
    options: BatchPoolCreateOptions, meet: Callable[[BatchPool], bool], identity: str = ""
) -> None:
    """Create the pool. One of the id that is there already is for `meet`: it says whether all is done, and
    is asked again if not. With an `identity` (its resource id) the management plane makes it.

    Raises:
        ResourceBusy: a pool of the id is still being deleted, or `meet` not content, after ten minutes.
        PoolUnusable: the account may have no more pools, or Azure makes none with this identity.
        AccountError: who is signed in may not make a pool with this identity.
        RunClosing: the run ended meanwhile; nothing was made after that.
    """
    waited = 0.0
    while not (_created(options, identity) or _met(options.id, meet)):
        if waited >= _WAIT_FOR_DELETION:
            raise ResourceBusy(
                f"The pool {options.id} is still being deleted or changed by others after {waited:.0f} s. "
                "Run again later."
            )
        pause(_BETWEEN_TRIES)
        waited += _BETWEEN_TRIES


def change_formula(pool: BatchPool, formula: str) -> bool:
    """Give the pool this formula, unless somebody changed the pool since it was read; whether that was done.

    Batch takes a formula once in 30 s (documented): False, too, when that is not over.
    """
    if pool.auto_scale_formula == formula:
        return True
    scaling = BatchPoolEnableAutoScaleOptions(auto_scale_formula=formula)

    def enable() -> bool:
        try:
            batch_client().enable_pool_auto_scale(
                pool.id, scaling, etag=pool.etag, match_condition=MatchConditions.IfNotModified
            )
        except HttpResponseError as error:
            if error.status_code == 412 or error_code(error) == "TooManyEnableAutoScaleRequests":
                return False  # a 503 that asks for 30 s, in which the pool may change
            raise
        return True

    return patiently(enable, patience=FIRST_CONTACT)


def _created(options: BatchPoolCreateOptions, identity: str) -> bool:
    def create() -> None:
        stop_if_closing()
        if identity:
            create_with_identity(options, identity)
        else:
            batch_client().create_pool(options)

    try:
        patiently(create, patience=FIRST_CONTACT)
    except ResourceExistsError as error:
        code = error_code(error)
        if code == "PoolQuotaReached":
            raise PoolUnusable(
                "The Batch account may have no more pools (PoolQuotaReached). Delete pools that are no "
                "longer needed, or ask Azure to raise the account's pool quota."
            ) from error
        if code not in {"PoolExists", "PoolBeingDeleted"} and error.status_code != 412:
            raise
        return False
    return True


def _met(pool_id: str, meet: Callable[[BatchPool], bool]) -> bool:
    try:
        pool = patiently(lambda: batch_client().get_pool(pool_id))
        return pool.state != BatchPoolState.DELETING and meet(pool)
    except ResourceNotFoundError:
        return False  # gone between the calls: the next try makes it
