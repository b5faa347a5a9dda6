"""An Azure account on this machine, for the length of a `with` block: Azurite and the Batch emulator."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from pydantic import SecretStr

from batch_tasks.settings import Account
from flows.local_stack.azurite import BlobAccount, azurite_script, node_executable, running_azurite
from flows.local_stack.emulator import BatchAccount, running_emulator
from flows.local_stack.programs import with_programs
from flows.local_stack.service import ServiceError

__all__ = [
    "ServiceError",
    "account_of",
    "local_stack",
    "loopback_past_proxies",
    "require_installed",
    "without_azure",
]


@contextmanager
def local_stack() -> Iterator[Account]:
    """Start Azurite and the Batch emulator, yield their account, stop both; nothing they stored is left.

    Both listen on loopback only and end with this process, even if it is killed.

    Raises:
        ServiceError: one of them is not installed or did not start; the text says what to do.
    """
    with ExitStack() as stack:
        stack.enter_context(loopback_past_proxies())
        env = without_azure(os.environ)
        blobs = stack.enter_context(running_azurite(env))
        batch = stack.enter_context(running_emulator(with_programs(env)))
        yield account_of(blobs.account(), batch.account())


def require_installed() -> None:
    """Raise ServiceError, with the remedy, when the local stack cannot start here."""
    azurite_script()
    node_executable()


def account_of(blobs: BlobAccount, batch: BatchAccount) -> Account:
    """What the two servers say about themselves, as the account that a run uses."""
    return Account(
        batch_endpoint=batch.endpoint,
        batch_account=batch.name,
        batch_key=SecretStr(batch.key),
        blob_endpoint=blobs.endpoint,
        storage_account=blobs.name,
        storage_key=SecretStr(blobs.key),
    )


def without_azure(env: Mapping[str, str]) -> dict[str, str]:
    """The environment for the servers: what tasks inherit from it must not hold keys of a real account."""
    return {name: value for name, value in env.items() if not name.startswith(("AZURE_", "AZURITE_"))}


@contextmanager
def loopback_past_proxies() -> Iterator[None]:
    """Let this process and its children reach 127.0.0.1 directly, where the environment names a proxy.

    Neither the Azure SDK nor httpx leaves loopback addresses out by itself.
    """
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    named = before["no_proxy"] or before["NO_PROXY"] or ""
    for name in before:
        os.environ[name] = ",".join(filter(None, [named, "127.0.0.1", "localhost"]))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
