"""A run whose machine is lost: the automation marks it, the mark starts the collector, and that deletes."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.teardown.scene import Run, Scene
from tests.teardown.stages import held_by_hand
from tests.teardown.waiting import ROOT, until

FILE = ROOT / "automations" / "zombie-runs.yaml"
WITHIN = 75
"""Seconds, as 570 fit heartbeats every 180: a little more than twice as long as they are apart."""
SHORT_TEMPERED = "short-tempered"
MORTAL = ("tests/teardown/impatient.py:mortal", "mortal")


@dataclass(frozen=True)
class Noticed:
    """What became of the run, and seconds from its death to the mark and to the deletion."""

    run: Run
    state: str
    message: str
    reason: str
    left: set[str]
    marked: float
    deleted: float


def prefect(scene: Scene, *words: str) -> subprocess.CompletedProcess[str]:
    """One of Prefect's own commands."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=scene.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def silence_noticed(scene: Scene) -> Noticed:
    """With what is shipped, but for name and time of the automation, the flow that is looked at, and the work
    pool and schedule of the collector.
    """
    automation = yaml.safe_load(FILE.read_text("utf-8"))
    automation["name"] = SHORT_TEMPERED
    automation["trigger"]["within"] = WITHIN
    automation["trigger"]["match_related"]["prefect.resource.name"] = [MORTAL[1]]
    shipped = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    (collector,) = (one for one in shipped["deployments"] if one["name"] == "scheduled")
    collector["triggers"][0]["match_related"]["prefect.resource.name"] = [MORTAL[1]]
    collector |= {"schedules": [], "work_pool": {"name": "watched"}}
    done = [
        prefect(
            scene,
            "deploy",
            "--all",
            "--prefect-file",
            written(scene, "prefect", {"deployments": [collector]}),
        ),
        prefect(scene, "automation", "create", "--from-file", written(scene, "zombies", automation)),
    ]
    assert [one.returncode for one in done] == [0, 0], [one.stdout for one in done]
    try:
        return _noticed(scene)
    finally:
        for one in (SHORT_TEMPERED, "collect-garbage-after-a-run"):
            prefect(scene, "automation", "delete", one)
        prefect(scene, "deployment", "delete", "collect-garbage/scheduled")


def _noticed(scene: Scene) -> Noticed:
    run, held = held_by_hand(scene, "poll", MORTAL[0], command="cp {input} {output}", outputs=["{stem}.copy"])
    until(run.gave_sign_of_life, "its first heartbeat arrives")
    run.kill()
    held.drop()
    died = time.monotonic()
    until(lambda: run.state()["type"] == "CRASHED", "the automation marks it as crashed", WITHIN + 200)
    marked = time.monotonic()
    containers = {f"container run-command-{run.hex}-{which}" for which in ("inputs", "outputs")}
    until(lambda: run.left() == containers, "the collector deletes pool and job", 300)
    deleted = time.monotonic()
    state = run.state()
    return Noticed(
        run, state["name"], state["message"], _reason(scene), run.left(), marked - died, deleted - died
    )


def _reason(scene: Scene) -> str:
    """What started the collector, as its parameter tells."""
    wanted = {"flows": {"name": {"any_": ["collect-garbage"]}}, "sort": "EXPECTED_START_TIME_DESC"}
    runs = scene.api("POST", "/flow_runs/filter", wanted)
    return str(next(run["parameters"]["reason"] for run in runs if run["deployment_id"]))


def written(scene: Scene, name: str, contents: Any) -> str:
    """The path of a YAML file with these contents."""
    path: Path = scene.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(contents), "utf-8")
    return str(path)
