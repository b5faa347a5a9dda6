"""The walk of a new user of the deployments: server, deploy, worker, run, schedule, and what goes wrong."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployments.conftest import COMMANDS, Prefect, until
from tests.test_readme import ROOT
from tests.workloads.media import durations, make_video, needs_ffmpeg

pytestmark = pytest.mark.prefect_server

LOCAL, AZURE = "top-n-words/local", "top-n-words/azure"
TEXTS = ROOT / "examples" / "texts"
AFTER_THE_WORKER = COMMANDS[COMMANDS.index("make worker") + 1 :]


def outputs_in(folder: Path) -> dict[str, str]:
    """The outputs by name, without the lines that name the run's node, task, job and pool."""
    return {
        path.name: re.sub(r"^(Node|Task|Job|Pool):.*$", "", path.read_text("utf-8"), flags=re.M)
        for path in folder.iterdir()
        if path.name.endswith("_OUTPUT.txt")
    }


def expected_outputs() -> set[str]:
    return {f"{text.stem}_OUTPUT{text.suffix}" for text in TEXTS.iterdir()}


def run_command(prefect: Prefect, output_dir: Path) -> str:
    """The README's last command, with an output folder of the test's own; and the lines before it."""
    *before, last = AFTER_THE_WORKER
    assert [line for line in before if not line.startswith("export PREFECT_API_URL=")] == []
    assert last.startswith(f".venv/bin/prefect deployment run {LOCAL} ")
    assert last.endswith(" --watch")
    return f"{last} -p output_dir={output_dir}"


def test_every_deployment_of_the_file_is_there_and_can_be_found(prefect: Prefect) -> None:
    file = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    found = prefect.ask("POST", "deployments/filter", {})
    assert len(found) == len(file["deployments"])
    for deployment in found:
        assert deployment["work_pool_name"] == "azure-batch"
        # What makes the packages importable on the worker, and relative paths mean the same there as here.
        assert deployment["pull_steps"] == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
        ]
    (schedule,) = prefect.deployment(LOCAL)["schedules"]
    assert schedule["active"] is False
    assert schedule["schedule"]["timezone"] == "Europe/Berlin"


def test_deploying_again_changes_nothing(prefect: Prefect) -> None:
    before = prefect.deployment(LOCAL)["id"]
    done = prefect.run("make deploy")
    assert done.returncode == 0, done.stdout
    assert prefect.deployment(LOCAL)["id"] == before


def test_a_run_from_the_command_line_ends_completed_with_outputs_on_disk(
    prefect: Prefect, tmp_path: Path
) -> None:
    done = prefect.run(run_command(prefect, tmp_path / "out"))
    assert done.returncode == 0, done.stdout
    assert "Completed" in done.stdout
    assert set(outputs_in(tmp_path / "out")) == expected_outputs()


@needs_ffmpeg
def test_the_deployment_for_videos_makes_sounds_of_them(prefect: Prefect, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name, seconds in (("a b.mp4", 1.0), ("c.mp4", 0.6)):
        make_video(tmp_path / "videos" / name, seconds)
    given = {"input_files": [str(tmp_path / "videos" / "*.mp4")], "output_dir": str(tmp_path / "out")}
    run = prefect.ended(prefect.start("transcode-media/local", **given))
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    for name, seconds in (("a b.mp3", 1.0), ("c.mp3", 0.6)):
        assert durations(tmp_path / "out" / name) == [pytest.approx(seconds, abs=0.1)]


def test_a_value_out_of_bounds_is_refused_before_there_is_a_run(prefect: Prefect) -> None:
    before = len(prefect.runs_of(LOCAL))
    for wrong in ("-p n=0", "-p words=3", "-p 'pool={\"dedicated_nodes\": 5000}'", "-p 'input_files=[]'"):
        done = prefect.run(f".venv/bin/prefect deployment run {LOCAL} {wrong}")
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stdout
    assert len(prefect.runs_of(LOCAL)) == before


def test_what_only_a_look_at_the_disk_tells_is_refused_all_in_one_message(
    prefect: Prefect, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    run = prefect.ended(
        prefect.start(
            LOCAL,
            input_files=[str(tmp_path / "missing.txt"), str(tmp_path / "*.none")],
            output_dir=str(tmp_path / "file" / "out"),
        )
    )
    assert run["state_type"] == "FAILED"
    message = run["state"]["message"]
    assert all(told in message for told in ("missing.txt", "*.none", "is not a folder"))
    assert task_runs(prefect, run) == []


def test_a_run_on_azure_without_an_account_fails_at_once_with_the_remedy(prefect: Prefect) -> None:
    run = prefect.ended(prefect.start(AZURE))
    assert run["state_type"] == "FAILED"
    assert "Set AZURE_BATCH_ACCOUNT" in run["state"]["message"]
    assert "Prefect block of type Azure Batch Account" in run["state"]["message"]
    assert task_runs(prefect, run) == []


def test_a_run_with_a_block_that_nobody_made_says_how_to_make_it(prefect: Prefect) -> None:
    run = prefect.ended(prefect.start(AZURE, account="production"))
    assert run["state_type"] == "FAILED"
    assert "There is no Prefect block 'production'" in run["state"]["message"]
    assert task_runs(prefect, run) == []


def test_the_form_for_an_account_is_there_once_deployed(prefect: Prefect) -> None:
    kind = prefect.ask("GET", "block_types/slug/azure-batch-account")
    wanted = {"block_schemas": {"block_type_id": {"any_": [kind["id"]]}}}
    fields = prefect.ask("POST", "block_schemas/filter", wanted)[0]["fields"]
    assert {"batch_key", "storage_key"} == set(fields["secret_fields"])
    assert all(field["title"] and field["description"] for field in fields["properties"].values())


@pytest.fixture
def every_few_seconds(prefect: Prefect, tmp_path: Path) -> Iterator[Path]:
    """For the length of a test the local deployment has a schedule that is quicker than its runs, with the
    folder yielded for the outputs.
    """
    schedules = f"deployments/{prefect.deployment(LOCAL)['id']}/schedules"
    schedule = {
        "active": True,
        "schedule": {"interval": 4},
        "parameters": {"output_dir": str(tmp_path / "out")},
    }
    (made,) = prefect.ask("POST", schedules, [schedule])
    try:
        yield tmp_path / "out"
    finally:
        prefect.ask("DELETE", f"{schedules}/{made['id']}")


def test_three_scheduled_runs_at_once_into_one_folder_do_not_disturb_each_other(
    prefect: Prefect, every_few_seconds: Path
) -> None:
    def scheduled() -> list[dict[str, Any]]:
        return [run for run in prefect.runs_of(LOCAL) if run["auto_scheduled"] and run["start_time"]]

    until(lambda: len(scheduled()) >= 3, "three scheduled runs start")
    runs = [prefect.ended(run["id"]) for run in scheduled()[:3]]
    assert [run["state_name"] for run in runs] == ["Completed"] * 3
    assert set(outputs_in(every_few_seconds)) == expected_outputs()
    for text in every_few_seconds.glob("*_OUTPUT.txt"):
        assert len(re.findall(r"^Job: ", text.read_text("utf-8"), re.M)) == 1


def task_runs(prefect: Prefect, run: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    found: list[dict[str, Any]] = prefect.ask("POST", "task_runs/filter", wanted)
    return found
