"""A run finds the account it was asked to use, says which, and refuses what is half set."""

import pytest
from pydantic import SecretStr

from batch_tasks.errors import AccountError
from batch_tasks.settings import Account
from flows.account import account_for, runs_locally, where
from flows.azure_batch_account import AzureBatchAccount

KEY = "c2VjcmV0LWtleQ=="


@pytest.fixture
def in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_BATCH_ACCOUNT", "batch1")
    monkeypatch.setenv("AZURE_BATCH_ENDPOINT", "batch1.westeurope.batch.azure.com")
    monkeypatch.setenv("AZURE_BATCH_ACCESS_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "store1")


@pytest.mark.parametrize("name", ["", None, "environment"])
def test_the_environment_is_used_when_it_names_an_account(name: str | None, in_the_environment: None) -> None:
    said: list[str] = []
    with account_for(name, said.append) as account:
        assert account.batch_account == "batch1"
        assert account.storage_key is None
    assert said == [
        "Running on Batch account 'batch1' of the environment (https://batch1.westeurope.batch.azure.com)"
    ]


def test_without_any_account_it_is_the_local_stack() -> None:
    for name in ("", None):
        assert where(name) == "a local stack (Azurite and the Batch emulator): no Azure account is set"
        assert runs_locally(name)


def test_the_local_stack_is_used_on_request_whatever_the_environment_says(in_the_environment: None) -> None:
    assert where("local") == "a local stack (Azurite and the Batch emulator)"


def test_without_any_account_a_local_stack_runs_for_the_block() -> None:
    said: list[str] = []
    with account_for(None, said.append) as account:
        assert account.batch_endpoint.startswith("http://127.0.0.1:")
        assert account.blob_endpoint.startswith("http://127.0.0.1:")
    assert said == ["Running on a local stack (Azurite and the Batch emulator): no Azure account is set"]


def test_asking_for_the_environment_when_it_is_empty_names_what_to_set() -> None:
    with (
        pytest.raises(AccountError, match="AZURE_BATCH_ACCOUNT") as raised,
        account_for("environment", print),
    ):
        pass
    assert "AZURE_STORAGE_ACCOUNT" in str(raised.value)
    assert "'local'" in str(raised.value)


def test_half_an_account_in_the_environment_is_no_reason_to_run_locally(
    in_the_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT")
    with pytest.raises(AccountError, match="AZURE_STORAGE_ACCOUNT"), account_for(None, print):
        pass


def block(**values: object) -> AzureBatchAccount:
    return AzureBatchAccount.model_validate(
        {
            "batch_account": "batch1",
            "batch_endpoint": "batch1.westeurope.batch.azure.com",
            "storage_account": "store1",
            **values,
        }
    )


def test_a_block_filled_in_with_keys_signs_in_by_key() -> None:
    account = block(batch_key=KEY, storage_key=KEY).account()
    assert account == Account(
        batch_endpoint="https://batch1.westeurope.batch.azure.com",
        batch_account="batch1",
        batch_key=SecretStr(KEY),
        blob_endpoint="https://store1.blob.core.windows.net",
        storage_account="store1",
        storage_key=SecretStr(KEY),
    )


def test_key_fields_left_empty_in_the_form_mean_entra_id() -> None:
    account = block(batch_key="", storage_key="").account()
    assert account.batch_key is None
    assert account.storage_key is None


def test_a_block_that_is_no_account_is_refused_without_showing_a_key() -> None:
    with pytest.raises(AccountError) as raised:
        block(batch_endpoint="ftp://batch1", batch_key=KEY).account()
    assert "batch_endpoint" in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_block_is_loaded_by_its_name_and_shows_no_key(prefect_server: str) -> None:
    saved = block(batch_key=KEY)
    saved.save("production")
    assert KEY not in repr(saved)
    try:
        with account_for("production", print) as account:
            assert account == saved.account()
    finally:
        AzureBatchAccount.delete("production")  # else the tests of the collector look there, too


def test_a_block_nobody_made_is_an_error_that_says_how_to_make_it(prefect_server: str) -> None:
    with pytest.raises(AccountError, match="prefect block register"), account_for("staging", print):
        pass
