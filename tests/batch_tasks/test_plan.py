"""Every output has a place of its own, and every file its part of a task."""

import json
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from batch_tasks.inputs import InputFile
from batch_tasks.plan import LONGEST_RUN_FILES, PlannedTasks, plan_problems, plan_tasks, run_files_setting
from batch_tasks.workload import Workload


def planned(workload: Workload, *keys: str, files_per_task: int = 1) -> PlannedTasks:
    return plan_tasks(workload, [InputFile(f"/in/{key}", key, 1) for key in keys], files_per_task)


def output_paths(tasks: PlannedTasks) -> list[str]:
    return [output.path for task in tasks for file in task.files for output in file.outputs]


def workload(*outputs: str) -> Workload:
    return Workload(name="test", command="x {input}", outputs=outputs)


def test_outputs_keep_the_folders_of_their_inputs() -> None:
    assert output_paths(planned(workload("{stem}_OUTPUT{suffix}"), "a.txt", "deep/a.txt")) == [
        "a_OUTPUT.txt",
        "deep/a_OUTPUT.txt",
    ]


def test_outputs_of_equal_names_get_folders_of_their_own() -> None:
    assert output_paths(planned(workload("{stem}.mp3"), "clip.mp4", "clip.mov", "other.mp4")) == [
        "clip.mp4.outputs/clip.mp3",
        "clip.mov.outputs/clip.mp3",
        "other.mp3",
    ]


def test_an_output_never_stands_where_another_needs_a_folder() -> None:
    paths = output_paths(planned(workload("{name}"), "a", "a/b"))
    assert paths == ["a.outputs/a", "a/b.outputs/b"]


def test_what_a_pattern_finds_goes_to_a_folder_of_its_input() -> None:
    (task,) = planned(workload("{stem}.log", "*.gz"), "deep/a.txt")
    outputs = task.files[0].outputs
    assert [(output.keep, output.path, output.is_pattern) for output in outputs] == [
        ("outputs/0-0", "deep/a.log", False),
        ("outputs/0-1", "deep/a.txt.outputs", True),
    ]


def test_several_files_share_a_task_up_to_the_number_asked_for() -> None:
    tasks = planned(workload("{name}.out"), *(f"{number}.txt" for number in range(7)), files_per_task=3)
    assert [len(task.files) for task in tasks] == [3, 3, 1]
    assert [file.fetched for file in tasks[0].files] == ["inputs/0", "inputs/1", "inputs/2"]
    assert len({task.task_id for task in tasks}) == 3


def test_no_task_gets_more_files_than_its_environment_can_carry() -> None:
    keys = [f"{number:04}" + "é" * 100 for number in range(400)]
    tasks = planned(workload("{name}.out"), *keys, files_per_task=500)
    assert len(tasks) > 1
    assert sum(len(task.files) for task in tasks) == 400
    assert max(len(run_files_setting(task, workload())) for task in tasks) < LONGEST_RUN_FILES * 1.2


@given(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=50
    ).filter(lambda name: name not in {".", ".."})
)
def test_run_files_is_ascii_without_anything_batch_would_expand(name: str) -> None:
    (task,) = planned(workload("{name}.out"), name)
    text = run_files_setting(task, workload())
    assert text.isascii()
    assert not {"$", "%", "\n"} & set(text)
    (entry,) = json.loads(text)["files"]
    assert entry["name"] == name
    assert entry["fetched"] == "inputs/0"
    assert entry["outputs"] == [{"find": f"{name}.out", "keep": "outputs/0-0"}]


def test_run_files_carries_the_environment_and_the_time_of_each_file() -> None:
    chosen = Workload("test", "x", ("{name}.out",), environment={"A": "pa$HOME %PATH%", "B": ""})
    (task,) = planned(chosen, "a")
    text = run_files_setting(task, chosen)
    assert not {"$", "%"} & set(text)
    assert json.loads(text)["environment"] == ["A=pa$HOME %PATH%", "B="]
    assert json.loads(text)["files"][0]["minutes"] == 60


def test_a_long_environment_leaves_less_room_for_files() -> None:
    keys = [f"{number:0100}" for number in range(300)]
    chosen = Workload("test", "x {input}", ("{name}.out",), environment={"A": "x" * 60_000})
    tasks = planned(chosen, *keys, files_per_task=500)
    assert sum(len(task.files) for task in tasks) == 300
    assert max(len(run_files_setting(task, chosen)) for task in tasks) < LONGEST_RUN_FILES * 1.2
    too_long = Workload("test", "x", ("{name}.out",), environment={"A": "x" * 140_000})
    (problem,) = plan_problems(planned(too_long, "a"), too_long)
    assert "and the environment, is longer" in problem


def test_run_files_names_patterns_as_globs() -> None:
    (task,) = planned(workload("*.gz"), "a")
    assert json.loads(run_files_setting(task, workload()))["files"][0]["outputs"] == [
        {"glob": "*.gz", "keep": "outputs/0-0"}
    ]


def test_the_setting_fits_the_environment_of_a_real_process() -> None:
    tasks = planned(workload("{name}.out"), *(f"{number:0100}" for number in range(500)), files_per_task=500)
    longest = max((run_files_setting(task, workload()) for task in tasks), key=len)
    run = subprocess.run(["/bin/true"], env={"RUN_FILES": longest}, check=False)
    assert run.returncode == 0
