"""Runs that die, each in its way, and what must not be touched when they are collected."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from azure.batch.models import (
    BatchJobCreateOptions,
    BatchPoolCreateOptions,
    BatchPoolInfo,
    BatchVmImageReference,
    VirtualMachineConfiguration,
)

from batch_tasks.clean_up import delete_container, delete_job, delete_pool
from batch_tasks.clients import batch_client, blob_service, signed_in
from batch_tasks.naming import OWNER, RunNames, metadata
from batch_tasks.settings import Account
from tests.teardown.scene import HEARTBEAT_SECONDS, Run, Scene, worker
from tests.teardown.stages import STAGES, held_under_a_worker, hold_at, killed
from tests.teardown.waiting import until

SILENCE = HEARTBEAT_SECONDS + 10.0
"""Seconds; the shortest that collect-garbage takes for silence, with such heartbeats."""


@dataclass(frozen=True)
class Dead:
    """A run whose process is gone, and what it left in the account at once."""

    run: Run
    left: int
    at: float

    @classmethod
    def now(cls, run: Run) -> "Dead":
        """The run has just died."""
        return cls(run, len(run.left()), time.monotonic())


@dataclass
class Casualties:
    """Runs by how they die; and two under one worker: one that died with it and one that did not."""

    dying: Mapping[str, "Future[Dead]"]
    two: "Future[tuple[Dead, Run]]"
    dead: dict[str, Dead] = field(default_factory=dict)

    def silent(self) -> Mapping[str, Dead]:
        """All of them, once they have been silent for so long that it shows."""
        self.dead = {how: future.result() for how, future in self.dying.items()}
        self.dead["SIGKILL of both"] = self.two.result()[0]
        last = max(dead.at for dead in self.dead.values())
        until(lambda: time.monotonic() > last + SILENCE + 1, "they are silent for long enough")
        return self.dead


def casualties_in(scene: Scene, threads: ThreadPoolExecutor) -> Casualties:
    """They begin to die."""
    two = threads.submit(with_a_killed_worker, scene)
    stopped = threads.submit(with_a_stopped_worker, scene)
    dying = {f"SIGKILL, {stage}": threads.submit(killed_and_counted, scene, stage) for stage in STAGES}
    dying["Ctrl-C of the worker"] = stopped
    return Casualties(dying, two)


def killed_and_counted(scene: Scene, stage: str) -> Dead:
    """A run without a worker, killed in the stage."""
    return Dead.now(killed(scene, stage))


def with_a_stopped_worker(scene: Scene) -> Dead:
    """Ctrl-C in the worker's terminal: it kills its runs at once and tells nobody."""
    with worker(scene, "stopped") as process:
        run, held = held_under_a_worker(scene, "poll", "stopped")
        process.send_signal(signal.SIGINT)
        process.wait(60)
        held.drop()
    return Dead.now(run)


def with_a_killed_worker(scene: Scene) -> tuple[Dead, Run]:
    """One run is killed with its worker; the other, which is returned second, survives it."""
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
    return Dead.now(runs[0]), runs[1]


@dataclass(frozen=True)
class Bystanders:
    """What a collector must leave alone, and the runs it belongs to."""

    living: Run
    stone: Path
    kept: Run
    foreign: set[str]

    def finish(self) -> None:
        """What the living run waits for comes."""
        self.stone.touch()


@contextmanager
def bystanders_in(scene: Scene, account: Account) -> Iterator[Bystanders]:
    """They are there for the length of the block."""
    stone = scene.folder / "stone"  # the commands of the living run wait for it; nodes are on this machine
    command = f"while [ ! -e {stone} ]; do sleep 0.2; done; cp {{input}} {{output}}"
    patient = {"command": command, "outputs": ["{stem}.copy"]}
    living = scene.create_run("by-hand", "flows/run_command.py:run_command", **patient)
    kept = scene.create_run("by-hand", clean_up={"output_container": False})
    foreign = foreign_things(account)
    for run in (living, kept):
        run.start()
    kept.end()
    until(lambda: len(living.left()) == 4, "the living run has made everything")
    yield Bystanders(living, stone, kept, foreign)
    with signed_in(account):
        for kind, name in (thing.split() for thing in foreign | kept.left()):
            {"pool": delete_pool, "job": delete_job, "container": delete_container}[kind](name)


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
