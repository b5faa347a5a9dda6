"""An emulator that one test module has to itself, and its control plane."""

import base64
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx

from flows.local_stack.emulator import BatchAccount
from tests import web
from tests.conformance.forked_emulator import end, serve
from tests.leaks.session import noted
from tests.signing import emulator_options

HEADERS = {"X-Batch-Emulator": "1"}
KEY = base64.b64encode(secrets.token_bytes(64)).decode()
"""Of all emulators of this process: the fewer secrets there are, the sooner all files are looked through."""
PROCESSES = get_context("forkserver")
# All that an emulator imports is there already in the process that it is forked from.
PROCESSES.set_forkserver_preload(
    [
        serve.__module__,
        *("batch_emulator.app", "batch_emulator.handlers.management", "batch_emulator.server", "httpx"),
    ]
)


@contextmanager
def running(*options: str, env: Mapping[str, str] = os.environ) -> Iterator[BatchAccount]:
    """An emulator as a process of its own, with these options."""
    printed, printing = PROCESSES.Pipe(duplex=False)
    held, holding = PROCESSES.Pipe(duplex=False)
    arguments = ["--port", "0", "--exit-with-stdin", *emulator_options(), *options]
    with_key = {**env, "AZURE_BATCH_ACCESS_KEY": KEY}
    process = PROCESSES.Process(target=serve, args=(arguments, with_key, held, printing))
    process.start()
    held.close()
    printing.close()
    try:
        with open(printed.fileno(), closefd=False) as stdout:
            lines = [shlex.split(stdout.readline())[1] for _ in range(3)]
        said = dict(line.split("=", 1) for line in lines)
        yield noted(
            BatchAccount(
                said["AZURE_BATCH_ENDPOINT"], said["AZURE_BATCH_ACCOUNT"], said["AZURE_BATCH_ACCESS_KEY"]
            )
        )
    finally:
        holding.close()
        printed.close()
        process.join(20)
        assert process.exitcode == 0
        process.close()


def ended(*options: str, folder: Path) -> tuple[int | None, str, str]:
    """What an emulator that ends by itself says: its exit code, stdout and stderr."""
    process = PROCESSES.Process(target=end, args=(["--port", "0", *options], folder))
    process.start()
    process.join(30)
    code = process.exitcode
    process.kill()
    process.join()
    process.close()
    return code, (folder / "stdout").read_text(), (folder / "stderr").read_text()


@dataclass(frozen=True)
class Control:
    """The control plane of an emulator."""

    endpoint: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request, with the header that lets it change something."""
        url = f"{self.endpoint}/_emulator/{path}"
        headers = {**HEADERS, **headers}
        return web.client().request(method, url, json=body, headers=headers)

    def fault(self, name: str, **members: Any) -> int:
        """Put a fault in force; gives its id."""
        answer = self.ask("POST", "faults", {"fault": name, **members})
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["faults"][0]["id"]
        return number

    def struck(self, number: int) -> int:
        """How often a fault has struck."""
        count: int = self.ask("GET", f"faults/{number}").json()["faults"][0]["struck"]
        return count

    def advance(self, seconds: float) -> None:
        """Let time pass on a stepped clock."""
        answer = self.ask("POST", "clock", {"advance": seconds})
        assert answer.status_code == 200, answer.text

    def events(self) -> list[dict[str, Any]]:
        """What was decided so far."""
        return [json.loads(line) for line in self.ask("GET", "events").text.splitlines()]

    def clean(self) -> None:
        """Take all faults out of force and empty the account."""
        assert self.ask("DELETE", "faults").status_code == 204
        assert self.ask("POST", "reset").status_code == 204
