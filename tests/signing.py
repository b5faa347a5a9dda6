"""How the tests sign in: by keys over http or, with `--by-token`, by bearer tokens over https.

By token it is as on Azure: the accounts have no keys, and azure-identity's `DefaultAzureCredential` asks the
endpoint of a managed identity for tokens, in this process and in all that it starts. The tests are the same.
"""

import os
import secrets
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from azure.core.credentials import AccessToken, AzureNamedKeyCredential, TokenCredential
from azure.core.credentials_async import AsyncTokenCredential
from pydantic import SecretStr

from batch_tasks.clients import entra_credential
from batch_tasks.settings import Account
from flows.local_stack.azurite import BlobAccount
from flows.local_stack.emulator import BatchAccount
from tests.tokens import IDENTITY, RESOURCES, Certificate, UnsignedTokens, certificate


@dataclass
class _Session:
    """What holds for all tests of this process."""

    certificate: Certificate | None = None


_SESSION = _Session()


@contextmanager
def by_token(shared: Certificate | None) -> Iterator[None]:
    """Within the block every account that tests make is signed in to by token."""
    with tempfile.TemporaryDirectory(prefix="tls-") as folder, _managed_identity() as identity:
        _SESSION.certificate = chain, _ = shared or certificate(Path(folder))
        # The SDKs, httpx and the nodes trust the certificate.
        os.environ.update(identity, REQUESTS_CA_BUNDLE=str(chain), SSL_CERT_FILE=str(chain))
        yield
        _SESSION.certificate = None


def the_certificate() -> Certificate | None:
    """That of all servers, by token; None by key."""
    return _SESSION.certificate


def emulator_options(certificate: Certificate | None = None) -> list[str]:
    """The emulator's options: with a certificate (by default: that of the session) it takes tokens."""
    certificate = certificate or _SESSION.certificate
    if certificate is None:
        return []
    chain, key = map(str, certificate)
    return ["--oauth", "basic", "--tls-cert", chain, "--tls-key", key, "--identity", IDENTITY]


def account_of(blobs: BlobAccount, batch: BatchAccount) -> Account:
    """The account that two servers are together."""
    keyed = _SESSION.certificate is None
    return Account(
        batch_endpoint=batch.endpoint,
        batch_account=batch.name,
        batch_key=SecretStr(batch.key) if keyed else None,
        blob_endpoint=blobs.endpoint,
        storage_account=blobs.name,
        storage_key=SecretStr(blobs.key) if keyed else None,
    )


def credential_for(name: str, key: SecretStr | str | None) -> AzureNamedKeyCredential | TokenCredential:
    """What a client of the account of this name signs in with."""
    if key is None or _SESSION.certificate is not None:
        return entra_credential()
    return AzureNamedKeyCredential(name, key.get_secret_value() if isinstance(key, SecretStr) else key)


def async_credential_for(name: str, key: str) -> AzureNamedKeyCredential | AsyncTokenCredential:
    """The same for an async client."""
    return AzureNamedKeyCredential(name, key) if _SESSION.certificate is None else _AsyncTokens()


def environment_of(account: Account) -> dict[str, str]:
    """The account as an environment names it."""
    keys = {"AZURE_BATCH_ACCESS_KEY": account.batch_key, "AZURE_STORAGE_KEY": account.storage_key}
    return {
        "AZURE_BATCH_ACCOUNT": account.batch_account,
        "AZURE_BATCH_ENDPOINT": account.batch_endpoint,
        "AZURE_STORAGE_ACCOUNT": account.storage_account,
        "AZURE_STORAGE_SERVICE_ENDPOINT": account.blob_endpoint,
        **{name: key.get_secret_value() for name, key in keys.items() if key is not None},
    }


def listening(server: HTTPServer, certificate: Certificate | None = None) -> str:
    """The address of a server that stands before another; by token, or with a certificate, it is https."""
    certificate = certificate or _SESSION.certificate
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"


def connecting(url: str, certificate: Certificate | None = None) -> HTTPConnection:
    """A connection to the server behind."""
    to, certificate = urlsplit(url), certificate or _SESSION.certificate
    if to.scheme == "http" or certificate is None:
        return HTTPConnection(to.hostname or "", to.port, timeout=120)
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    return HTTPSConnection(to.hostname or "", to.port, timeout=120, context=trust)


class _AsyncTokens:
    """The tokens of this process, awaited."""

    async def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """A token for the scopes."""
        return entra_credential().get_token(*scopes, **more)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class _IdentityHandler(BaseHTTPRequestHandler):
    """What App Service answers a managed identity (documented): it names a resource and a secret header."""

    header = secrets.token_hex(16)
    tokens = UnsignedTokens()

    def do_GET(self) -> None:
        """A token for the resource."""
        (resource,) = parse_qs(urlsplit(self.path).query)["resource"]
        scopes = [scope for scope in RESOURCES if scope == f"{resource}/.default"]
        if not scopes or self.headers["X-IDENTITY-HEADER"] != self.header:
            self.send_error(400, f"no token for {resource}")
            return
        body = self.tokens.as_managed_identity(scopes[0])
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are to be quiet."""


@contextmanager
def _managed_identity() -> Iterator[dict[str, str]]:
    """An identity endpoint on loopback; yields the environment that names it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _IdentityHandler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{server.server_port}/msi/token",
            "IDENTITY_HEADER": _IdentityHandler.header,
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
