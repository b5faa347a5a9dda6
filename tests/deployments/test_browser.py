"""What a person sees in Prefect's UI: the form for a run, and the page of a run that went well or did not.

With SCREENSHOTS=docs/images the pictures that the README shows are taken anew.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import browser as chromium
from tests.deployments.browser import Browser
from tests.deployments.conftest import Prefect, until
from tests.test_readme import ROOT

LOCAL = "top-n-words/local"
LARGEST_PARAMETERS = 524_288  # bytes; the default of a Prefect server
pytestmark = [
    pytest.mark.prefect_server,
    pytest.mark.skipif(
        bool(chromium.missing()), reason=f"not installed: {', '.join(chromium.missing())} (Debian's packages)"
    ),
]


@pytest.fixture(scope="module")
def browser(prefect: Prefect, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    images = ROOT / os.environ.get("SCREENSHOTS", tmp_path_factory.mktemp("images"))
    with chromium.opened(prefect.url, images) as opened:
        yield opened


@pytest.fixture
def form(prefect: Prefect, browser: Browser) -> Browser:
    """The browser, on the form for a run of the local deployment."""
    browser.open(f"deployments/deployment/{prefect.deployment(LOCAL)['id']}/run", height=1200)
    browser.sees("Parameters", "Account", "Submit")
    browser.fit()
    return browser


def test_the_form_shows_numbers_lists_groups_and_help(form: Browser) -> None:
    form.picture("form")
    n = form.field("N (Optional)")
    assert (n.get_attribute("type"), n.get_attribute("min"), n.get_attribute("value")) == ("number", "1", "3")
    nodes = form.field("Dedicated nodes (Optional)")
    assert (nodes.get_attribute("type"), nodes.get_attribute("max")) == ("number", "1000")
    shown = form.text()
    for words in (
        "Input files",
        "Add item",
        "How many words of each file.",
        "How many compute nodes the run may have, and for how long.",
        "What the end of the run deletes of what it made.",
        "Delete the pool",
    ):
        assert words in shown
    assert {"str", "float", "None"}.isdisjoint(shown.splitlines()), "tabs of types"


def test_the_form_refuses_what_is_out_of_bounds_and_starts_what_is_not(
    prefect: Prefect, form: Browser
) -> None:
    before = {run["id"] for run in prefect.runs_of(LOCAL)}
    form.fill_in("N (Optional)", "0")
    form.click("Submit")
    refused = form.field("N (Optional)").get_property("validationMessage")
    assert refused == "Value must be greater than or equal to 1."
    form.fill_in("N (Optional)", "5")
    form.click("Submit")
    form.sees("scheduled to start now")
    (run_id,) = {run["id"] for run in prefect.runs_of(LOCAL)} - before
    run = prefect.ended(run_id)
    assert run["parameters"]["n"] == 5
    assert run["state_name"] == "Completed"


def test_the_page_of_a_run_that_went_well_shows_its_stages_and_files(
    prefect: Prefect, browser: Browser
) -> None:
    run = prefect.ended(prefect.start(LOCAL))
    browser.open(f"runs/flow-run/{run['id']}?tab=TaskRuns", height=1450)
    browser.sees("Completed", "9 Task runs", "upload 4 files", "poll 4 tasks", "clean-up")
    browser.picture("run-success")
    _has_artifacts(browser, run)
    _open_artifact(prefect, browser, run, "top-n-words-files")
    browser.sees("alice.txt", "moby-dick.txt", "succeeded")


def test_the_page_of_a_failed_run_tells_which_file_failed_and_why(
    prefect: Prefect, browser: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "essays"
    folder.mkdir()
    (folder / "good.txt").write_text("to be or not to be")
    (folder / "empty.txt").touch()
    (folder / "binary.txt").write_bytes(b"\0\1")
    run = prefect.ended(prefect.start(LOCAL, input_files=[str(folder)], output_dir="output/essays"))
    assert run["state_name"] == "Failed"
    browser.open(f"runs/flow-run/{run['id']}?tab=Details", height=1250)
    browser.sees("Failed", "2 of 3 files failed", "'empty.txt' is empty", "'binary.txt' is binary")
    browser.picture("run-failure")
    browser.open(f"runs/flow-run/{run['id']}?tab=Logs", height=1250)
    browser.sees("Failed: 2 of 3 files failed.", "'empty.txt' is empty")
    assert "Traceback" not in browser.text()
    _has_artifacts(browser, run)
    _open_artifact(prefect, browser, run, "top-n-words-report")
    browser.sees("2 of 3 files failed", "empty.txt")
    browser.picture("report")


def test_a_run_in_progress_shows_how_far_it_is(prefect: Prefect, browser: Browser, tmp_path: Path) -> None:
    """Two files, each of which waits until its stone is taken away."""
    inputs = folder_of(tmp_path, "texts", 2)
    stones = [tmp_path / f"{number:04}.stone" for number in range(2)]
    for stone in stones:
        stone.touch()
    wait = f"while [ -e {tmp_path}/{{stem}}.stone ]; do sleep 0.1; done; cp {{input}} {{output}}"
    try:
        run_id = start_copies(prefect, inputs, tmp_path / "out", wait)
        bar = until_there(prefect, run_id, "run-command-progress", "poll-tasks: 0 done")
        browser.open(f"artifacts/artifact/{bar}", height=900)
        browser.sees("0%", "2 running")
        stones[0].unlink()
        until_there(prefect, run_id, "run-command-progress", "poll-tasks: 1 done")
        browser.open(f"artifacts/artifact/{bar}", height=900)
        browser.sees("50%", "1 running")
    finally:
        for stone in stones:
            stone.unlink(missing_ok=True)
    assert prefect.ended(run_id)["state_name"] == "Completed"


def test_the_pages_of_a_run_of_two_thousand_files_named_one_by_one_open(
    prefect: Prefect, browser: Browser, tmp_path: Path
) -> None:
    folder = Path(*folder_of(tmp_path, "texts", 2000))
    bad = folder / "1234.txt"
    bad.write_text("")
    files = [str(path) for path in sorted(folder.iterdir())]
    # The shell does it by itself: 2,000 more processes would take as long as all the rest.
    copy = 'read -r line <{input} && echo "$line" >{output}'
    run = prefect.ended(start_copies(prefect, files, tmp_path / "out", copy, files_per_task=20))
    assert run["parameters"]["input_files"] == files
    assert len(json.dumps(run["parameters"])) < LARGEST_PARAMETERS
    browser.open(f"runs/flow-run/{run['id']}?tab=TaskRuns", height=1450)
    browser.sees("Failed", "9 Task runs", "upload 2000 files", "poll 100 tasks", "failed-files:1")
    _open_artifact(prefect, browser, run, "run-command-files")
    browser.sees("500 of 2000 files, failures first", "1234.txt", "failed")
    _open_artifact(prefect, browser, run, "run-command-report")
    browser.sees("1 of 2000 files failed", "1234.txt")


def folder_of(tmp_path: Path, name: str, files: int) -> list[str]:
    """A new folder of so many texts, as input files."""
    (tmp_path / name).mkdir()
    for number in range(files):
        (tmp_path / name / f"{number:04}.txt").write_text("words\n")
    return [str(tmp_path / name)]


def start_copies(prefect: Prefect, files: list[str], out: Path, command: str, files_per_task: int = 1) -> str:
    """Start a run of a command that leaves `<stem>.copy` of each file; its id."""
    outputs = {"outputs": ["{stem}.copy"], "output_dir": str(out), "files_per_task": files_per_task}
    return prefect.start("run-command/local", input_files=files, command=command, **outputs)


def until_there(prefect: Prefect, run_id: str, key: str, words: str) -> str:
    """The id of the run's artifact, once its description begins with these words."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "key": {"any_": [key]}}}
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = prefect.ask("POST", "artifacts/filter", wanted)
        return bool(found) and str(found[0]["description"]).startswith(words)

    until(is_there, f"{key} says {words}")
    return str(found[0]["id"])


def _has_artifacts(browser: Browser, run: dict[str, Any]) -> None:
    browser.open(f"runs/flow-run/{run['id']}?tab=Artifacts", height=1100)
    browser.sees("PROGRESS", "top-n-words-progress", "TABLE", "top-n-words-files", "top-n-words-report")


def _open_artifact(prefect: Prefect, browser: Browser, run: dict[str, Any], key: str) -> None:
    wanted = {"flow_run_id": {"any_": [run["id"]]}, "key": {"any_": [key]}}
    (artifact,) = prefect.ask("POST", "artifacts/filter", {"artifacts": wanted})
    browser.open(f"artifacts/artifact/{artifact['id']}", height=1100)
