"""Any command for any file, without a line of Python; many files to a task; names of any kind."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batch_tasks.clients import batch_client, blob_service
from batch_tasks.errors import InputError
from batch_tasks.naming import RunNames
from batch_tasks.options import CleanUpPolicy, PoolOptions, RunOptions
from batch_tasks.pools.specification import pool_options
from batch_tasks.report import RunReport
from batch_tasks.settings import Account
from batch_tasks.task_options import NodeUrls, task_options
from batch_tasks.unfinished import TasksFailed
from flows.pipeline import plan_run
from flows.run_command import run_command, run_command_workload
from tests.workloads.media import durations, make_video, needs_ffmpeg

POOL = PoolOptions(dedicated_nodes=2, task_slots_per_node=4)
NAMES = [
    "plain.mp4",
    "no suffix",
    "a b.mp4",
    " blanks at its ends ",
    "-dash.mp4",
    "--help",
    "!bang.mp4",
    'double"quote.mp4',
    "#hash.mp4",
    "$HOME.mp4",
    "100%d.mp4",
    "a&b.mp4",
    "it's.mp4",
    "(round).mp4",
    "*.mp4",
    "+plus.mp4",
    "comma,.mp4",
    "host:file.mp4",
    "semi;colon.mp4",
    "<less>.mp4",
    "name=value.mp4",
    "what?.mp4",
    "@at.mp4",
    "[square].mp4",
    "back\\slash.mp4",
    "^caret_under~tilde.mp4",
    "`tick`.mp4",
    "{input}|pipe.mp4",
    "new\nline.mp4",
    "several.dots.in.it.mp4",
    "Ünïcödé 日本 👩‍🚀.mp4",
    "x" * 196 + ".mp4",
    "$(id)\ttab.mp4",
    "\udcff not UTF-8.mp4",
]


def folder_of(path: Path, names: list[str]) -> list[str]:
    path.mkdir()
    for name in names:
        (path / name).write_bytes(os.fsencode(f"content of {name}"))
    return [str(path)]


def run(inputs: list[str], command: str, outputs: list[str], tmp_path: Path, **more: Any) -> RunReport:
    report: RunReport = run_command(
        inputs, command, outputs, output_dir=str(tmp_path / "out"), pool=more.pop("pool", POOL), **more
    )
    return report


def test_names_are_those_that_are_hard() -> None:
    ascii_punctuation = {chr(code) for code in range(33, 127) if not chr(code).isalnum()} - {"/"}
    assert len(NAMES) >= 30
    assert ascii_punctuation <= set("".join(NAMES))


def test_gzip_packs_files_of_any_name(on_account: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", NAMES)
    report = run(inputs, "gzip -c {input} > {output}", ["{name}.gz"], tmp_path)
    assert len(report.succeeded) == len(NAMES)
    for name in NAMES:
        packed = (tmp_path / "out" / f"{name}.gz").read_bytes()
        assert gzip.decompress(packed) == os.fsencode(f"content of {name}")


def test_a_python_one_liner_sees_exactly_the_original_name(on_account: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", NAMES)
    line = "import os, sys; open(sys.argv[2], 'wb').write(os.path.basename(os.fsencode(sys.argv[1])))"
    command = f'python3 -I -S -c "{line}" {{input}} {{output}} && printf %s "$FILE_NAME" >> {{output}}'
    report = run(inputs, command, ["{name}.seen"], tmp_path, files_per_task=10)
    assert len(report.succeeded) == len(NAMES)
    for name in NAMES:
        assert (tmp_path / "out" / f"{name}.seen").read_bytes() == os.fsencode(name) * 2


@needs_ffmpeg
def test_ffmpeg_takes_files_of_any_name(on_account: Account, tmp_path: Path) -> None:
    make_video(tmp_path / "video.mp4", 0.5)
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / name).write_bytes((tmp_path / "video.mp4").read_bytes())
    command = "ffmpeg -nostdin -loglevel error -i {input} {stem}.wav"
    report = run([str(tmp_path / "in")], command, ["{stem}.wav"], tmp_path, files_per_task=7)
    assert [file.reason for file in report.failed] == []
    wavs = sorted((tmp_path / "out").rglob("*.wav"))
    assert len(wavs) == len(NAMES)
    assert durations(wavs[0]) == [pytest.approx(0.5, abs=0.1)]


def test_a_shipped_json_py_shadows_nothing_and_the_environment_is_seen(
    on_account: Account, tmp_path: Path
) -> None:
    inputs = folder_of(tmp_path / "in", ["json.py", "re.py"])
    (tmp_path / "json.py").write_text("raise SystemExit('this is not the standard library')")
    script = tmp_path / "tool.py"
    script.write_text("import json, os, sys; open(sys.argv[1], 'w').write(os.environ['GREETING'])")
    report = run(
        inputs,
        'python3 -I -S "$TASK_FILES_DIR/tool.py" {output}',
        ["{stem}.out"],
        tmp_path,
        ship=[str(script), str(tmp_path / "json.py")],
        environment={"GREETING": "it's 100% $HOME %HOME% $$"},
    )
    assert len(report.succeeded) == 2
    assert (tmp_path / "out" / "re.out").read_text() == "it's 100% $HOME %HOME% $$"


def test_setup_runs_on_each_node_before_the_first_command(on_account: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", ["a", "b"])
    setup = 'echo "it is ready" > "$AZ_BATCH_NODE_SHARED_DIR/ready"'
    command = 'cp "$AZ_BATCH_NODE_SHARED_DIR/ready" {output}'
    assert len(run(inputs, command, ["{name}.out"], tmp_path, setup=setup).succeeded) == 2
    assert (tmp_path / "out" / "a.out").read_text() == "it is ready\n"


def test_patterns_bring_back_whatever_a_command_leaves(on_account: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", ["a.txt"])
    command = "mkdir -p deep && split -b 4 {input} deep/piece-"
    report = run(inputs, command, ["deep/piece-*"], tmp_path)
    (file,) = report.succeeded
    assert {output.path for output in file.outputs} >= {"a.txt.outputs/deep/piece-aa"}
    assert (tmp_path / "out" / "a.txt.outputs" / "deep" / "piece-aa").read_text() == "cont"


def test_7_bad_files_of_1000_in_20_tasks_cost_only_themselves(on_account: Account, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    bad = {f"{number:04}.txt" for number in range(3, 1000, 150)}
    for number in range(1000):
        name = f"{number:04}.txt"
        (tmp_path / "in" / name).write_text("bad" if name in bad else name)
    command = 'read -r word < {input} || [ "$word" != bad ] && cp {input} {output}'
    with pytest.raises(TasksFailed) as failed:
        run(
            [str(tmp_path / "in")],
            command,
            ["{name}.out"],
            tmp_path,
            files_per_task=50,
            clean_up=CleanUpPolicy(job=False),
        )
    report = failed.value.report
    assert {file.key for file in report.failed} == bad
    assert len(bad) == 7
    assert len(list((tmp_path / "out").glob("*.out"))) == 993
    names = RunNames.of("run-command", report.flow_run_id)
    assert len(list(batch_client().list_tasks(names.job_id))) == 20
    batch_client().begin_delete_job(names.job_id, polling_interval=0).wait()


def test_a_file_that_hangs_costs_only_itself(on_account: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", ["a", "b", "c"])
    command = "case {stem} in b) sleep 600 ;; *) printf x > {output} ;; esac"
    with pytest.raises(TasksFailed) as failed:
        run(inputs, command, ["{name}.out"], tmp_path, files_per_task=3, file_minutes=0.02)
    report = failed.value.report
    assert [(file.key, file.reason) for file in report.failed] == [("b", "over 0.02 min")]
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"a.out", "c.out"}


def test_outputs_may_stay_in_storage(on_account: Account, tmp_path: Path) -> None:
    inputs = folder_of(tmp_path / "in", ["a.txt"])
    kept = CleanUpPolicy(output_container=False)
    report = run(inputs, "cp {input} {output}", ["{stem}.copy"], tmp_path, download=False, clean_up=kept)
    (output,) = report.succeeded[0].outputs
    assert not (tmp_path / "out" / "a.copy").exists()
    blob = blob_service().get_blob_client(report.output_container, output.blob)
    assert blob.download_blob().readall() == b"content of a.txt"


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of a run that must be refused, by looking at it alone."""

    def problems(command: str, outputs: list[str], name: str = "a.txt", **more: Any) -> list[str]:
        (tmp_path / name).touch()
        options = RunOptions(**{"output_dir": str(tmp_path / "out"), **more.pop("options", {})})
        with pytest.raises(InputError) as error:
            plan_run(run_command_workload(command, outputs, **more), [str(tmp_path / name)], options)
        return error.value.problems

    return problems


def test_everything_that_is_wrong_is_told_at_once(refused: Callable[..., list[str]]) -> None:
    found = refused(
        "convert {size} '{input}' " + "x" * 33_000,
        ["/abs"],
        ship=["/nowhere/tool.py"],
        environment={"RUN_FILES": "x", "1": "y"},
        options={"download": False},
    )
    text = "\n".join(found)
    for told in (
        "{size}, none of",
        "quotes around {input}",
        "33025 characters; 32768 may be",
        "'/abs' must lie in the folder",
        "'/nowhere/tool.py'",
        "RUN_FILES is set by every task",
        "'1' must be of letters",
        "The outputs would be lost",
    ):
        assert told in text
    assert len(found) == 8


def test_a_command_that_only_grows_too_long_is_refused_too(refused: Callable[..., list[str]]) -> None:
    (problem,) = refused("echo > {output} " + "{input}" * 200, ["{stem}.out"], name="x" * 200)
    assert "may be" in problem
    (problem,) = refused("echo > {output} " + "日" * 32_000, ["{stem}.out"])
    assert "longer than a process may be told" in problem


def test_a_container_image_is_asked_for_on_pool_and_task(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    workload = run_command_workload("cp {input} {output}", ["{stem}.o"], container_image="python:3.12-slim")
    plan = plan_run(workload, [str(tmp_path / "a.txt")], RunOptions(output_dir=str(tmp_path)))
    machine = pool_options(plan, POOL).as_dict()["virtualMachineConfiguration"]
    assert machine["containerConfiguration"] == {
        "type": "dockerCompatible",
        "containerImageNames": ["python:3.12-slim"],
    }
    assert machine["imageReference"]["offer"] == "ubuntu-hpc"
    asked = task_options(plan.tasks[0], workload, NodeUrls(str, str, "https://l", "https://w"))
    assert asked.as_dict()["containerSettings"] == {
        "imageName": "python:3.12-slim",
        "containerRunOptions": "--rm",
        "workingDirectory": "taskWorkingDirectory",
    }
