"""Delete what a run made: one plain function for a flow's last task, for hooks and garbage collection.

Deletes are asked for, not waited for: Prefect gives a cancelled run 30 seconds in all; Azure takes minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from batch_tasks.clients import batch_client, blob_service
from batch_tasks.concurrently import concurrently
from batch_tasks.errors import CleanUpFailed, error_code
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy
from batch_tasks.owned_resources import OwnedResource
from batch_tasks.patience import CLEANING, open_run, patiently
from batch_tasks.stage import log, stage

_ON_ITS_WAY_OUT = frozenset(
    {"JobBeingDeleted", "PoolBeingDeleted", "ContainerBeingDeleted", "JobBeingTerminated", "JobCompleted"}
)
CONNECT_WITHIN, ANSWER_WITHIN = 3, 5  # seconds
_QUICK: dict[str, Any] = {
    "connection_timeout": CONNECT_WITHIN,
    "read_timeout": ANSWER_WITHIN,
    "retry_total": 0,
}
_API_VERSION = "2025-06-01"


@dataclass(frozen=True)
class _Deletion:
    what: str
    ask: Callable[[], None]


@stage("clean-up", retries=1)
def clean_up(names: RunNames, policy: CleanUpPolicy) -> list[str]:
    """The last task of a flow: `delete_resources`; what was deleted, in words."""
    deleted = delete_resources(names, policy)
    log().info("Deleted %s", ", ".join(deleted) or "nothing, as asked")
    return deleted


def delete_resources(names: RunNames, policy: CleanUpPolicy) -> list[str]:
    """Ask for the deletion of everything of this run that the policy does not keep; what was asked for.

    What is gone already, or on its way, is fine. Everything is attempted, whatever fails. A job that is kept
    is ended, so that it no longer counts as active.

    Raises:
        CleanUpFailed: naming each thing that could not be deleted, and how to delete it by hand.
    """
    deletions = [
        (policy.job, _Deletion(f"job {names.job_id}", lambda: delete_job(names.job_id))),
        (not policy.job, _Deletion(f"activity of job {names.job_id}", lambda: _end_job(names.job_id))),
        (policy.pool, _Deletion(f"pool {names.pool_id}", lambda: delete_pool(names.pool_id))),
        *(
            (asked, _Deletion(f"container {name}", partial(delete_container, name)))
            for asked, name in (
                (policy.input_container, names.input_container),
                (policy.output_container, names.output_container),
            )
        ),
    ]
    wanted = [deletion for asked, deletion in deletions if asked]
    return _attempt_all(wanted)


def delete_these(resources: Iterable[OwnedResource]) -> list[str]:
    """Ask for the deletion of these pools, jobs and containers, whatever run made them; what was asked for.

    Raises:
        CleanUpFailed: as `delete_resources`.
    """
    ways = {"pool": delete_pool, "job": delete_job}
    return _attempt_all(
        _Deletion(str(resource), partial(ways.get(resource.kind, delete_container), resource.name))
        for resource in resources
    )


def _attempt_all(deletions: Iterable[_Deletion]) -> list[str]:
    wanted = list(deletions)
    with open_run():  # what waits here is not interrupted by the closing of the run it cleans up
        problems = [problem for problem in concurrently(_attempt, wanted) if problem]
    if problems:
        raise CleanUpFailed(
            "Not everything could be deleted; it may go on costing money. Delete by hand, in the portal or "
            "with `az batch` and `az storage container delete`:\n  " + "\n  ".join(problems)
        )
    return [deletion.what for deletion in wanted]


def delete_job(job_id: str) -> None:
    """Ask Batch to delete the job; its running tasks are ended."""
    _ask("DELETE", f"/jobs/{job_id}")


def delete_pool(pool_id: str) -> None:
    """Ask Batch to delete the pool with its nodes."""
    _ask("DELETE", f"/pools/{pool_id}")


def delete_container(name: str) -> None:
    """Ask storage to delete the container with all its blobs."""
    patiently(lambda: blob_service().delete_container(name, **_QUICK), patience=CLEANING)


def _end_job(job_id: str) -> None:
    _ask("POST", f"/jobs/{job_id}/terminate", {"terminateReason": "The run ended"})


def _ask(method: str, path: str, body: dict[str, str] | None = None) -> None:
    """Send one request. The SDK's `begin_...` methods would each leave a thread that polls for the end."""
    headers = {"Content-Type": "application/json; odata=minimalmetadata"} if body else {}
    request = HttpRequest(method, path, params={"api-version": _API_VERSION}, json=body, headers=headers)
    patiently(lambda: batch_client().send_request(request, **_QUICK).raise_for_status(), patience=CLEANING)


def _attempt(deletion: _Deletion) -> str | None:
    """What went wrong, or None."""
    try:
        deletion.ask()
    except ResourceNotFoundError:
        return None
    except ResourceExistsError as error:
        return None if error_code(error) in _ON_ITS_WAY_OUT else f"{deletion.what}: {error_code(error)}"
    except AzureError as error:
        return f"{deletion.what}: {error_code(error) or type(error).__name__}"
    return None
