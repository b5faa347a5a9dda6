"""What no process can do for itself: after SIGKILL, without a worker, past a stop of the server.

Where the worker lives, Prefect runs the hook `on_crashed` in a fresh process. Where nothing lives, one pass
of `collect-garbage` empties the account. Living runs, kept outputs and what is not ours stay.
"""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.batch.models import (
    BatchJobCreateOptions,
    BatchPoolCreateOptions,
    BatchPoolInfo,
    BatchVmImageReference,
    VirtualMachineConfiguration,
)
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from batch_tasks.clean_up import delete_container, delete_job, delete_pool
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.naming import OWNER, RunNames, metadata
from batch_tasks.settings import Account
from flows.collect_garbage import collect_garbage
from flows.local_stack.prefect_server import using
from tests.teardown import table
from tests.teardown.scene import HEARTBEAT_SECONDS, WORDS, PrefectServer, Run, Scene, until, worker
from tests.teardown.stages import AT_ONCE, STAGES, hold_at, killed

pytestmark = [pytest.mark.prefect_server, pytest.mark.matrix, pytest.mark.timeout(900)]

SILENCE = HEARTBEAT_SECONDS + 10.0
"""Seconds; the shortest that collect-garbage takes for silence, with such heartbeats."""
HOOKED = ("poll", "clean-up")


@dataclass
class Casualties:
    """Runs by how they died, and what each left in the account at once."""

    runs: dict[str, Run] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    at: float = 0.0

    def add(self, how: str, run: Run) -> None:
        """The process of the run is gone."""
        self.runs[how] = run
        self.left[how] = len(run.left())
        self.at = time.monotonic()


@dataclass
class Bystanders:
    """What a collector must leave alone, and the runs it belongs to."""

    living: Run
    stone: Path
    kept: Run
    foreign: set[str]


def killed_under_a_worker(scene: Scene, stage: str) -> Run:
    run = scene.create_run("watched")
    held = hold_at(scene, stage, run.hex)
    run.comes_to(held)
    os.kill(run.pid(), signal.SIGKILL)
    held.drop()
    return run


def with_a_stopped_worker(scene: Scene, casualties: Casualties) -> None:
    """Ctrl-C in the worker's terminal: it kills its runs at once and tells nobody."""
    with worker(scene, "stopped") as process:
        run = scene.create_run("stopped")
        held = hold_at(scene, "poll", run.hex)
        run.comes_to(held)
        process.send_signal(signal.SIGINT)
        process.wait(60)
        held.drop()
    casualties.add("Ctrl-C of the worker", run)


def with_a_killed_worker(scene: Scene, casualties: Casualties) -> Run:
    """One run is killed with its worker; the other, which is returned, survives it."""
    with worker(scene, "killed") as process:
        runs = [scene.create_run("killed") for _ in range(2)]
        holds = [hold_at(scene, "poll", run.hex) for run in runs]
        for run, held in zip(runs, holds, strict=True):
            run.comes_to(held)
        pids = [run.pid() for run in runs]
        process.kill()
        process.wait()
        os.kill(pids[0], signal.SIGKILL)
        holds[0].drop()
        holds[1].release()
    casualties.add("SIGKILL of both", runs[0])
    return runs[1]


def foreign_things(account: Account) -> set[str]:
    """Another's things with names like ours, and things of a run that another Prefect server may know."""
    similar = RunNames.of("top-n-words", uuid4())
    elsewhere = RunNames.of("top-n-words", uuid4())
    now = datetime.now(UTC)
    image = BatchVmImageReference(publisher="canonical", offer="ubuntu-24_04-lts", sku="server")
    machines = VirtualMachineConfiguration(image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04")
    with signed_in(account):
        batch_client().create_pool(
            BatchPoolCreateOptions(
                id=similar.pool_id, vm_size="standard_d2s_v5", virtual_machine_configuration=machines
            )
        )
        batch_client().create_job(
            BatchJobCreateOptions(id=similar.job_id, pool_info=BatchPoolInfo(pool_id=similar.pool_id))
        )
        blob_service().create_container(similar.output_container, metadata={"owner": OWNER})
        blob_service().create_container(
            elsewhere.input_container, metadata=dict(metadata(elsewhere, now, now + timedelta(hours=1)))
        )
    return {
        f"pool {similar.pool_id}",
        f"job {similar.job_id}",
        f"container {similar.output_container}",
        f"container {elsewhere.input_container}",
    }


@pytest.fixture(scope="module")
def bystanders(scene: Scene, account: Account) -> Iterator[Bystanders]:
    stone = scene.folder / "stone"  # its commands wait for it; nodes are on this machine
    command = f"while [ ! -e {stone} ]; do sleep 0.2; done; cp {{input}} {{output}}"
    patient = {"command": command, "outputs": ["{stem}.copy"]}
    living = scene.create_run("watched", "flows/run_command.py:run_command", **patient)
    kept = scene.create_run("watched", clean_up={"output_container": False})
    foreign = foreign_things(account)
    kept.end()
    until(lambda: len(living.left()) == 4, "the living run has made everything")
    yield Bystanders(living, stone, kept, foreign)
    with signed_in(account):
        for kind, name in (thing.split() for thing in foreign | kept.left()):
            {"pool": delete_pool, "job": delete_job, "container": delete_container}[kind](name)


@pytest.fixture(scope="module")
def casualties(scene: Scene, bystanders: Bystanders) -> Casualties:
    """Runs that nobody cleaned up, dead for so long that it shows."""
    dead = Casualties()

    def one(stage: str) -> None:
        dead.add(f"SIGKILL, {stage}", killed(scene, stage))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        stopped = threads.submit(with_a_stopped_worker, scene, dead)
        surviving = threads.submit(with_a_killed_worker, scene, dead)
        list(threads.map(one, STAGES))
        stopped.result()
        survivor = surviving.result()
    survivor.end()
    until(survivor.left_nothing, "the run that survived its worker cleans up after itself")
    until(lambda: time.monotonic() > dead.at + SILENCE + 1, "they are silent for long enough")
    return dead


def collected(scene: Scene, *, dry_run: bool = False) -> int:
    """One pass of collect-garbage; how many things it deleted."""
    heartbeats = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS}
    with using(scene.api_url), temporary_settings(heartbeats):
        rows = collect_garbage(dry_run=dry_run, silent_minutes=SILENCE / 60, reason="a test")
    return sum(row["action"] == "deleted" for row in rows)


def test_a_killed_run_is_cleaned_up_by_the_hook_where_its_worker_lives(scene: Scene) -> None:
    with ThreadPoolExecutor() as threads:
        for run in threads.map(lambda stage: killed_under_a_worker(scene, stage), HOOKED):
            assert run.end() == "CRASHED"
            until(run.left_nothing, "the hook deletes what is left")


def test_one_pass_of_collect_garbage_empties_the_account_of_the_dead_and_of_nothing_else(
    scene: Scene,
    casualties: Casualties,
    bystanders: Bystanders,
    account_in_environment: Account,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = scene.names()
    dead = {name for name in names for run in casualties.runs.values() if run.hex in name}
    states = {how: run.state_name() for how, run in casualties.runs.items()}
    assert len(dead) == sum(casualties.left.values()) > 3 * len(STAGES)
    assert collected(scene, dry_run=True) == 0
    assert scene.names() == names
    assert collected(scene) == len(dead)
    after = scene.names()
    rows = {
        how: (states[how], str(casualties.left[how]), str(len(run.left())))
        for how, run in casualties.runs.items()
    }
    heads = ("how it died", "its state", "things it left", "after one pass")
    table.show(capsys, "What collect-garbage finds", heads, rows)
    assert after == names - dead
    assert bystanders.foreign <= after
    assert bystanders.kept.left() == {f"container top-n-words-{bystanders.kept.hex}-outputs"}
    assert len(bystanders.living.left()) == 4


def test_the_collector_tells_of_each_thing_in_an_artifact(scene: Scene, casualties: Casualties) -> None:
    wanted = {"artifacts": {"key": {"any_": ["garbage"]}}}
    (artifact,) = scene.api("POST", "/artifacts/latest/filter", wanted)
    assert "have nobody left who will delete them: deleted." in artifact["description"]
    for run in casualties.runs.values():
        assert str(run.id) in artifact["data"] or not run.left()
    assert "its run was asked to keep it" in artifact["data"]


def test_a_living_run_is_not_disturbed_by_all_that(scene: Scene, bystanders: Bystanders) -> None:
    bystanders.stone.touch()
    assert bystanders.living.end() == "COMPLETED"
    copies = {path.stem: path.read_text() for path in bystanders.living.output.glob("*.copy")}
    assert copies == {Path(name).stem: text for name, text in WORDS.items()}
    until(bystanders.living.left_nothing, "it cleans up after itself")


def test_runs_survive_a_restart_of_the_server_or_are_collected(
    scene: Scene, server: PrefectServer, bystanders: Bystanders, account_in_environment: Account
) -> None:
    runs = [scene.create_run("watched") for _ in range(2)]
    holds = [hold_at(scene, "poll", run.hex) for run in runs]
    for run, held in zip(runs, holds, strict=True):
        run.comes_to(held)
    server.stop()
    holds[0].release()
    until(runs[0].left_nothing, "a run that nobody can watch cleans up all the same")
    server.start()
    holds[1].release()
    assert runs[1].end() == "COMPLETED"
    collected(scene)
    assert scene.names() == bystanders.foreign | bystanders.kept.left()
