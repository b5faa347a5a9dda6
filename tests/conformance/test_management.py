"""The official client of the management plane: pools with an identity, which the data plane then shows."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from azure.batch import BatchClient
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.batch import BatchManagementClient

from batch_emulator.handlers.management import GROUP, SUBSCRIPTION
from flows.local_stack.emulator import BatchAccount
from tests.tokens import IDENTITY, RESOURCES, UnsignedTokens

Unique = Callable[[str], str]
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Batch/batchAccounts"
POOL: dict[str, Any] = {
    "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
    "properties": {
        "vmSize": "standard_d2s_v5",
        "deploymentConfiguration": {
            "virtualMachineConfiguration": {
                "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
                "nodeAgentSkuId": "batch.node.ubuntu 24.04",
            }
        },
        "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0}},
    },
}


@pytest.fixture
def management(
    token_emulator: BatchAccount, signed_in_by_token: UnsignedTokens
) -> Iterator[BatchManagementClient]:
    scopes = [scope for scope in RESOURCES if "management" in scope]
    with BatchManagementClient(
        signed_in_by_token, SUBSCRIPTION, token_emulator.endpoint, credential_scopes=scopes
    ) as client:
        yield client


@pytest.fixture
def data_plane(token_emulator: BatchAccount, signed_in_by_token: UnsignedTokens) -> Iterator[BatchClient]:
    with BatchClient(token_emulator.endpoint, signed_in_by_token) as client:
        yield client


def delete(data_plane: BatchClient, pool_id: str) -> None:
    data_plane.begin_delete_pool(pool_id, polling_interval=1).result(timeout=60)


def changed(**properties: Any) -> dict[str, Any]:
    return {**POOL, "properties": {**POOL["properties"], **properties}}


def test_a_pool_made_by_the_management_plane_shows_its_identity_on_the_data_plane(
    management: BatchManagementClient, data_plane: BatchClient, token_emulator: BatchAccount, unique: Unique
) -> None:
    pool_id = unique("identity")
    made = management.pool.create(GROUP, token_emulator.name, pool_id, POOL)
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    identity = data_plane.get_pool(pool_id, select=["identity"]).identity
    assert identity is not None
    assert identity.type == "UserAssigned"
    assert [one.resource_id for one in identity.user_assigned_identities or ()] == [IDENTITY]
    delete(data_plane, pool_id)
    with pytest.raises(ResourceNotFoundError):
        data_plane.get_pool(pool_id)


def test_a_pool_that_is_there_is_not_made_again(
    management: BatchManagementClient, data_plane: BatchClient, token_emulator: BatchAccount, unique: Unique
) -> None:
    pool_id = unique("identity")
    once = (GROUP, token_emulator.name, pool_id, POOL)
    management.pool.create(*once)
    with pytest.raises(ResourceExistsError) as refused:
        management.pool.create(*once, match_condition=MatchConditions.IfMissing)
    assert refused.value.status_code == 412
    with pytest.raises(HttpResponseError, match="NotImplemented"):
        management.pool.create(*once)
    delete(data_plane, pool_id)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**POOL, "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/x": {}}}}, "no such"),
        ({**POOL, "identity": {"type": "SystemAssigned"}}, "userAssignedIdentities must be an object"),
        (changed(colour="red"), "colour"),
        (changed(scaleSettings={"autoScale": {"formula": "x = 1;", "often": 1}}), "often"),
        (changed(deploymentConfiguration=3), "deploymentConfiguration must be an object"),
        (changed(applicationPackages=[]), "applicationPackages"),
        ({}, "properties must be an object"),
    ],
)
def test_what_makes_no_pool_is_refused_by_name(
    management: BatchManagementClient, token_emulator: BatchAccount, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(HttpResponseError) as refused:
        management.pool.create(GROUP, token_emulator.name, "none", body)
    assert refused.value.status_code == 400
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/subscriptions/other/providers/Microsoft.Batch/batchAccounts", 404),
        ("GET", f"{IDENTITY}-other", 404),
        ("GET", IDENTITY.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), 200),
        ("DELETE", IDENTITY, 405),
        ("GET", f"{ACCOUNT}/localbatch/pools/none", 405),
    ],
)
def test_only_what_is_there_is_answered(
    token_emulator: BatchAccount, signed_in_by_token: UnsignedTokens, method: str, path: str, status: int
) -> None:
    token = signed_in_by_token.get_token("https://management.azure.com/.default").token
    answer = httpx.request(
        method,
        f"{token_emulator.endpoint}{path}",
        params={"api-version": "2024-07-01"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == status
    assert status == 200 or set(json.loads(answer.content)) == {"error"}


def test_neither_the_accounts_key_nor_a_token_for_batch_lets_in(
    token_emulator: BatchAccount, signed_in_by_token: UnsignedTokens
) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Batch/batchAccounts?api-version=2024-07-01"
    batch = signed_in_by_token.get_token("https://batch.core.windows.net//.default").token
    for header in (f"SharedKey {token_emulator.name}:x", f"Bearer {batch}", ""):
        answer = httpx.get(f"{token_emulator.endpoint}{path}", headers={"Authorization": header})
        assert answer.status_code in {400, 401, 403}


@pytest.mark.keys
def test_without_tokens_there_is_no_management_plane(emulator: BatchAccount) -> None:
    answer = httpx.get(f"{emulator.endpoint}/subscriptions/x?api-version=2024-07-01")
    assert answer.status_code in {401, 403}
    assert "odata.metadata" in answer.json()
