"""The stages of a run, each by the request that a test holds in order to stop the run there."""

from collections.abc import Mapping
from typing import Any, Literal

from tests.teardown.gate import Hold, Request
from tests.teardown.scene import FLOW, Run, Scene

How = Literal["before", "after"]

BATCH, BLOBS = "batch", "blobs"
STAGES: Mapping[str, tuple[str, str, str, How]] = {
    # server, method, part of the target ({run} is the run's hex id), and whether request or answer is held
    "upload": (BLOBS, "PUT", "{run}-inputs/inputs/", "before"),
    "provision": (BATCH, "POST", "/pools?", "after"),
    "create job": (BATCH, "POST", "/jobs?", "after"),
    "submit": (BATCH, "POST", "{run}/addtaskcollection", "after"),
    "poll": (BATCH, "GET", "{run}/taskcounts", "before"),
    "download": (BLOBS, "GET", "{run}-outputs/outputs/", "before"),
    "clean-up": (BATCH, "DELETE", "/pools/", "before"),
}


AT_ONCE = 4
"""Cells that are worked on together: more make a server with SQLite refuse them for minutes."""


def hold_at(scene: Scene, stage: str, run: str, *, refuse: bool = False) -> Hold:
    """Hold the run with these 32 hex digits in the stage, or let the stage fail."""
    server, method, part, how = STAGES[stage]
    gate = scene.batch if server == BATCH else scene.blobs
    wanted = part.format(run=run)

    def matches(request: Request) -> bool:
        return request.method == method and wanted in request.target and request.concerns(run)

    return gate.hold(matches, "refuse" if refuse else how)


def held_by_hand(scene: Scene, stage: str, entrypoint: str = FLOW, **parameters: Any) -> tuple[Run, Hold]:
    """A run without a worker that has come to the stage and is held there."""
    run = scene.create_run("by-hand", entrypoint, **parameters)
    held = hold_at(scene, stage, run.hex)
    run.start()
    run.comes_to(held)
    return run, held


def held_under_a_worker(scene: Scene, stage: str, pool: str = "watched") -> tuple[Run, Hold]:
    """A run that a worker started and that is held in the stage."""
    run = scene.create_run(pool)
    held = hold_at(scene, stage, run.hex)
    run.comes_to(held)
    return run, held


def killed(scene: Scene, stage: str) -> Run:
    """A run without a worker whose process is killed in the stage."""
    run, held = held_by_hand(scene, stage)
    assert run.engine is not None
    run.engine.kill()
    held.drop()
    return run
