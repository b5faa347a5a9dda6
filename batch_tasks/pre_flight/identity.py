"""Whether a pool with an identity can be made: the management plane does that, which has needs of its own.

Whether storage and registry let the identity in shows only on a node; docs/azure.md has the roles for that.
"""

from __future__ import annotations

from importlib.util import find_spec

from azure.core.exceptions import AzureError

from batch_tasks.clients import NO_MANAGEMENT, ask_resource_manager
from batch_tasks.errors import AccountError, code_of
from batch_tasks.options import PoolOptions
from batch_tasks.pre_flight.findings import Findings
from batch_tasks.resource_manager import account_resource, management_refusal

_API = "2023-01-31"  # of Microsoft.ManagedIdentity


def identity_findings(pool: PoolOptions) -> Findings:
    """What stands in the way of making the pool with its identity. One that exists is looked at elsewhere."""
    found = Findings()
    if not pool.identity or pool.kind == "existing":
        return found
    if not _installed("azure.mgmt.batch"):
        found.problems.append(NO_MANAGEMENT)
    try:
        account_resource()
    except AccountError as unknown:
        found.problems.append(f"A pool with an identity is made by Azure Resource Manager. {unknown}")
        return found
    except AzureError as error:
        found.problems.append(management_refusal(error))
        return found
    found.add(_looked_for(pool.identity))
    return found


def _looked_for(identity: str) -> Findings:
    try:
        ask_resource_manager(identity, _API)
    except AzureError as error:
        if getattr(error, "status_code", None) != 404:
            return Findings(
                notes=[f"Whether the identity {identity} exists was not seen ({code_of(error)})."]
            )
        problem = (
            f"There is no identity {identity} (404). Copy its id from `az identity list --query [].id`, or "
            "make one with `az identity create`."
        )
        return Findings([problem])
    return Findings()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
