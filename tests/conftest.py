"""What the tests share: real servers, each started once and only when a test asks for it."""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

# What is imported and collected stays until the end: looking through it for garbage took a tenth of all time.
gc.disable()

# Before anything imports Prefect, which reads its settings once: no account, profile or server of the person
# who runs the tests is ever touched.
for _name in [name for name in os.environ if name.startswith(("AZURE_", "AZURITE_", "PREFECT_"))]:
    del os.environ[_name]
# A shell starts what runs in its background deaf to SIGINT, and so would be all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# On emulated nodes, `python3` is this Python: where it is a script that looks for one, that takes longer than
# what tasks do.
_programs = tempfile.TemporaryDirectory(prefix="programs-")
(Path(_programs.name) / "python3").symlink_to(Path(sys.executable).resolve())
os.environ["PATH"] = os.pathsep.join([_programs.name, os.environ["PATH"]])
_prefect_home = tempfile.TemporaryDirectory(prefix="prefect-home-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _prefect_home.name
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
# Those of other packages are of no use here, and looked for by each process.
os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"
# Prefect's log handler keeps the stderr it was made with, which pytest has closed by the next test.
os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
# A test that lacks the fixture `prefect_server` fails instead of silently starting a server of its own.
os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "false"

from batch_tasks.clients import signing_in_with  # noqa: E402
from batch_tasks.settings import Account  # noqa: E402
from flows.local_stack import without_azure  # noqa: E402
from flows.local_stack.azurite import BlobAccount  # noqa: E402
from flows.local_stack.emulator import BatchAccount  # noqa: E402
from flows.local_stack.prefect_server import running_prefect_server, using  # noqa: E402
from flows.local_stack.programs import with_programs  # noqa: E402
from tests.conformance.own_emulator import running  # noqa: E402
from tests.leaks.plugin import SecretsScan  # noqa: E402
from tests.leaks.session import FINDER  # noqa: E402
from tests.signing import account_of, by_token, emulator_options, environment_of, the_certificate  # noqa: E402
from tests.storage import SharedAzurite, blob_account, shared_certificate  # noqa: E402
from tests.tokens import Certificate, UnsignedTokens, certificate  # noqa: E402

SERVERS = {"azurite", "emulator", "account", "token_account"}
PREFECT = "prefect_server"
OWN_PREFECT = {"deployments", "teardown"}
"""Folders of tests whose modules share a Prefect server and a worker of their own."""
PROGRAMS = {"node", "workloads"}
"""Folders of tests that start programs."""
PREFECT_COST = 3
"""The cost of a test with a Prefect server, where that of another server is one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How all tests sign in."""
    text = "sign in with bearer tokens over https instead of keys over http; only tests with an account"
    parser.addoption("--by-token", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """At the end of the session no secret of it may be readable anywhere."""
    config.pluginmanager.register(SecretsScan(config, FINDER))
    config.pluginmanager.register(SharedAzurite(config))
    if config.getoption("--by-token"):
        tokens = ExitStack()
        tokens.enter_context(by_token(shared_certificate(config)))
        config.add_cleanup(tokens.close)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests with a Prefect server, and put them last; first where several processes share the work,
    since they take longest. Those that wait come then, and those that compute most are the last.
    """
    for item in items:
        if PREFECT in _fixtures(item):
            item.add_marker(pytest.mark.prefect_server)
    if config.getoption("--by-token"):
        config.hook.pytest_deselected(items=[item for item in items if not _signs_in(item)])
        items[:] = [item for item in items if _signs_in(item)]
    shared = hasattr(config, "workerinput")
    items.sort(key=_waiting if shared else _cost, reverse=shared)


def pytest_collection_finish() -> None:
    """From here on there is garbage; all that is there stays."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Where several processes share the work, a module stays in one, and so does what shares a server. Half
    of them begin at the end: they compute while the others wait.
    """
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class ByModule(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            folder = module.split("/")[1]
            return folder if folder in OWN_PREFECT else module

        def _assign_work_unit(self, node: Any) -> None:
            if self.nodes.index(node) >= len(self.nodes) // 2:
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    return ByModule(config, log)


def _cost(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if folder in OWN_PREFECT:
        return PREFECT_COST + 1
    if item.get_closest_marker("prefect_server"):
        return PREFECT_COST
    return 1 if folder in PROGRAMS or _fixtures(item) & SERVERS else 0


def _waiting(item: pytest.Item) -> tuple[int, int]:
    """What waits, the longest first; then what computes little, and then what computes more."""
    cost = _cost(item)
    if cost < PREFECT_COST and (waits := item.get_closest_marker("waits")):
        return PREFECT_COST - 1, waits.kwargs["seconds"]
    return (cost if cost >= PREFECT_COST else -cost), 0


def _signs_in(item: pytest.Item) -> bool:
    """Whether it runs `--by-token` too; some tests are of keys alone."""
    return bool(_fixtures(item) & SERVERS) and not item.get_closest_marker("keys")


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def azurite(pytestconfig: pytest.Config) -> Iterator[BlobAccount]:
    """A storage account in Azurite, kept in memory."""
    with blob_account(pytestconfig, the_certificate()) as account:
        yield account


@pytest.fixture(scope="session")
def emulator() -> Iterator[BatchAccount]:
    """A Batch account in the emulator, which runs as a process of its own."""
    with running(env=with_programs(without_azure(os.environ))) as account:
        yield account


@pytest.fixture(scope="session")
def account(azurite: BlobAccount, emulator: BatchAccount) -> Account:
    """The account that both servers together are, as a run uses it."""
    return account_of(azurite, emulator)


@pytest.fixture(scope="session")
def loopback_certificate(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Certificate:
    """A certificate for loopback."""
    there = the_certificate() or shared_certificate(pytestconfig)
    return there or certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def token_emulator(loopback_certificate: Certificate) -> Iterator[BatchAccount]:
    """A Batch account in an emulator that takes bearer tokens over https; its nodes trust the certificate."""
    env = {**without_azure(os.environ), "SSL_CERT_FILE": str(loopback_certificate[0])}
    with running(*emulator_options(loopback_certificate), env=with_programs(env)) as account:
        yield account


@pytest.fixture(scope="session")
def token_account(
    pytestconfig: pytest.Config, loopback_certificate: Certificate, token_emulator: BatchAccount
) -> Iterator[Account]:
    """An account without any key, at emulators over https: only bearer tokens let in."""
    with blob_account(pytestconfig, loopback_certificate) as blobs:
        yield Account(
            batch_endpoint=token_emulator.endpoint,
            batch_account=token_emulator.name,
            blob_endpoint=blobs.endpoint,
            storage_account=blobs.name,
        )


@pytest.fixture
def signed_in_by_token(
    loopback_certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UnsignedTokens]:
    """Accounts without a key sign in by tokens that nobody signed; the SDKs trust the certificate."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(loopback_certificate[0]))
    tokens = UnsignedTokens()
    with signing_in_with(tokens):
        yield tokens


@pytest.fixture
def account_in_environment(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The same account, set in the environment as a real one is: it outlives the runs that use it."""
    for name, value in environment_of(account).items():
        monkeypatch.setenv(name, value)
    return account


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """A Prefect server on an empty database; flows in this process use it. Yields its API's URL."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with running_prefect_server() as starting:
        url = starting.api_url()
        # Without heartbeats a flow run ends a second earlier: it has no heartbeat thread to wait for.
        with using(url), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield url
