"""Storage accounts in Azurite. Processes that share the tests share it too, each with an account of its own:
to start it takes longer than to store all that one process stores.
"""

import base64
import os
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from flows.local_stack import without_azure
from flows.local_stack.azurite import SAYS_IT_LISTENS, BlobAccount, azurite_script, command, node_executable
from flows.local_stack.service import ServiceError
from tests.leaks.session import noted
from tests.signing import the_certificate
from tests.tokens import Certificate, certificate

LISTENS_WITHIN = 60.0  # seconds
_SHARED = "storage"


@contextmanager
def blob_account(config: pytest.Config, trusted: Certificate | None) -> Iterator[BlobAccount]:
    """An account for this process; with a certificate it is over https and takes tokens besides its key."""
    scheme = "https" if trusted else "http"
    if shared := _shared(config):
        name, key = shared["name"], shared["key"]
        yield noted(BlobAccount(f"{_address(Path(shared[scheme]))}/{name}", name, key))
        return
    keys = _keys(["tests"])
    with _azurite(keys, trusted) as said:
        yield noted(BlobAccount(f"{_address(said)}/tests", "tests", keys["tests"]))


def shared_certificate(config: pytest.Config) -> Certificate | None:
    """The one of the Azurite that this process shares, if it shares one."""
    shared = _shared(config)
    return (Path(shared["certificate"][0]), Path(shared["certificate"][1])) if shared else None


class SharedAzurite:
    """The plugin, of use in the process that others run the tests for. It starts Azurite before them, over
    http and over https, and does not wait: who needs an account does.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._of_worker: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Iterable[Any]) -> None:
        """Workers are about to be started."""
        with suppress(ServiceError):  # tests that need Azurite will say what is missing
            self._start([spec.id for spec in specs])

    def _start(self, workers: Iterable[str]) -> None:
        servers = ExitStack()
        self._config.add_cleanup(servers.close)
        folder = servers.enter_context(tempfile.TemporaryDirectory(prefix="tls-"))
        trusted = the_certificate() or certificate(Path(folder))
        keys = _keys(workers)
        over_https = servers.enter_context(_azurite(keys, trusted))
        over_http = over_https if the_certificate() else servers.enter_context(_azurite(keys))
        for name, key in keys.items():
            self._of_worker[name] = {
                "certificate": tuple(map(str, trusted)),
                "http": str(over_http),
                "https": str(over_https),
                "name": name,
                "key": key,
            }

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is told of its accounts. One that takes the place of a dead one is not and has its own."""
        node.workerinput[_SHARED] = self._of_worker.get(node.gateway.id)


def _shared(config: pytest.Config) -> Mapping[str, Any] | None:
    told: Mapping[str, Any] = getattr(config, "workerinput", {})
    return told.get(_SHARED)


def _keys(names: Iterable[str]) -> dict[str, str]:
    return {name: base64.b64encode(secrets.token_bytes(64)).decode() for name in names}


@contextmanager
def _azurite(keys: Mapping[str, str], trusted: Certificate | None = None) -> Iterator[Path]:
    """Azurite with these accounts, and the file that it writes to."""
    line = command(node_executable(), azurite_script())
    if trusted:
        line += ["--oauth", "basic", "--cert", str(trusted[0]), "--key", str(trusted[1])]
    accounts = ";".join(f"{name}:{key}" for name, key in keys.items())
    env = {**without_azure(os.environ), "AZURITE_ACCOUNTS": accounts}
    with (
        tempfile.TemporaryDirectory(prefix="azurite-") as folder,
        Path(folder, "said").open("wb") as out,
        # It ends when its stdin does, should this process be killed.
        Popen(line, env=env, stdin=PIPE, stdout=out, stderr=out, start_new_session=True) as process,
    ):
        try:
            yield Path(out.name)
        finally:
            process.kill()


def _address(said: Path) -> str:
    """Where it listens, once it does."""
    end = time.monotonic() + LISTENS_WITHIN
    while not (listens := SAYS_IT_LISTENS.search((text := said.read_text()).rpartition("\n")[0])):
        assert time.monotonic() < end, f"Azurite does not listen. It says {text!r}"
        time.sleep(0.02)
    return listens[1]
