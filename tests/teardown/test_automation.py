"""The automation that marks silent runs as crashed is taken by Prefect, by the command of `make deploy`."""

import subprocess
import sys

import pytest
import yaml

from tests.teardown.scene import ROOT, Scene

pytestmark = [pytest.mark.prefect_server, pytest.mark.timeout(300)]
FILE = ROOT / "automations" / "zombie-runs.yaml"


def prefect(scene: Scene, *words: str) -> int:
    command = [sys.executable, "-m", "prefect", *words]
    return subprocess.run(command, cwd=ROOT, env=scene.env, capture_output=True, check=False).returncode


def test_the_automation_is_created_once_as_make_deploy_does(scene: Scene) -> None:
    assert prefect(scene, "automation", "inspect", "zombie-runs") != 0
    assert prefect(scene, "automation", "create", "--from-file", str(FILE)) == 0
    assert prefect(scene, "automation", "inspect", "zombie-runs") == 0
    (made,) = scene.api("POST", "/automations/filter", {})
    written = yaml.safe_load(FILE.read_text())
    assert {key: made["trigger"][key] for key in ("posture", "for_each", "within")} == {
        key: written["trigger"][key] for key in ("posture", "for_each", "within")
    }
    assert set(made["trigger"]["expect"]) == set(written["trigger"]["expect"])
    assert made["actions"][0]["state"] == "CRASHED"
    scene.api("DELETE", f"/automations/{made['id']}")
    makefile = (ROOT / "Makefile").read_text()
    assert "automation inspect zombie-runs" in makefile
    assert "automation create --from-file automations/zombie-runs.yaml" in makefile
