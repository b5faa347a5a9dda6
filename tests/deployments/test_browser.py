"""What a person sees in Prefect's UI: the form for a run, and the page of a run that went well or did not.

With SCREENSHOTS=docs/images the pictures that the README shows are taken anew.
"""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import browser as chromium
from tests.deployments.browser import Browser
from tests.deployments.conftest import Prefect, until
from tests.deployments.copies import start_copies, texts_in

LOCAL = "top-n-words/local"
pytestmark = [pytest.mark.prefect_server, chromium.needed]


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

    def started() -> set[str]:
        return {run["id"] for run in prefect.runs_of(LOCAL)} - before

    def submitted() -> bool:
        if not started() and form.has_button("Submit"):
            form.click("Submit")  # the page may drop a click while it still validates what was typed
            time.sleep(5)
        return bool(started())

    until(submitted, "the form starts a run")
    (run_id,) = started()
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
    browser.open_artifact(prefect.artifact(run["id"], "top-n-words-files"))
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
    browser.open_artifact(prefect.artifact(run["id"], "top-n-words-report"))
    browser.sees("2 of 3 files failed", "empty.txt")
    browser.fit()
    browser.picture("report")


def test_a_run_in_progress_shows_how_far_it_is(prefect: Prefect, browser: Browser, tmp_path: Path) -> None:
    """Two files, each of which waits until its stone is taken away."""
    inputs = texts_in(tmp_path / "texts", 2)
    stones = [tmp_path / f"{number:04}.stone" for number in range(2)]
    for stone in stones:
        stone.touch()
    wait = f"while [ -e {tmp_path}/{{stem}}.stone ]; do sleep 0.1; done; cp {{input}} {{output}}"
    try:
        run_id = start_copies(prefect, [inputs], tmp_path / "out", wait)
        browser.open_artifact(bar_that_says(prefect, run_id, "poll-tasks: 0 done, 2 running"))
        browser.sees("0%", "2 running")
        stones[0].unlink()
        browser.open_artifact(bar_that_says(prefect, run_id, "poll-tasks: 1 done, 1 running"))
        browser.sees("50%", "1 running")
    finally:
        for stone in stones:
            stone.unlink(missing_ok=True)
    assert prefect.ended(run_id)["state_name"] == "Completed"


def bar_that_says(prefect: Prefect, run_id: str, words: str) -> dict[str, Any]:
    """The progress artifact of the run, once its description begins with these words."""
    found: dict[str, Any] = {}

    def is_there() -> bool:
        found.update(prefect.artifact(run_id, "run-command-progress"))
        return str(found.get("description")).startswith(words)

    until(is_there, f"the progress is {words}")
    return found


def _has_artifacts(browser: Browser, run: dict[str, Any]) -> None:
    browser.open(f"runs/flow-run/{run['id']}?tab=Artifacts", height=1100)
    browser.sees("PROGRESS", "top-n-words-progress", "TABLE", "top-n-words-files", "top-n-words-report")
