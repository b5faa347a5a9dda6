"""The directories of a node."""

from pathlib import Path

import pytest

from batch_emulator.compute_node.directories import NodeDirectories, remove_tree


@pytest.fixture
def directories(tmp_path: Path) -> NodeDirectories:
    made = NodeDirectories(tmp_path / "node")
    made.create()
    return made


def test_a_new_node_has_the_recorded_directories(directories: NodeDirectories) -> None:
    names = sorted(path.name for path in directories.root.iterdir())
    assert names == ["applications", "fsmounts", "shared", "startup", "volatile", "workitems"]


def test_a_task_runs_below_its_job_in_the_case_of_its_ids(directories: NodeDirectories) -> None:
    assert directories.task_root("MyJob", "Task-1") == "workitems/MyJob/job-1/Task-1"


def test_a_job_of_a_schedule_has_the_schedules_folder(directories: NodeDirectories) -> None:
    assert directories.task_root("nightly:job-3", "t") == "workitems/nightly/job-3/t"


@pytest.mark.parametrize("part", ["..", "", "a/b", ".", "a\0"])
def test_an_id_that_would_lead_elsewhere_is_refused(directories: NodeDirectories, part: str) -> None:
    with pytest.raises(ValueError, match="cannot be an id"):
        directories.task("job", part)
    with pytest.raises(ValueError, match="cannot be an id"):
        directories.task(part, "task")


def test_a_retry_finds_an_empty_working_directory(directories: NodeDirectories) -> None:
    run = directories.task("job", "task")
    run.prepare()
    (run.working / "left" / "deep").mkdir(parents=True)
    for file in (run.stdout, run.stderr, run.upload_out, run.upload_err):
        file.write_text("first attempt")
    run.prepare()
    assert [path.name for path in run.task.iterdir()] == ["wd"]
    assert list(run.working.iterdir()) == []


def test_removing_a_task_leaves_the_others_and_what_is_shared(directories: NodeDirectories) -> None:
    (directories.shared / "kept").touch()
    first, second = directories.task("job", "1"), directories.task("job", "2")
    first.prepare()
    second.prepare()
    first.remove()
    first.remove()
    assert not first.task.exists()
    assert second.working.is_dir()
    assert (directories.shared / "kept").exists()


@pytest.mark.parametrize("job", ["job", "schedule:job-2"])
def test_removing_a_job_removes_all_its_tasks(directories: NodeDirectories, job: str) -> None:
    directories.task(job, "1").prepare()
    directories.task("other", "1").prepare()
    directories.remove_job(job)
    assert [path.name for path in (directories.root / "workitems").iterdir()] == ["other"]


def test_removing_one_job_of_a_schedule_leaves_the_next(directories: NodeDirectories) -> None:
    directories.task("s:job-1", "1").prepare()
    directories.task("s:job-2", "1").prepare()
    directories.remove_job("s:job-1")
    assert directories.task("s:job-2", "1").working.is_dir()


def test_removing_a_node_removes_everything(directories: NodeDirectories) -> None:
    directories.task("job", "1").prepare()
    directories.remove()
    directories.remove()
    assert not directories.root.exists()


def test_what_a_task_locked_is_removed_and_what_its_links_lead_to_is_not(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    tree = tmp_path / "tree"
    (tree / "locked" / "deep").mkdir(parents=True)
    (tree / "link").symlink_to(outside)
    (tree / "locked" / "link").symlink_to(outside)
    (tree / "locked" / "deep").chmod(0)
    (tree / "locked").chmod(0)
    remove_tree(tree)
    assert not tree.exists()
    link = tmp_path / "link"
    link.symlink_to(outside)
    remove_tree(link)
    assert (outside / "kept").exists()
