"""A run of 2,000 files, each named as a parameter: little of it is in Prefect, and its pages open."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import browser as chromium
from tests.deployments.browser import Browser
from tests.deployments.conftest import Prefect
from tests.deployments.copies import start_copies, texts_in

pytestmark = [pytest.mark.prefect_server, pytest.mark.timeout(600)]
LARGEST_ARTIFACT = 512 * 1024
LARGEST_PARAMETERS = 524_288  # bytes; the default of a Prefect server
BAD = ["0007.txt", "0507.txt", "1007.txt", "1507.txt"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-thousand")


@pytest.fixture(scope="module")
def run(prefect: Prefect, folder: Path) -> dict[str, Any]:
    """The run, once it has ended. Four of its files are empty, and fail."""
    texts = Path(texts_in(folder / "texts", 2000))
    for name in BAD:
        (texts / name).write_text("")
    files = [str(path) for path in sorted(texts.iterdir())]
    # The shell does it by itself: 2,000 more processes would take as long as all the rest.
    copy = 'read -r line <{input} && echo "$line" >{output}'
    return prefect.ended(start_copies(prefect, files, folder / "out", copy, files_per_task=50))


def test_it_is_a_handful_of_task_runs_and_small_artifacts(
    prefect: Prefect, run: dict[str, Any], folder: Path
) -> None:
    assert run["state_name"] == "Failed"
    assert {"files:2000", "failed-files:4", "outcome:failed"} <= set(run["tags"])
    assert len(run["parameters"]["input_files"]) == 2000
    assert len(json.dumps(run["parameters"])) < LARGEST_PARAMETERS
    tasks = prefect.ask("POST", "task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert len(tasks) <= 12
    for key in ("progress", "now", "report", "files"):
        artifact = prefect.artifact(run["id"], f"run-command-{key}")
        assert len(json.dumps(artifact)) < LARGEST_ARTIFACT
    rows = json.loads(prefect.artifact(run["id"], "run-command-files")["data"])
    assert [row["File"] for row in rows if row["State"] == "failed"] == BAD
    results = json.loads((folder / "out" / "results.json").read_text())
    assert [file["input"] for file in results["files"] if file["state"] == "failed"] == BAD
    assert len(results["files"]) == 2000


@chromium.needed
def test_its_pages_open(prefect: Prefect, browser: Browser, run: dict[str, Any]) -> None:
    browser.open(f"runs/flow-run/{run['id']}?tab=TaskRuns", height=1450)
    browser.sees("Failed", "9 Task runs", "upload 2000 files", "poll 40 tasks")
    browser.open_artifact(prefect.artifact(run["id"], "run-command-files"))
    browser.sees("500 of 2000 files, failures first", *BAD)
    browser.open_artifact(prefect.artifact(run["id"], "run-command-report"))
    browser.sees("4 of 2000 files failed", *BAD)
