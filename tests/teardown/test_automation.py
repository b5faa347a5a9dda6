"""The automation that marks silent runs as crashed: Prefect takes it as shipped, and it does what it says."""

import re
import subprocess
from concurrent.futures import Future
from typing import Any

import pytest
import yaml

from batch_tasks.clean_up import delete_container
from batch_tasks.clients import signed_in
from batch_tasks.settings import Account
from flows.garbage import PRESUMED_DEAD
from tests.teardown import table
from tests.teardown.automation import FILE, Noticed
from tests.teardown.scene import Scene
from tests.teardown.waiting import ROOT

pytestmark = [pytest.mark.prefect_server, pytest.mark.timeout(600)]


def applied(scene: Scene) -> None:
    """The lines of `make deploy` that are about automations."""
    recipe = re.findall(r"^\t(\.venv/bin/prefect .*automation .*)$", (ROOT / "Makefile").read_text(), re.M)
    assert len(recipe) == 2
    for line in recipe:
        subprocess.run(["sh", "-c", line], cwd=ROOT, env=scene.env, capture_output=True, check=True)


def test_the_automation_is_there_once_and_as_its_file_says_however_often_it_is_applied(scene: Scene) -> None:
    applied(scene)
    (first,) = automations(scene)
    scene.api("PATCH", f"/automations/{first['id']}", {"enabled": False})
    applied(scene)
    (made,) = automations(scene)
    written = yaml.safe_load(FILE.read_text("utf-8"))
    same = ("posture", "for_each", "within", "match", "match_related")
    assert {key: made["trigger"][key] for key in same} == {key: written["trigger"][key] for key in same}
    assert set(made["trigger"]["expect"]) == set(written["trigger"]["expect"])
    assert (made["description"], made["enabled"]) == (written["description"], True)
    assert made["actions"][0]["state"] == "CRASHED"
    scene.api("DELETE", f"/automations/{made['id']}")


def automations(scene: Scene) -> list[dict[str, Any]]:
    """Those of that name."""
    wanted = {"automations": {"name": {"any_": ["zombie-runs"]}}}
    found: list[dict[str, Any]] = scene.api("POST", "/automations/filter", wanted)
    return found


@pytest.mark.matrix
def test_the_silence_of_a_lost_run_is_noticed_and_what_it_costs_ends(
    scene: Scene, account: Account, noticed: "Future[Noticed]", capsys: pytest.CaptureFixture[str]
) -> None:
    found = noticed.result()
    assert found.state == "Crashed"
    assert found.message.startswith(PRESUMED_DEAD)
    assert found.reason == f"prefect.flow-run.Crashed of prefect.flow-run.{found.run.id}"
    rows = {"seconds after its death": (f"{found.marked:.0f}", f"{found.deleted:.0f}")}
    table.show(capsys, "A run whose machine is lost", ("", "marked as crashed", "pool and job deleted"), rows)
    with signed_in(account):
        for name in found.left:
            delete_container(name.split()[1])
