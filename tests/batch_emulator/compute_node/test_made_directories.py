"""What starts a process can make its directory too, if nothing is there yet."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from batch_emulator.compute_node.directories import RunDirectories
from batch_emulator.compute_node.processes import DirectoryNotMade, Launcher


def exit_code(directories: RunDirectories) -> int:
    _, working, stdout, stderr = directories.texts()

    async def run() -> int:
        async with Launcher() as launcher:
            argv, env = ["pwd"], {"PATH": os.environ["PATH"]}
            starting = launcher.begin(
                argv, env=env, cwd=working, stdout=stdout, stderr=stderr, makes_directory=True
            )
            return await (await starting).wait()

    return asyncio.run(run())


def test_the_texts_are_the_paths() -> None:
    run = RunDirectories(Path("/node/workitems/job/job-1/task"))
    assert run.texts() == tuple(map(str, (run.task, run.working, run.stdout, run.stderr)))


@pytest.mark.parametrize("above", [True, False])
def test_the_directory_is_made_with_those_above(tmp_path: Path, above: bool) -> None:
    run = RunDirectories(tmp_path / "job" / "task")
    if above:
        run.task.parent.mkdir()
    assert exit_code(run) == 0
    assert run.stdout.read_text().strip() == str(run.working)
    assert (run.stderr.read_text(), list(run.working.iterdir())) == ("", [])


def test_what_is_there_already_is_left_as_it_is(tmp_path: Path) -> None:
    run = RunDirectories(tmp_path / "task")
    run.task.mkdir()
    with pytest.raises(DirectoryNotMade) as refused:
        exit_code(run)
    assert refused.value.errno == errno.EEXIST
    assert list(run.task.iterdir()) == []


def test_why_a_directory_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DirectoryNotMade) as refused:
        exit_code(RunDirectories(tmp_path / "file" / "task"))
    assert refused.value.errno == errno.ENOTDIR
