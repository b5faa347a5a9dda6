"""Pools whose nodes have a user-assigned identity: only the management plane makes them (documented).

What such a pool is stands in `specification.py`, as of any pool; here it is put in the words of Azure
Resource Manager. All that comes after its creation goes by the data plane, as with any pool.
"""

from __future__ import annotations

from typing import Any

from azure.batch.models import BatchPool, BatchPoolCreateOptions
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from batch_tasks.clients import management_client
from batch_tasks.errors import AccountError, code_of, is_refusal
from batch_tasks.patience import is_transient
from batch_tasks.resource_manager import (
    account_resource,
    management_refusal,
    resource_group,
)
from batch_tasks.unfinished import PoolUnusable

_WORDS = {"pool": "Pool", "admin": "Admin", "nonadmin": "NonAdmin", "dockerCompatible": "DockerCompatible"}
"""Values that the two planes write differently."""


def identities(pool: BatchPool) -> list[str]:
    """The resource ids of the identities that a pool's nodes have, in lower case: Azure ignores case."""
    there = (pool.identity and pool.identity.user_assigned_identities) or ()
    return [identity.resource_id.lower() for identity in there]


def management_body(options: BatchPoolCreateOptions, identity: str) -> dict[str, Any]:
    """The same pool, as the management plane is asked for it, with this identity. Pure."""
    asked = _translated(options.as_dict())
    del asked["id"], asked["enableAutoScale"]
    machine = asked.pop("virtualMachineConfiguration")
    machine["nodeAgentSkuId"] = machine.pop("nodeAgentSKUId")
    scale = {
        "formula": asked.pop("autoScaleFormula"),
        "evaluationInterval": asked.pop("autoScaleEvaluationInterval"),
    }
    return {
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        "properties": {
            **asked,
            "deploymentConfiguration": {"virtualMachineConfiguration": machine},
            "scaleSettings": {"autoScale": scale},
        },
    }


def create_with_identity(options: BatchPoolCreateOptions, identity: str) -> None:
    """Make the pool; one request to find the account and one to make it.

    Raises:
        ResourceExistsError: there is such a pool, or it is still being deleted.
        AccountError: who is signed in may not do this, or azure-mgmt-batch is not installed.
        PoolUnusable: Azure refuses to make such a pool; its own words are in the text.
    """
    account = account_resource()
    try:
        with management_client() as client:
            client.pool.create(
                resource_group(account),
                account["name"],
                options.id,
                management_body(options, identity),
                match_condition=MatchConditions.IfMissing,  # Azure Resource Manager would change it otherwise
            )
    except HttpResponseError as error:
        if isinstance(error, ResourceExistsError) or is_transient(error):
            raise
        raise _refusal(options.id, identity, error) from error


def _refusal(pool_id: str, identity: str, error: HttpResponseError) -> Exception:
    if is_refusal(error):
        return AccountError(management_refusal(error))
    said = error.error.message if error.error else error.reason
    return PoolUnusable(
        f"Azure does not make the pool {pool_id} with the identity {identity}: {code_of(error)}: {said}"
    )


def _translated(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _WORDS.get(part, part)
            if name in {"scope", "elevationLevel", "type"} and isinstance(part, str)
            else _translated(part)
            for name, part in value.items()
        }
    return [_translated(part) for part in value] if isinstance(value, list) else value
