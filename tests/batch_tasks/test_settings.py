"""Settings come from the names `az` uses, all or none, and keys never show."""

import pytest

from batch_tasks.errors import AccountError
from batch_tasks.settings import Account, endpoint_url

KEY = "c2VjcmV0LWtleQ=="
COMPLETE = {
    "AZURE_BATCH_ACCOUNT": "batch1",
    "AZURE_BATCH_ACCESS_KEY": KEY,
    "AZURE_BATCH_ENDPOINT": "batch1.westeurope.batch.azure.com",
    "AZURE_STORAGE_ACCOUNT": "store1",
    "AZURE_STORAGE_KEY": KEY,
}


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*COMPLETE, "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SERVICE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_an_empty_environment_is_no_account() -> None:
    assert Account.from_environment() is None


def test_the_names_of_az_make_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, COMPLETE)
    account = Account.from_environment()
    assert account is not None
    assert account.batch_endpoint == "https://batch1.westeurope.batch.azure.com"
    assert account.blob_endpoint == "https://store1.blob.core.windows.net"
    assert account.batch_key is not None
    assert account.batch_key.get_secret_value() == KEY


def test_a_connection_string_names_the_storage_account(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        f"DefaultEndpointsProtocol=https;AccountName=s;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
    )
    _set(monkeypatch, {**COMPLETE, "AZURE_STORAGE_CONNECTION_STRING": text})
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT")
    monkeypatch.delenv("AZURE_STORAGE_KEY")
    account = Account.from_environment()
    assert account is not None
    assert (account.storage_account, account.blob_endpoint) == ("s", "https://s.blob.core.chinacloudapi.cn")
    assert account.storage_key is not None
    assert account.storage_key.get_secret_value() == KEY


def test_half_an_account_is_an_error_that_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"AZURE_BATCH_ACCOUNT": "batch1"})
    with pytest.raises(AccountError, match="not AZURE_BATCH_ENDPOINT, AZURE_STORAGE_ACCOUNT"):
        Account.from_environment()


def test_tokens_are_not_sent_over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {**COMPLETE, "AZURE_BATCH_ENDPOINT": "http://127.0.0.1:1"})
    monkeypatch.delenv("AZURE_BATCH_ACCESS_KEY")
    with pytest.raises(AccountError, match="Entra ID tokens only go over https"):
        Account.from_environment()


def test_no_key_shows_in_reprs_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, COMPLETE)
    assert KEY not in repr(Account.from_environment())
    _set(monkeypatch, {"AZURE_STORAGE_CONNECTION_STRING": "c2VjcmV0"})
    with pytest.raises(AccountError) as refused:
        Account.from_environment()
    assert "c2VjcmV0" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "ftp://x", "://", "https://"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no http or https endpoint"):
        endpoint_url(text)
