"""Whatever is sent, the emulator answers: no 500, no traceback, no hang.

FUZZ_REQUESTS says how many requests are drawn, FUZZ_SEED from which seed.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from flows.local_stack.emulator import exported
from tests.fuzz.requests import POOL, RAW, Account, Request, Requests

COUNT = int(os.environ.get("FUZZ_REQUESTS", "2000"))
SEED = os.environ.get("FUZZ_SEED", "1")
LONGEST = 20.0
"""Seconds that an answer may take."""


@dataclass
class Emulator:
    """An emulator process, with what it says on stderr in a file."""

    port: int
    account: Account
    process: "subprocess.Popen[str]"
    said: Path
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)

    def send(self, request: Request) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self.connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in request.headers.items():
            self.connection.putheader(name, value.encode("latin-1", "replace"))
        if request.content or request.method not in ("GET", "HEAD"):
            self.connection.putheader("Content-Length", str(len(request.content)))
        self.connection.endheaders(request.content or None)
        response = self.connection.getresponse()
        return response.status, response.read()

    def say(self, content: bytes) -> bytes:
        """What comes back on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LONGEST) as connection:
            try:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(65536)
            except ConnectionError:
                return b""  # to hang up on nonsense is an answer

    def check(self) -> None:
        """It lives, and has logged nothing."""
        assert self.process.poll() is None, self.said.read_text()
        assert "Traceback" not in self.said.read_text(), self.said.read_text()[-6000:]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with _started(tmp_path) as started:
        yield started


@contextmanager
def _started(folder: Path) -> Iterator[Emulator]:
    command = [sys.executable, "-m", "batch_emulator", "--port", "0", "--exit-with-stdin", "--seed", SEED]
    said = folder / "stderr.txt"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        settings = dict(pair for _ in range(3) for pair in exported(process.stdout.readline()).items())
        account = Account(settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"])
        started = Emulator(int(settings["AZURE_BATCH_ENDPOINT"].rsplit(":", 1)[1]), account, process, said)
        yield started
        started.connection.close()
        process.stdin.close()
        assert process.wait(timeout=LONGEST) == 0, said.read_text()


def test_no_request_drawn_from_the_tables_breaks_it(emulator: Emulator) -> None:
    requests = Requests(Random(SEED), emulator.account)
    statuses: Counter[int] = Counter()
    done: set[str] = set()
    for number in range(COUNT):
        request = requests.draw()
        try:
            status, content = emulator.send(request)
        except http.client.RemoteDisconnected as error:
            raise AssertionError(f"request {number} was not answered: {request}") from error
        # 503 is what the service says to a formula that is changed too often.
        assert status < 500 or status == 503, f"request {number}: {status} {content.decode()} for {request}"
        statuses[status] += 1
        if status < 300:
            done.add(request.operation)
            if request.operation == "list_nodes":
                requests.nodes += [one["id"] for one in json.loads(content)["value"] if "id" in one]
        if number % 500 == 0:
            emulator.check()
    emulator.check()
    # Else it would be the edge alone that is tested.
    assert statuses[403] < COUNT / 20, statuses
    assert sum(count for status, count in statuses.items() if status < 300) > COUNT / 10, statuses
    assert len(done) > 40, sorted(done)


def test_what_was_once_answered_with_500_is_refused_or_done(emulator: Emulator) -> None:
    requests = Requests(Random(SEED), emulator.account, unsigned=0.0)

    def status(method: str, path: str, body: object = None, content: bytes = b"", **headers: str) -> int:
        content = content or (json.dumps(body).encode() if body is not None else b"")
        return emulator.send(requests.request("", method, path, content, **headers))[0]

    assert status("POST", "/pools", {"id": "pool", **POOL}) == 201
    assert status("POST", "/jobs", {"id": "job", "poolInfo": {"poolId": "pool"}}) == 201
    assert status("POST", "/jobs/job/addtaskcollection", {}) == 400
    assert status("POST", "/jobs", content=b'{"id": NaN}') == 400
    assert status("POST", "/jobs", content=b'{"id": 1e999}') == 400
    assert (
        status("POST", "/jobs/job/disable", {"disableTasks": "wait"}, If_Unmodified_Since="yesterday") == 400
    )
    nodes: list[dict[str, str]] = []
    while not nodes or nodes[0]["state"] != "idle":
        nodes = json.loads(emulator.send(requests.request("", "GET", "/pools/pool/nodes"))[1])["value"]
    assert status("POST", f"/pools/pool/nodes/{nodes[0]['id']}/users", {"name": "İ"}) == 201
    emulator.check()


def test_nothing_that_is_no_request_breaks_it(emulator: Emulator) -> None:
    random = Random(SEED)
    for number in range(max(COUNT // 20, len(RAW))):
        content = RAW[number] if number < len(RAW) else bytearray(random.choice(RAW))
        for _ in range(0 if number < len(RAW) else random.randrange(1, 6)):
            if content:
                content = bytearray(content)
                content[random.randrange(len(content))] = random.randrange(256)
        answer = emulator.say(bytes(content))
        assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")), (content[:200], answer)
    emulator.check()
    assert emulator.say(b"GET /_emulator/health HTTP/1.0\r\nHost: localhost\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )
