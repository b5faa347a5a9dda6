"""Who signs in how: which credential, which token, which URL is signed by what."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from azure.storage.blob import BlobClient
from pydantic import SecretStr

from batch_tasks.clients import (
    batch_client,
    blob_service,
    entra_credential,
    read_blob_url,
    signed_in,
    signing_in_with,
    write_container_url,
)
from batch_tasks.clouds import PUBLIC, SOVEREIGN, Cloud, cloud_of
from batch_tasks.errors import AccountError
from batch_tasks.settings import Account
from tests.tokens import RESOURCES, UnsignedTokens


def test_the_scope_of_a_token_for_batch_has_two_slashes() -> None:
    assert PUBLIC.batch_scope == "https://batch.core.windows.net//.default"
    assert PUBLIC.batch_scope in RESOURCES


@pytest.mark.parametrize("cloud", [PUBLIC, *SOVEREIGN])
def test_a_cloud_is_known_by_its_batch_endpoint(cloud: Cloud) -> None:
    assert cloud_of(f"https://mine.somewhere.{cloud.batch}") is cloud
    assert cloud_of(f"mine.somewhere.{cloud.batch}") is cloud


def test_an_emulator_is_taken_for_the_public_cloud() -> None:
    assert cloud_of("https://127.0.0.1:10010/account") is PUBLIC


def test_storage_is_looked_for_in_the_cloud_of_the_batch_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_BATCH_ACCOUNT", "b")
    monkeypatch.setenv("AZURE_BATCH_ENDPOINT", "https://b.chinaeast2.batch.chinacloudapi.cn")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "s")
    account = Account.from_environment()
    assert account is not None
    assert account.blob_endpoint == "https://s.blob.core.chinacloudapi.cn"


def test_a_credential_of_ones_own_is_used_within_its_block() -> None:
    mine = UnsignedTokens()
    with signing_in_with(mine):
        assert entra_credential() is mine
    assert entra_credential() is not mine
    assert entra_credential() is entra_credential()


@pytest.mark.parametrize(("scheme", "protocol"), [("https", ["https"]), ("http", None)])
@pytest.mark.parametrize(
    "sign", [lambda *by: write_container_url("c", *by), lambda *by: read_blob_url("c", "b", *by)]
)
def test_a_signed_url_works_encrypted_only_unless_the_account_is_an_emulator(
    scheme: str, protocol: list[str] | None, sign: Callable[[datetime], str]
) -> None:
    account = Account(
        batch_endpoint="https://b.somewhere.batch.azure.com",
        batch_account="b",
        blob_endpoint=f"{scheme}://s.blob.core.windows.net",
        storage_account="s",
        storage_key=SecretStr("a2V5"),
    )
    with signed_in(account):
        said = parse_qs(urlsplit(sign(datetime.now(UTC) + timedelta(hours=1))).query)
    assert said.get("spr") == protocol


def test_without_keys_both_services_are_asked_with_tokens_of_their_own(
    token_account: Account, signed_in_by_token: UnsignedTokens
) -> None:
    with signed_in(token_account):
        assert list(batch_client().list_pools()) == []
        assert blob_service().get_account_information()["sku_name"]
    assert len(signed_in_by_token.issued) == 2


def test_without_a_key_urls_are_signed_by_a_user_delegation_key(
    token_account: Account, signed_in_by_token: UnsignedTokens
) -> None:
    container, until = f"c{uuid4().hex}", datetime.now(UTC) + timedelta(hours=1)
    with signed_in(token_account):
        blob_service().create_container(container).upload_blob("a b.txt", b"text")
        url = read_blob_url(container, "a b.txt", until)
        assert "skoid=" in url
        with BlobClient.from_blob_url(url) as blob:
            assert blob.download_blob().readall() == b"text"
        assert "sp=w" in write_container_url(container, until)


def test_a_user_delegation_lasts_seven_days_and_no_longer(
    token_account: Account, signed_in_by_token: UnsignedTokens
) -> None:
    now = datetime.now(UTC)
    with signed_in(token_account):
        assert read_blob_url("c", "b", now + timedelta(days=6, hours=23))
        with pytest.raises(AccountError, match=r"at most 7 days.*max_hours"):
            read_blob_url("c", "b", now + timedelta(days=7, hours=1))
