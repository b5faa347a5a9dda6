"""What the tests of teardown share: an account behind gates, a Prefect server, runs that are processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.settings import Account
from flows.owners import HEARTBEAT
from tests.signing import environment_of
from tests.teardown.engines import Engine, Engines, engines
from tests.teardown.gate import Gate, Hold, gate_before
from tests.teardown.waiting import ROOT, until

FLOW = "flows/top_n_words.py:top_n_words"
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Where the server of `make ui` keeps who holds a slot of a limit."""
HEARTBEAT_SECONDS = 30
"""The shortest that Prefect allows."""
WORDS = {f"{number}.txt": f"{'tea ' * number}and {'milk ' * (number + 1)}" for number in range(1, 5)}


@dataclass
class Scene:
    """The account, the gates before it, the Prefect server, and the environment of what runs."""

    account: Account
    batch: Gate
    blobs: Gate
    folder: Path
    env: dict[str, str]
    port: int
    engines: Engines | None = None
    changing: threading.Lock = field(default_factory=threading.Lock)
    deployments: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def api(self, method: str, path: str, json: Any = None) -> Any:
        """Ask the Prefect server; change one thing at a time, as SQLite does not write for two at once."""
        changes = method != "GET" and not path.endswith("/filter")
        with self.changing if changes else nullcontext():
            return self._answer(method, f"{self.api_url}{path}", json)

    def _answer(self, method: str, url: str, json: Any) -> Any:
        deadline = time.monotonic() + 240
        while True:
            try:
                answer = httpx.request(method, url, json=json, timeout=30, trust_env=False)
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return answer.json() if answer.content else None
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"no answer to {method} {url}"
            time.sleep(0.3)

    def deployment(self, entrypoint: str, pool: str) -> str:
        """The id of a deployment of the flow in the work pool; made once. Like those that are shipped it has
        a concurrency limit, though one that is never reached.
        """
        if (entrypoint, pool) not in self.deployments:
            function = entrypoint.rpartition(":")[2]
            flow = self.api("POST", "/flows/", {"name": function.replace("_", "-")})
            body = {
                "name": f"{function}-{pool}",
                "flow_id": flow["id"],
                "entrypoint": entrypoint,
                "work_pool_name": pool,
                "concurrency_limit": 100,
                "concurrency_options": {"collision_strategy": "ENQUEUE"},
                "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
            }
            self.deployments[entrypoint, pool] = self.api("POST", "/deployments/", body)["id"]
        return self.deployments[entrypoint, pool]

    def work_pool(self, name: str) -> None:
        """A work pool that no worker serves yet."""
        self.api("POST", "/work_pools/", {"name": name, "type": "process"})

    def create_run(self, pool: str, entrypoint: str = FLOW, **parameters: Any) -> "Run":
        """A flow run, scheduled now. It counts the words of the scene's texts, with outputs of its own."""
        output = self.folder / f"output-{len(list(self.folder.iterdir()))}-{time.monotonic_ns()}"
        defaults = {
            "input_files": [str(self.folder / "texts")],
            "output_dir": str(output),
            "pool": {"dedicated_nodes": 1, "task_slots_per_node": 4},
            "account": "environment",
        }
        body = {"parameters": {**defaults, **parameters}}
        made = self.api("POST", f"/deployments/{self.deployment(entrypoint, pool)}/create_flow_run", body)
        return Run(self, UUID(made["id"]), Path(body["parameters"]["output_dir"]))

    def names(self) -> set[str]:
        """Every pool, job and container of the account that is there and not being deleted."""
        with signed_in(self.account):
            pools = {f"pool {pool.id}" for pool in batch_client().list_pools() if pool.state != "deleting"}
            jobs = {f"job {job.id}" for job in batch_client().list_jobs() if job.state != "deleting"}
            containers = {f"container {container.name}" for container in blob_service().list_containers()}
        return pools | jobs | containers


@dataclass
class Run:
    """One flow run, seen through Prefect's API and the account."""

    scene: Scene
    id: UUID
    output: Path
    engine: Engine | None = None

    @property
    def hex(self) -> str:
        return self.id.hex

    def state(self) -> dict[str, Any]:
        """Its state, as the API tells."""
        state: dict[str, Any] = self.scene.api("GET", f"/flow_runs/{self.id}")["state"]
        return state

    def set_state(self, kind: str, name: str | None = None, *, force: bool = False) -> None:
        """What a button in the UI or an automation does."""
        body = {"state": {"type": kind, "name": name}, "force": force}
        answer = self.scene.api("POST", f"/flow_runs/{self.id}/set_state", body)
        # Where the answer is lost and the server asked again, the run has that state already.
        assert answer["status"] == "ACCEPT" or answer["state"]["type"] == kind, answer

    def comes_to(self, held: Hold, within: float = 300) -> None:
        """Wait until it is held."""
        until(lambda: held.came.is_set() or self.state()["type"] in FINAL, f"{self.id} is held", within)
        assert held.came.is_set(), f"{self.id} ended before it came there: {self.state()}"

    def gave_sign_of_life(self) -> bool:
        """Whether the server has a heartbeat of it."""
        wanted = {
            "event": {"name": [HEARTBEAT]},
            "resource": {"id": [f"prefect.flow-run.{self.id}"]},
        }
        return bool(self.scene.api("POST", "/events/filter", {"filter": wanted})["events"])

    def start(self) -> Engine:
        """Start its process as a worker does, without any."""
        assert self.scene.engines is not None
        self.set_state("PENDING")
        self.engine = self.scene.engines.start(str(self.id))
        return self.engine

    def kill(self) -> None:
        """SIGKILL to its process, whoever started it."""
        os.kill(self.pid(), signal.SIGKILL)

    def pid(self) -> int:
        """The process of the run; where a worker started it, as that told it to Prefect."""
        if self.engine is not None:
            return self.engine.pid
        told: list[str] = []

        def known() -> bool:
            told[:] = [self.scene.api("GET", f"/flow_runs/{self.id}")["infrastructure_pid"] or ""]
            return bool(told[0])

        until(known, f"the worker tells the process of {self.id}")
        return int(told[0].rpartition(":")[2])

    def left(self) -> set[str]:
        """What the account holds of it."""
        return {name for name in self.scene.names() if self.hex in name}

    def left_nothing(self) -> bool:
        return self.left() == set()

    def end(self, within: float = 120) -> str:
        """Wait for its end; the state's type and name."""
        final: list[dict[str, Any]] = []

        def ended() -> bool:
            final[:] = [self.state()]
            return final[0]["type"] in FINAL

        until(ended, f"{self.id} ends", within)
        return str(final[0]["type"])

    def state_name(self) -> str:
        return str(self.state()["name"])

    def clean_up_state(self) -> str:
        """The state of its last task run `clean-up`; "" when there is none."""
        wanted = {"flow_runs": {"id": {"any_": [str(self.id)]}}, "sort": "EXPECTED_START_TIME_DESC"}
        runs = self.scene.api("POST", "/task_runs/filter", wanted)
        states = [run["state"]["type"] for run in runs if run["name"] == "clean-up" and run["state"]]
        return str(states[0]) if states else ""

    def outputs(self) -> Mapping[str, list[str]]:
        """The outputs that came down: the words in them, without the names of the run's own job and pool."""
        files = sorted(self.output.glob("*_OUTPUT.txt"))
        return {file.name: re.findall(r"^.*:\t\d+$", file.read_text(), re.M) for file in files}

    def results_written(self) -> list[str]:
        """The targets under which nodes stored that a task of the run is done, once for each time."""
        return [
            request.target.partition("?")[0]
            for request in self.scene.blobs.seen
            if request.method == "PUT" and f"{self.hex}-outputs/results/" in request.target
        ]


@contextmanager
def worker(scene: Scene, pool: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker on the work pool, as the leader of a session, like a terminal's.

    Without `--limit`, like that of `make worker`: with one it ends by an exception when a run is retried
    while the hook of the attempt before is still at work (seen with Prefect 3.8.8).
    """
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    with (scene.folder / f"worker-{pool}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--name", pool],
            cwd=ROOT,
            env=scene.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    filter_by_name = {"work_pools": {"name": {"any_": [pool]}}}
    try:
        until(lambda: bool(scene.api("POST", "/work_pools/filter", filter_by_name)), "the worker is there")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class PrefectServer:
    """A whole Prefect server on the scene's port and database. It can be stopped and started again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.log = scene.folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--no-ui"]
        command += ["--port", str(self.scene.port)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.scene.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        until(self._is_healthy, "the Prefect server answers", 120)

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return httpx.get(f"{self.scene.api_url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def scene_of(account: Account, folder: Path) -> Iterator[Scene]:
    """The account behind gates and the environment for a server and its runs; the server is not up yet."""
    (folder / "texts").mkdir()
    for name, text in WORDS.items():
        (folder / "texts" / name).write_text(text)
    with ExitStack() as stack:
        batch = stack.enter_context(gate_before(account.batch_endpoint))
        blobs = stack.enter_context(gate_before(account.blob_endpoint))
        gates = {"batch_endpoint": batch.url, "blob_endpoint": blobs.url}
        port = _free_port()
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
            **environment_of(account.model_copy(update=gates)),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
        }
        yield Scene(account, batch, blobs, folder, env, port)


@contextmanager
def with_engines(scene: Scene) -> Iterator[Scene]:
    """The scene, in which runs can be started without a worker."""
    with engines(scene.env, scene.folder / "engines.log") as scene.engines:
        yield scene


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
