"""What it means when Azure does not let us in: the key is wrong, nobody is signed in, or a role is missing.

Roles are named as Azure lists them (documented). No text repeats a key or a token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
)

from batch_tasks.errors import AccountError, code_of, error_code, is_refusal
from batch_tasks.settings import Account

BATCH_ROLE = "Azure Batch Data Contributor"
JOBS_ROLE = "Azure Batch Job Submitter"
BLOBS_ROLE = "Storage Blob Data Contributor"
_WRONG_KEY = "AuthenticationFailed"


def batch_refusal(account: Account, error: AzureError) -> str:
    """A refusal by Batch as a sentence with its remedy."""
    what = f"the Batch account {account.batch_account!r}"
    if account.batch_key and error_code(error) == _WRONG_KEY:
        return _wrong_key(what, error, f"az batch account keys list --name {account.batch_account}")
    if _nobody_is_signed_in(error):
        return _not_signed_in(what, "AZURE_BATCH_ACCESS_KEY")
    return (
        f"{what[0].upper()}{what[1:]} refuses what this run needs ({code_of(error)}). Give yourself, or the "
        f"identity this runs as, the role {BATCH_ROLE!r} on it ({JOBS_ROLE!r} is enough with an existing "
        "pool). A new role may take minutes to count."
    )


def blobs_refusal(account: Account, error: AzureError) -> str:
    """A refusal by storage as a sentence with its remedy."""
    what = f"the storage account {account.storage_account!r}"
    if account.storage_key:  # with a key there are no roles
        return _wrong_key(
            what, error, f"az storage account keys list --account-name {account.storage_account}"
        )
    if _nobody_is_signed_in(error):
        return _not_signed_in(what, "AZURE_STORAGE_KEY")
    return (
        f"{what[0].upper()}{what[1:]} refuses what this run needs ({code_of(error)}). Give yourself, or the "
        f"identity this runs as, the role {BLOBS_ROLE!r} on it, and look whether its firewall lets this "
        "machine in. A new role may take minutes to count."
    )


def unreachable(what: str, endpoint: str, error: ServiceRequestError) -> str:
    """No answer at all, as a sentence with its remedy."""
    reason = str(error.inner_exception or error).partition("(Caused by")[2].strip("() ")
    return (
        f"{what} at {endpoint} cannot be reached from here ({reason[:150] or type(error).__name__}). "
        "Check the endpoint and the network."
    )


@contextmanager
def refusals_explained(account: Account) -> Iterator[None]:
    """A refusal that comes up within the block, however late, becomes an error that names the roles.

    Raises:
        AccountError: instead of an error of the SDK's that is a refusal.
    """
    try:
        yield
    except AzureError as error:
        if not is_refusal(error):
            raise
        by_storage = getattr(error, "error_code", None) is not None
        explain = blobs_refusal if by_storage else batch_refusal
        raise AccountError(explain(account, error)) from error


def _nobody_is_signed_in(error: AzureError) -> bool:
    return isinstance(error, ClientAuthenticationError) and error.response is None


def _wrong_key(what: str, error: AzureError, command: str) -> str:
    return (
        f"The key is not accepted by {what} ({code_of(error)}). Copy it anew: `{command}`. It can also be "
        "that this machine's clock is 15 minutes off, that a firewall keeps this machine out, or that the "
        "account takes no keys: then set none."
    )


def _not_signed_in(what: str, variable: str) -> str:
    return (
        f"Nobody is signed in for {what}: Microsoft Entra ID gave no token. Use `az login`, or the "
        f"environment variables of azure-identity, or set {variable}."
    )
