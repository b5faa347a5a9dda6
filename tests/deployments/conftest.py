"""Prefect as the README says to use it: a server, the deployments and a worker, each by its own command."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.deployments import browser as chromium
from tests.deployments.browser import Browser
from tests.test_readme import README, ROOT, blocks

COMMANDS = [
    line for block in blocks(README) if block.tags == ("sh", "prefect") for line in block.lines if line
]
IN_TERMINALS = ("make ui", "make worker")
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PATIENCE = 200.0


@dataclass(frozen=True)
class Prefect:
    """A Prefect in use: its server at `url`, and what a shell that works with it has in its environment."""

    url: str
    env: Mapping[str, str]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A shell line, as typed in the checkout."""
        return subprocess.run(
            ["sh", "-c", command],
            check=False,
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the server's API answers; asked again, as Prefect's client does, while SQLite is locked and
        where the server leaves a request without an answer, which it does now and then for a minute.
        """
        deadline = time.monotonic() + PATIENCE
        while (answer := self._answer(method, path, body)) is None:
            assert time.monotonic() < deadline, f"no answer to {method} {path}"
            time.sleep(0.2)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _answer(self, method: str, path: str, body: object) -> httpx.Response | None:
        try:
            answer = httpx.request(method, f"{self.url}/api/{path}", json=body, timeout=30)
        except httpx.TransportError:
            return None
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

    def deployment(self, name: str) -> dict[str, Any]:
        """The deployment, as `flow/deployment`."""
        found: dict[str, Any] = self.ask("GET", f"deployments/name/{name}")
        return found

    def runs_of(self, name: str) -> list[dict[str, Any]]:
        """The runs of a deployment, oldest first."""
        wanted = {"deployments": {"id": {"any_": [self.deployment(name)["id"]]}}, "sort": "START_TIME_ASC"}
        runs: list[dict[str, Any]] = self.ask("POST", "flow_runs/filter", wanted)
        return runs

    def start(self, name: str, **parameters: object) -> str:
        """Start a run as the UI does; its id."""
        body = {
            "parameters": parameters,
            "state": {"type": "SCHEDULED"},
            "enforce_parameter_schema": True,
            "idempotency_key": str(uuid4()),
        }
        run = self.ask("POST", f"deployments/{self.deployment(name)['id']}/create_flow_run", body)
        return str(run["id"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """The run, once it has ended."""
        run: dict[str, Any] = {}

        def has_ended() -> bool:
            run.update(self.ask("GET", f"flow_runs/{run_id}"))
            return run["state_type"] in ENDED

        until(has_ended, f"run {run_id} ends")
        return run

    def artifact(self, run_id: str, key: str) -> dict[str, Any]:
        """The latest artifact of the run under this key; {} while there is none."""
        wanted = {"flow_run_id": {"any_": [run_id]}, "key": {"any_": [key]}}
        found = self.ask("POST", "artifacts/filter", {"artifacts": wanted, "sort": "CREATED_DESC"})
        return dict(found[0]) if found else {}


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.3)


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """The README's commands up to the worker, in their order, on a port and in a home of their own."""
    folder = tmp_path_factory.mktemp("prefect")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREFECT_") and name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
    env = {
        **kept,
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_PORT": str(port),
    }
    used = Prefect(url, env)
    with ExitStack() as stack:
        for command in COMMANDS[: COMMANDS.index("make worker") + 1]:
            if command in IN_TERMINALS:
                log = folder / f"{command.split()[-1]}.log"
                stack.enter_context(in_a_terminal(command, env, log))
                continue
            done = used.run(command)
            assert done.returncode == 0, done.stdout
        until(
            lambda: used.ask("GET", "work_pools/azure-batch")["status"] == "READY", "the worker asks for work"
        )
        yield used


@pytest.fixture(scope="session")
def browser(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser on the UI. Its pictures go to the folder that SCREENSHOTS names, else nowhere."""
    images = ROOT / os.environ.get("SCREENSHOTS", tmp_path_factory.mktemp("images"))
    with chromium.opened(prefect.url, images) as opened:
        yield opened


@contextmanager
def in_a_terminal(command: str, env: Mapping[str, str], log: Path) -> Iterator[None]:
    """The command runs for the length of the block and is then told to end as Ctrl-C does."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command.split(),
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, within in ((signal.SIGINT, 20), (signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
            process.wait(within)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
