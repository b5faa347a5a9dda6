"""An emulator that one test module has to itself, and its control plane."""

import json
import os
import shlex
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from flows.local_stack.emulator import BatchAccount
from tests.leaks.session import noted
from tests.signing import emulator_options

HEADERS = {"X-Batch-Emulator": "1"}


@contextmanager
def running(*options: str) -> Iterator[BatchAccount]:
    """An emulator as a process of its own, with these options."""
    command = [sys.executable, "-m", "batch_emulator", "--port", "0", "--exit-with-stdin"]
    process = subprocess.Popen(
        [*command, *emulator_options(), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        lines = [shlex.split(process.stdout.readline())[1] for _ in range(3)]
        said = dict(line.split("=", 1) for line in lines)
        yield noted(
            BatchAccount(
                said["AZURE_BATCH_ENDPOINT"], said["AZURE_BATCH_ACCOUNT"], said["AZURE_BATCH_ACCESS_KEY"]
            )
        )
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: that takes longer than a request."""
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))


@dataclass(frozen=True)
class Control:
    """The control plane of an emulator."""

    endpoint: str

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """One request, with the header that lets it change something."""
        url = f"{self.endpoint}/_emulator/{path}"
        headers = {**HEADERS, **headers}
        return httpx.request(method, url, json=body, headers=headers, timeout=60, verify=_trusted())

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
