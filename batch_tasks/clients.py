"""The only module that knows credentials: it turns an account into clients and signed URLs.

A key signs where one is set; otherwise Microsoft Entra ID does, by `DefaultAzureCredential` (environment,
workload identity, managed identity, `az login`) or by the credential of `signing_in_with`. Whether the
endpoint is Azure or an emulator is a URL, never an `if`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from azure.batch import BatchClient
from azure.core import PipelineClient
from azure.core.credentials import AzureNamedKeyCredential, TokenCredential
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import DefaultAzureCredential
from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    UserDelegationKey,
    generate_blob_sas,
    generate_container_sas,
)

from batch_tasks.clouds import cloud_of
from batch_tasks.errors import AccountError
from batch_tasks.patience import Patience, patiently
from batch_tasks.settings import Account

if TYPE_CHECKING:
    from azure.mgmt.batch import BatchManagementClient

LONGEST_USER_DELEGATION = timedelta(days=7)
"""Azure Storage gives out user delegation keys for at most this long (documented)."""

NO_MANAGEMENT = (
    "A pool with an identity is made by the package azure-mgmt-batch, which is not installed: "
    "`.local/uv/bin/uv sync --extra identity`, or `pip install 'azure-mgmt-batch>=19,<20'`. Or use a pool of "
    "kind 'existing' that has the identity."
)

_PER_CALL: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
_NO_RETRIES: dict[str, Any] = {**_PER_CALL, "retry_total": 0}
# Patience is kept in patience.py: within budgets, and where a closing run can interrupt it. The Batch SDK
# would sleep through a Retry-After of any length.
_BLOB_RETRIES: dict[str, Any] = {
    **_PER_CALL,
    "retry_total": 2,
    "initial_backoff": 0.5,
    "increment_base": 1,
    "random_jitter_range": 1,
}
# A large blob takes many requests, and one that fails should not begin it anew: here the SDK bridges short
# gaps, a few seconds in all whatever Retry-After says. By default it waits 15 s before it tries again.
_RESOURCE_MANAGER = Patience(budget=60.0, unreachable=2.0)


class _SignedIn:
    """One account's clients, made when first asked for and shared by all threads of a run."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._lock = threading.Lock()
        self._batch: BatchClient | None = None
        self._blobs: BlobServiceClient | None = None
        self._delegation: tuple[datetime, UserDelegationKey] | None = None

    def batch(self) -> BatchClient:
        with self._lock:
            if self._batch is None:
                account = self.account
                key = account.batch_key
                credential = (
                    AzureNamedKeyCredential(account.batch_account, key.get_secret_value())
                    if key
                    else entra_credential()
                )
                scope = cloud_of(account.batch_endpoint).batch_scope
                self._batch = BatchClient(
                    account.batch_endpoint, credential, credential_scopes=[scope], **_NO_RETRIES
                )
            return self._batch

    def blobs(self) -> BlobServiceClient:
        with self._lock:
            if self._blobs is None:
                account = self.account
                key = account.storage_key
                credential = (
                    AzureNamedKeyCredential(account.storage_account, key.get_secret_value())
                    if key
                    else entra_credential()
                )
                self._blobs = BlobServiceClient(account.blob_endpoint, credential=credential, **_BLOB_RETRIES)
            return self._blobs

    def delegation_key(self, until: datetime) -> UserDelegationKey:
        with self._lock:
            known = self._delegation
        if known is None or known[0] < until:
            blobs, begins = self.blobs(), datetime.now(UTC) - timedelta(minutes=5)
            # Not under the lock: threads that only need a client must not wait for storage.
            known = until, patiently(lambda: blobs.get_user_delegation_key(begins, until))
            with self._lock:
                self._delegation = known
        return known[1]

    def close(self) -> None:
        for client in (self._batch, self._blobs):
            if client is not None:
                client.close()


_signed_in: ContextVar[_SignedIn] = ContextVar("signed_in_account")
_credential: ContextVar[TokenCredential] = ContextVar("entra_credential")


@contextmanager
def signed_in(account: Account) -> Iterator[None]:
    """Within the block, `batch_client()` and `blob_service()` are this account's.

    Threads that copy the context, as Prefect's do, see the same clients.
    """
    logging.getLogger("azure").setLevel(logging.WARNING)
    session = _SignedIn(account)
    token = _signed_in.set(session)
    try:
        yield
    finally:
        _signed_in.reset(token)
        session.close()


def account_signed_in() -> Account:
    """The account signed in."""
    return _session().account


def batch_client() -> BatchClient:
    """The Batch client of the account signed in."""
    return _session().batch()


def blob_service() -> BlobServiceClient:
    """The storage client of the account signed in."""
    return _session().blobs()


def storage_url(container: str = "", blob: str = "") -> str:
    """The URL of the storage account signed in, of a container in it, or of a blob; not signed."""
    parts = (_session().account.blob_endpoint, container, quote(blob, safe="/~"))
    return "/".join(part for part in parts if part)


def read_blob_url(container: str, blob: str, until: datetime) -> str:
    """A URL that reads this one blob until then, and can do nothing else.

    Raises:
        AccountError: signed in with Entra ID and `until` is further away than Azure Storage allows.
    """
    return blob_url_signer(container, until)(blob)


def blob_url_signer(container: str, until: datetime) -> Callable[[str], str]:
    """`read_blob_url` for many blobs of one container: blob name -> URL."""
    session = _session()
    account = session.account
    keys = _signing_terms(session, until)

    def url(blob: str) -> str:
        signature = generate_blob_sas(
            account_name=account.storage_account,
            container_name=container,
            blob_name=blob,
            permission=BlobSasPermissions(read=True),
            expiry=until,
            **keys,
        )
        return f"{storage_url(container, blob)}?{signature}"

    return url


def stored_url_signer(until: datetime) -> Callable[[str], str]:
    """For blobs named by URL: an unsigned URL within our account -> one that reads the blob until then.

    Any other URL stays as it is: its own signature, or everybody's right to read, must do.
    """
    root = f"{storage_url()}/"
    signers: dict[str, Callable[[str], str]] = {}

    def url(stored: str) -> str:
        if "?" in stored or not stored.lower().startswith(root.lower()):
            return stored
        container, _, blob = unquote(stored[len(root) :]).partition("/")
        if container not in signers:
            signers[container] = blob_url_signer(container, until)
        return signers[container](blob)

    return url


def read_container_url(container: str, until: datetime) -> str:
    """A URL that lists and reads the blobs of this container until then.

    Raises:
        AccountError: as `write_container_url`.
    """
    return _container_url(container, ContainerSasPermissions(read=True, list=True), until)


def write_container_url(container: str, until: datetime) -> str:
    """A URL that writes blobs into this container until then; it can neither read, list nor delete.

    Raises:
        AccountError: signed in with Entra ID and `until` is further away than Azure Storage allows.
    """
    return _container_url(container, ContainerSasPermissions(write=True), until)


def _container_url(container: str, permission: ContainerSasPermissions, until: datetime) -> str:
    session = _session()
    signature = generate_container_sas(
        account_name=session.account.storage_account,
        container_name=container,
        permission=permission,
        expiry=until,
        **_signing_terms(session, until),
    )
    return f"{storage_url(container)}?{signature}"


def _signing_terms(session: _SignedIn, until: datetime) -> dict[str, Any]:
    """What signs, and that the URL works encrypted only; plain http is for emulators."""
    terms = {"protocol": "https"} if session.account.blob_endpoint.startswith("https://") else {}
    key = session.account.storage_key
    if key is not None:
        return {**terms, "account_key": key.get_secret_value()}
    if until - datetime.now(UTC) > LONGEST_USER_DELEGATION:
        raise AccountError(
            f"Under Entra ID, storage URLs can be signed for at most {LONGEST_USER_DELEGATION.days} days, "
            f"but this run asks for access until {until:%Y-%m-%d %H:%M} UTC. Lower the pool's max_hours."
        )
    return {**terms, "user_delegation_key": session.delegation_key(until)}


def ask_resource_manager(path: str, api_version: str) -> Any:
    """What Azure Resource Manager answers to a GET, parsed. Only Entra ID lets in there, never a key.

    Raises:
        AzureError: nobody is signed in, or it cannot be reached or refuses.
    """
    endpoint, scope = _resource_manager()
    policy = BearerTokenCredentialPolicy(entra_credential(), scope)
    request = HttpRequest("GET", f"{endpoint}{path}", params={"api-version": api_version})

    with PipelineClient[HttpRequest, HttpResponse](endpoint, policies=[policy]) as client:

        def ask() -> Any:
            answer = client.send_request(request, **_PER_CALL)
            answer.raise_for_status()
            return answer.json()

        return patiently(ask, patience=_RESOURCE_MANAGER)


@contextmanager
def management_client() -> Iterator[BatchManagementClient]:
    """The management plane of Batch, in the account's subscription. Only Entra ID lets in there.

    Raises:
        AccountError: azure-mgmt-batch, which is no part of a plain installation, is not installed.
    """
    try:
        from azure.mgmt.batch import BatchManagementClient  # noqa: PLC0415  an extra, and 0.5 s (measured)
    except ModuleNotFoundError as error:
        raise AccountError(NO_MANAGEMENT) from error
    endpoint, scope = _resource_manager()
    subscription = _session().account.subscription_id
    with BatchManagementClient(
        entra_credential(), subscription, endpoint, credential_scopes=[scope], **_NO_RETRIES
    ) as client:
        yield client


def _resource_manager() -> tuple[str, str]:
    """The endpoint of Azure Resource Manager, and what tokens for it are asked for."""
    account = _session().account
    cloud = cloud_of(account.batch_endpoint)
    return account.management_endpoint or cloud.management, f"{cloud.management}/.default"


def _session() -> _SignedIn:
    session = _signed_in.get(None)
    if session is None:
        raise AccountError("No account is signed in here: wrap the call in `with signed_in(account):`.")
    return session


@contextmanager
def signing_in_with(credential: TokenCredential) -> Iterator[None]:
    """Within the block, accounts without a key sign in with this credential, whichever kind it is.

    For those who want one kind alone, such as one managed identity of several.
    """
    token = _credential.set(credential)
    try:
        yield
    finally:
        _credential.reset(token)


def entra_credential() -> TokenCredential:
    """The Entra ID credential of `signing_in_with`, else the one of this process; it caches its tokens."""
    return _credential.get(None) or _default_credential()


@cache
def _default_credential() -> DefaultAzureCredential:
    return DefaultAzureCredential()
