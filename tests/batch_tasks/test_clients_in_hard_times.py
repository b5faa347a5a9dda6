"""What the clients ask for is asked for again by this project's patience, not inside the SDKs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError

from batch_tasks.clients import ask_resource_manager, batch_client, read_blob_url, signed_in
from batch_tasks.patience import Patience, patiently
from batch_tasks.settings import Account
from flows.local_stack.azurite import BlobAccount
from tests.conformance.own_emulator import Control, running
from tests.fault_proxy import Fault, faulty
from tests.signing import account_of
from tests.tokens import UnsignedTokens

pytestmark = pytest.mark.waits(seconds=3)


def test_a_wait_that_batch_asks_for_is_never_slept_where_nothing_can_interrupt_it(
    azurite: BlobAccount,
) -> None:
    with running() as batch, signed_in(account_of(azurite, batch)):
        control = Control(batch.endpoint)
        fault = control.fault("throttled", operation="list_pools", retry_after=120)
        with pytest.raises(HttpResponseError) as error:
            patiently(lambda: list(batch_client().list_pools()), patience=Patience(budget=5))
        assert error.value.status_code == 429
        assert control.struck(fault) == 1


def test_a_user_delegation_key_is_asked_for_again(
    token_account: Account, signed_in_by_token: UnsignedTokens, loopback_certificate: tuple[Path, Path]
) -> None:
    # Three times: the storage SDK by itself gives up.
    busy = Fault("busy", most=3, path="*comp=userdelegationkey*")
    with faulty(token_account.blob_endpoint, busy, certificate=loopback_certificate) as endpoint:
        account = token_account.model_copy(update={"blob_endpoint": endpoint})
        with signed_in(account):
            assert "skoid=" in read_blob_url("c", "b", datetime.now(UTC) + timedelta(hours=1))
    assert busy.struck == 3


def test_the_resource_manager_is_asked_again(
    token_account: Account, signed_in_by_token: UnsignedTokens, loopback_certificate: tuple[Path, Path]
) -> None:
    faults = [Fault("busy", most=3, retry_after="1"), Fault("dropped", most=1), Fault("cut short", most=1)]
    # Any server that answers with JSON will do: the emulator's control plane.
    with faulty(token_account.batch_endpoint, *faults, certificate=loopback_certificate) as endpoint:
        account = token_account.model_copy(update={"management_endpoint": endpoint})
        with signed_in(account):
            answer = ask_resource_manager("/_emulator/health", "2024-07-01")
    assert answer["status"] == "ok", json.dumps(answer)
    assert [fault.struck for fault in faults] == [3, 1, 1]
