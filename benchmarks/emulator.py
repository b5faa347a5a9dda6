"""The emulator beside xargs and Azurite, in one run: only the ratios mean something on another machine.

Real tasks: `true`, 8 at a time, from enabling their job until the last is counted as completed; in turns with
`xargs -P8` running the same program as often, bare and with the directory and files that a task has. Once the
nodes are in memory, which compares like with like, for bare `xargs` makes no files; once in the folder for
temporary files, where making two directories and two files can take longer than the rest (measured on ext4).
On a busy machine the ratio by processor time says more: what runs as eight processes gets a larger share than
what runs as two.
Simulated tasks: the time from the first request to the last completion, and how much memory each one more
costs. Answers: each operation over one kept connection, one after the other, without an SDK; beside what
Azurite takes for a small blob. Start: from the command to the first answer.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from flows.local_stack import without_azure
from flows.local_stack.azurite import BlobAccount, running_azurite
from flows.local_stack.emulator import BatchAccount, Emulator
from flows.local_stack.service import Service

VERSION = "2025-06-01"
SLOTS = 8
PAGE = 100
ROUNDS = 5
WARM_UP = 100
MiB = 1 << 20
MEMORY = "/dev/shm"
"""Files in memory, on Linux."""
FURNISHED = 'mkdir -p "$0/wd" && cd "$0/wd" && exec true >../stdout.txt 2>../stderr.txt'
"""`true` with what a task has on a node."""


class Batch:
    """One signed connection to the emulator."""

    def __init__(self, account: BatchAccount, pid: int) -> None:
        self.account, self.pid = account, pid
        address = urlsplit(account.endpoint)
        assert address.hostname is not None
        self.connection = http.client.HTTPConnection(address.hostname, address.port)
        self.key = base64.b64decode(account.key)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The parsed answer. Raises RuntimeError when it is a refusal."""
        answer = self.fetch(method, path, body, **query)
        return json.loads(answer) if answer else None

    def fetch(self, method: str, path: str, body: Any = None, **query: str) -> bytes:
        """The answer as it is. Raises RuntimeError when it is a refusal."""
        query = {"api-version": VERSION, **query}
        content = json.dumps(body).encode() if body is not None else b""
        headers = {"ocp-date": formatdate(usegmt=True)}
        if content:
            headers["Content-Type"] = "application/json; odata=minimalmetadata"
        length = "" if method in ("GET", "HEAD") else str(len(content))
        signed = [method, "", "", length, "", headers.get("Content-Type", ""), *[""] * 6]
        signed += [f"ocp-date:{headers['ocp-date']}", f"/{self.account.name}{path}"]
        signed += [f"{name.lower()}:{query[name]}" for name in sorted(query, key=str.lower)]
        digest = hmac.new(self.key, "\n".join(signed).encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {self.account.name}:{base64.b64encode(digest).decode()}"
        target = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        self.connection.request(method, target, content or None, headers)
        response = self.connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode()}")
        return answer

    def make(self, name: str, nodes: int, slots: int) -> None:
        """A pool without nodes yet and a job on it."""
        image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
        machine = {"imageReference": image, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}
        pool = {"id": name, "vmSize": "standard_d8s_v3", "virtualMachineConfiguration": machine}
        self.ask("POST", "/pools", {**pool, "taskSlotsPerNode": slots, "targetDedicatedNodes": nodes})
        self.ask("POST", "/jobs", {"id": name, "poolInfo": {"poolId": name}})

    def add(self, job: str, count: int, command: str) -> None:
        """Tasks, as many to a request as the service takes."""
        for first in range(0, count, PAGE):
            numbers = range(first, min(first + PAGE, count))
            tasks = [{"id": f"t{number}", "commandLine": command} for number in numbers]
            self.ask("POST", f"/jobs/{job}/addtaskcollection", {"value": tasks})

    def finish(self, job: str, count: int) -> None:
        """Wait until so many tasks are completed, and see that none failed."""
        while True:
            counts = self.ask("GET", f"/jobs/{job}/taskcounts")["taskCounts"]
            if counts["completed"] == count:
                break
            time.sleep(0.05)
        if counts["failed"]:
            raise RuntimeError(f"{counts['failed']} tasks failed")

    def peak(self) -> int:
        """The most memory that the emulator's process has held, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def processor_seconds(self) -> float:
        """Processor time of the emulator, its launcher and all that they started and that has ended."""
        own = Path(f"/proc/{self.pid}")
        pids = [str(self.pid), *(own / f"task/{self.pid}/children").read_text().split()]
        stats = (Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids)
        return sum(int(ticks) for stat in stats for ticks in stat[11:15]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def emulator(*options: str) -> Iterator[Batch]:
    """A fresh emulator process."""
    command = [sys.executable, "-m", "batch_emulator", "--port", "0", "--exit-with-stdin", *options]
    with Service("The Batch emulator", command, env=without_azure(os.environ)) as service:
        yield Batch(Emulator(service).account(), service.pid)


@dataclass(frozen=True)
class Speed:
    """How many commands a second, and how much processor time each took, in milliseconds."""

    rate: float
    processor: float


def real_tasks(count: int, folder: str) -> None:
    """Processes per second, beside xargs; in turns, for a machine is not as fast at all times."""
    each = max(count // ROUNDS, 1)
    speeds: list[tuple[Speed, Speed, Speed]] = []
    with tempfile.TemporaryDirectory(dir=folder) as root, emulator("--root", root) as batch:
        batch.make("real", 1, SLOTS)
        for number in range(ROUNDS):
            job = f"round{number}"
            batch.ask("POST", "/jobs", {"id": job, "poolInfo": {"poolId": "real"}})
            batch.ask("POST", f"/jobs/{job}/disable", {"disableTasks": "wait"})
            batch.add(job, each, "true")
            bare, furnished = (
                _xargs(each, folder, *command) for command in (["true"], ["sh", "-c", FURNISHED])
            )
            busy, began = batch.processor_seconds(), time.perf_counter()
            batch.ask("POST", f"/jobs/{job}/enable")
            batch.finish(job, each)
            seconds = time.perf_counter() - began
            used = (batch.processor_seconds() - busy) * 1000 / each
            speeds.append((Speed(each / seconds, used), bare, furnished))
    own, bare, furnished = (_middle(list(kind)) for kind in zip(*speeds, strict=True))
    print(
        f"{count:,} tasks `true`, {SLOTS} at a time, nodes in {folder}: {own.rate:,.0f}/s, "
        f"processor {own.processor:.2f} ms each"
    )
    for name, other, place in (("xargs", bare, 1), ("xargs with a directory and two files", furnished, 2)):
        ratio = statistics.median(one[0].rate / one[place].rate for one in speeds)
        processor = statistics.median(one[place].processor / one[0].processor for one in speeds)
        print(f"    {name}: {other.rate:,.0f}/s, processor {other.processor:.2f} ms each", end="; ")
        print(f"ratio {ratio:.2f}, by processor time {processor:.2f}")


def _middle(speeds: list[Speed]) -> Speed:
    return Speed(
        statistics.median(one.rate for one in speeds), statistics.median(one.processor for one in speeds)
    )


def _xargs(count: int, place: str, *command: str) -> Speed:
    """A command that is run so many times, each with a number, in a folder at this place."""
    numbers = "\n".join(map(str, range(count))).encode()
    with tempfile.TemporaryDirectory(dir=place) as folder:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        line = ["xargs", "-P", str(SLOTS), "-n", "1", *command]
        subprocess.run(line, input=numbers, cwd=folder, check=True)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Speed(count / seconds, used * 1000 / count)


def simulated_tasks(count: int) -> None:
    """Time and memory of tasks that take no processes; memory is compared with a tenth as many."""
    took: list[float] = []
    peaks: list[int] = []
    for tasks in (count // 10, count):
        with emulator("--simulate", "--seed", "1") as batch:
            batch.make("many", 1000, 4)
            began = time.perf_counter()
            batch.add("many", tasks, "simulate 1s")
            batch.finish("many", tasks)
            took.append(time.perf_counter() - began)
            peaks.append(batch.peak())
    each = (peaks[1] - peaks[0]) / (count - count // 10)
    print(f"{count:,} simulated tasks on 1,000 nodes: {took[1]:.1f} s, {count / took[1]:,.0f}/s", end="; ")
    print(f"a tenth as many {took[0]:.1f} s; peak {peaks[1] / MiB:.0f} MiB, {each:,.0f} bytes a task")


@dataclass(frozen=True)
class Times:
    """Answer times of one operation, in milliseconds."""

    p50: float
    p99: float


def timed(act: Callable[[int], object], count: int) -> Times:
    """How long an operation takes, after some that do not count."""
    for number in range(WARM_UP):
        act(-number - 1)
    times = []
    for number in range(count):
        began = time.perf_counter()
        act(number)
        times.append((time.perf_counter() - began) * 1000)
    return Times(statistics.median(times), statistics.quantiles(times, n=100)[98])


def answers(count: int) -> None:
    """Answer times of the common operations, and of a small blob in Azurite."""
    with running_azurite(without_azure(os.environ)) as starting, emulator("--simulate") as batch:
        ask = batch.fetch
        batch.make("pool", 1, 4)
        batch.add("pool", 1000, "simulate 1h")
        new = {"commandLine": "simulate 1h"}
        operations: dict[str, Callable[[int], object]] = {
            "get_pool": lambda _: ask("GET", "/pools/pool"),
            "list_nodes": lambda _: ask("GET", "/pools/pool/nodes"),
            "get_job": lambda _: ask("GET", "/jobs/pool"),
            "get_job_task_counts": lambda _: ask("GET", "/jobs/pool/taskcounts"),
            "get_task": lambda number: ask("GET", f"/jobs/pool/tasks/t{number % 1000}"),
            "list_tasks, 100 of 1000": lambda _: ask("GET", "/jobs/pool/tasks", maxresults="100"),
            "create_task": lambda number: ask("POST", "/jobs/pool/tasks", {"id": f"n{number}", **new}),
        }
        measured = {name: timed(act, count) for name, act in operations.items()}
        blob = _blob_operations(starting.account())
        beside = {f"Azurite {name}": timed(act, count) for name, act in blob.items()}
    for name, times in (measured | beside).items():
        print(f"{name:28} p50 {times.p50:6.2f} ms   p99 {times.p99:6.2f} ms")
    typical = statistics.median(times.p50 for times in measured.values())
    other = statistics.median(times.p50 for times in beside.values())
    print(f"typical p50: emulator {typical:.2f} ms, Azurite {other:.2f} ms, ratio {typical / other:.2f}")


def _blob_operations(account: BlobAccount) -> dict[str, Callable[[int], object]]:
    sas = generate_account_sas(
        account.name,
        account.key,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True, write=True, create=True, list=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    address = urlsplit(account.endpoint)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port)

    def ask(method: str, path: str, content: bytes | None = None) -> None:
        mark = "&" if "?" in path else "?"
        headers = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}
        connection.request(method, f"{address.path}{path}{mark}{sas}", content, headers)
        response = connection.getresponse()
        text = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode()}")

    ask("PUT", "/box?restype=container", b"")
    for number in range(PAGE):
        ask("PUT", f"/box/small{number}", b"0123456789")
    return {
        "get properties": lambda _: ask("HEAD", "/box/small1"),
        "get": lambda _: ask("GET", "/box/small1"),
        "list 100": lambda _: ask("GET", "/box?restype=container&comp=list"),
        "put": lambda number: ask("PUT", f"/box/n{number}", b"0123456789"),
    }


def start(rounds: int) -> None:
    """From the command to the first answer, in turns."""
    ours, theirs = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        with emulator() as batch:
            batch.ask("GET", "/pools")
            ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        with running_azurite(without_azure(os.environ)) as starting:
            address = urlsplit(starting.account().endpoint)
            assert address.hostname is not None
            connection = http.client.HTTPConnection(address.hostname, address.port)
            connection.request("GET", "/")
            connection.getresponse().read()
            theirs.append(time.perf_counter() - began)
    own, other = statistics.median(ours), statistics.median(theirs)
    print(f"start: emulator {own:.2f} s, Azurite {other:.2f} s, ratio {own / other:.2f}")


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--real", type=int, default=10_000, help="tasks that run `true` (default: %(default)s)"
    )
    parser.add_argument(
        "--simulated", type=int, default=100_000, help="simulated tasks (default: %(default)s)"
    )
    parser.add_argument("--requests", type=int, default=1000, help="of each operation (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=5, help="starts of each server (default: %(default)s)")
    options = parser.parse_args()
    if options.starts:
        start(options.starts)
    if options.requests:
        answers(options.requests)
    if options.real:
        for folder in (*filter(os.path.isdir, [MEMORY]), tempfile.gettempdir()):
            real_tasks(options.real, folder)
    if options.simulated:
        simulated_tasks(options.simulated)


if __name__ == "__main__":
    main()
