"""Whether Batch and storage can be reached and let us do what a run does. Nothing is made to find out.

To ask for a right without using it, something is to be changed that does not exist: where the right is there,
the answer is 404. That rights are looked at first is assumed, as with the services' other operations.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from azure.batch.models import BatchJobUpdateOptions, BatchMetadataItem, BatchPoolUpdateOptions
from azure.core.exceptions import AzureError, ResourceNotFoundError, ServiceRequestError

from batch_tasks.clients import account_signed_in, batch_client, blob_service, read_blob_url
from batch_tasks.errors import AccountError, is_refusal
from batch_tasks.naming import RunNames
from batch_tasks.patience import Patience, patiently
from batch_tasks.pre_flight.findings import Findings
from batch_tasks.pre_flight.refusals import batch_refusal, blobs_refusal, unreachable

_SOON = Patience(unreachable=2.0)
_NOTHING = [BatchMetadataItem(name="asked", value="whether it may be changed")]


def batch_findings(names: RunNames, *, makes_pools: bool) -> Findings:
    """Whether jobs, and pools where the run makes one, may be made in the Batch account."""
    account = account_signed_in()

    def ask() -> None:
        missing = f"{names.job_id[:50]}-no-such"
        job, pool = BatchJobUpdateOptions(metadata=_NOTHING), BatchPoolUpdateOptions(metadata=_NOTHING)
        _not_there(lambda: batch_client().update_job(missing, job))
        if makes_pools:
            _not_there(lambda: batch_client().update_pool(missing, pool))

    what = f"The Batch account {account.batch_account!r}"
    return _findings(
        ask,
        lambda error: batch_refusal(account, error),
        lambda e: unreachable(what, account.batch_endpoint, e),
    )


def blobs_findings(names: RunNames, until: datetime | None) -> Findings:
    """Whether containers may be listed and made in the storage account, and URLs signed until then.

    None: no URL is to be signed.
    """
    account = account_signed_in()

    def ask() -> None:
        _asked(lambda: next(iter(blob_service().list_containers(results_per_page=1)), None))
        missing = blob_service().get_container_client(f"{names.workload}-no-such-container")
        _not_there(lambda: missing.set_container_metadata({"asked": "may-be-changed"}))
        if until is not None:
            read_blob_url(names.input_container, "any", until)

    what = f"The storage account {account.storage_account!r}"
    return _findings(
        ask,
        lambda error: blobs_refusal(account, error),
        lambda e: unreachable(what, account.blob_endpoint, e),
    )


def _findings(
    ask: Callable[[], None],
    refused: Callable[[AzureError], str],
    out_of_reach: Callable[[ServiceRequestError], str],
) -> Findings:
    """What comes of asking. An error that says nothing about access is none of ours, and passes."""
    try:
        ask()
    except _OutOfReachError as error:
        return Findings([out_of_reach(error.reason)])
    except AccountError as error:  # URLs cannot be signed for so long
        return Findings([str(error)])
    except AzureError as error:
        if not is_refusal(error):
            raise
        return Findings([refused(error)])
    return Findings()


class _OutOfReachError(Exception):
    def __init__(self, reason: ServiceRequestError) -> None:
        super().__init__()
        self.reason = reason


def _not_there(call: Callable[[], object]) -> None:
    """Ask to change something that does not exist."""
    try:
        _asked(call)
    except ResourceNotFoundError:
        return


def _asked(call: Callable[[], object]) -> None:
    """Ask, patiently; but without a connection, or nobody being signed in, not for long."""
    try:
        patiently(call, patience=_SOON)
    except ServiceRequestError as error:
        raise _OutOfReachError(error) from error
