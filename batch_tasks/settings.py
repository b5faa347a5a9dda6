"""Which Batch account and which storage account a run uses, read once from the environment.

The names are those that `az batch` and `az storage` already read, so that a shell set up for `az` is set up
for this. A key that is not set means: sign in with Microsoft Entra ID.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from batch_tasks.clouds import cloud_of
from batch_tasks.errors import AccountError


class Account(BaseModel):
    """One Batch account and the storage account beside it. Keys never show in a repr."""

    model_config = ConfigDict(frozen=True)

    batch_endpoint: str = Field(
        description="https://<account>.<region>.batch.azure.com, or an emulator's URL."
    )
    batch_account: str = Field(min_length=1)
    batch_key: SecretStr | None = Field(None, description="Unset: sign in with Microsoft Entra ID.")
    blob_endpoint: str = Field(description="https://<account>.blob.core.windows.net, or an emulator's URL.")
    storage_account: str = Field(min_length=1)
    storage_key: SecretStr | None = Field(None, description="Unset: sign in with Microsoft Entra ID.")
    subscription_id: str = Field("", description="Set: quotas are compared, and pools may have an identity.")
    management_endpoint: str = Field("", description="Empty: Azure Resource Manager of the account's cloud.")

    @field_validator("batch_endpoint", "blob_endpoint")
    @classmethod
    def _with_scheme(cls, endpoint: str) -> str:
        return endpoint_url(endpoint)

    @model_validator(mode="after")
    def _tokens_travel_encrypted(self) -> Self:
        for name, endpoint, key in (
            ("Batch", self.batch_endpoint, self.batch_key),
            ("storage", self.blob_endpoint, self.storage_key),
        ):
            if key is None and endpoint.startswith("http://"):
                raise ValueError(
                    f"the {name} endpoint {endpoint} is plain http and no key is set: Entra ID tokens only "
                    f"go over https. Set the {name} account's key, or an https endpoint."
                )
        return self

    @classmethod
    def from_environment(cls) -> Account | None:
        """The account of the environment; None when none of its variables is set.

        Raises:
            AccountError: some variables are set but others that are needed are not, or one is malformed.
        """
        return _Environment().account()


class _Environment(BaseSettings):
    """The variables as `az` spells them."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    azure_batch_account: str | None = None
    azure_batch_access_key: SecretStr | None = None
    azure_batch_endpoint: str | None = None
    azure_storage_account: str | None = None
    azure_storage_key: SecretStr | None = None
    azure_storage_connection_string: SecretStr | None = None
    azure_storage_service_endpoint: str | None = None
    azure_subscription_id: str = ""

    def account(self) -> Account | None:
        # Who uses `az` for other things has a subscription set; that names no account.
        found_names = self.model_fields_set - {"azure_subscription_id"}
        if not found_names:
            return None
        storage = self._storage()
        missing = [
            name
            for name, value in (
                ("AZURE_BATCH_ACCOUNT", self.azure_batch_account),
                ("AZURE_BATCH_ENDPOINT", self.azure_batch_endpoint),
                ("AZURE_STORAGE_ACCOUNT (or AZURE_STORAGE_CONNECTION_STRING)", storage["storage_account"]),
            )
            if not value
        ]
        if missing:
            found = ", ".join(sorted(name.upper() for name in found_names))
            raise AccountError(
                f"The environment names half an Azure account: {found} is set, but not {', '.join(missing)}. "
                "Set what is missing, or unset the rest to run on the local stack."
            )
        values = {
            "batch_endpoint": self.azure_batch_endpoint,
            "batch_account": self.azure_batch_account,
            "batch_key": self.azure_batch_access_key,
            "subscription_id": self.azure_subscription_id,
            **storage,
        }
        try:
            return Account.model_validate(values)
        except ValidationError as error:
            reasons = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
            raise AccountError(f"The Azure account in the environment cannot be used: {reasons}") from None

    def _storage(self) -> dict[str, Any]:
        text = self.azure_storage_connection_string
        parts = parse_connection_string(text.get_secret_value()) if text else {}
        name = self.azure_storage_account or parts.get("AccountName")
        key = self.azure_storage_key or parts.get("AccountKey")
        suffix = parts.get("EndpointSuffix")
        blobs = f"blob.{suffix}" if suffix else cloud_of(self.azure_batch_endpoint or "").blobs
        endpoint = self.azure_storage_service_endpoint or parts.get("BlobEndpoint")
        return {
            "storage_account": name,
            "storage_key": key,
            "blob_endpoint": endpoint or f"https://{name}.{blobs}",
        }


def endpoint_url(endpoint: str) -> str:
    """An endpoint with its scheme and without a slash at the end; https where none is given."""
    url = endpoint.strip() if "://" in endpoint else f"https://{endpoint.strip()}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{endpoint!r} is no http or https endpoint")
    return url.rstrip("/")


def parse_connection_string(text: str) -> Mapping[str, str]:
    """The `Name=value` parts of a storage connection string; a key may itself hold `=`.

    Raises:
        AccountError: a part has no `=`. The message never repeats the text, which holds a key.
    """
    parts: dict[str, str] = {}
    for number, part in enumerate(filter(None, text.strip().split(";")), start=1):
        name, equals, value = part.partition("=")
        if not equals:
            raise AccountError(
                f"AZURE_STORAGE_CONNECTION_STRING: part {number} has no '='. Copy it whole from "
                "`az storage account show-connection-string`."
            )
        parts[name.strip()] = value.strip()
    return parts
