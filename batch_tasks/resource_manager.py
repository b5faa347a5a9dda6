"""The Batch account as Azure Resource Manager knows it: where it is, and what it may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from batch_tasks.clients import account_signed_in, ask_resource_manager
from batch_tasks.errors import AccountError, code_of, is_refusal

_API = "2024-07-01"


def account_resource() -> Mapping[str, Any]:
    """The Batch account that is signed in: `id`, `name`, `properties`.

    Raises:
        AccountError: its subscription is not set, is none, or has no account of its name.
        AzureError: as `ask_resource_manager`.
    """
    account = account_signed_in()
    if not account.subscription_id:
        raise AccountError("The Batch account's subscription is not known: set AZURE_SUBSCRIPTION_ID.")
    path = f"/subscriptions/{account.subscription_id}/providers/Microsoft.Batch/batchAccounts"
    try:
        answer = ask_resource_manager(path, _API)
    except HttpResponseError as error:
        if error.status_code != 404:
            raise
        raise AccountError(
            f"No subscription {account.subscription_id} is seen (404): set AZURE_SUBSCRIPTION_ID to the one "
            "of the Batch account, as `az account list` tells it."
        ) from error
    for one in answer["value"]:
        if one["name"].lower() == account.batch_account.lower():
            found: Mapping[str, Any] = one
            return found
    raise AccountError(
        f"No Batch account {account.batch_account!r} is seen in subscription {account.subscription_id}."
    )


def management_refusal(error: AzureError) -> str:
    """What keeps a pool with an identity from being made, as a sentence with its remedy.

    That these roles hold the rights it takes is documented (`Microsoft.Batch/batchAccounts/pools/*`, and
    `Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action`).
    """
    who, code = "Azure Resource Manager, which makes pools with an identity,", code_of(error)
    if not is_refusal(error):
        return f"{who} cannot be asked ({code}). Try again, or look at the network."
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return f"{who} takes no keys, and nobody is signed in ({code}). Use `az login`."
    return (
        f"{who} does not let you in ({code}). Give yourself, or the identity this runs as, the roles 'Azure "
        "Batch Data Contributor' on the Batch account and 'Managed Identity Operator' on the identity. "
        "A new role may take minutes to count."
    )


def resource_group(resource: Mapping[str, Any]) -> str:
    """The resource group that the id of a resource names."""
    parts = str(resource["id"]).split("/")
    return parts[[part.lower() for part in parts].index("resourcegroups") + 1]
