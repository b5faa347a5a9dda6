"""Runs that copy texts, on the local deployment of `run-command`."""

from pathlib import Path

from tests.deployments.conftest import Prefect


def texts_in(folder: Path, files: int) -> str:
    """A new folder of so many short texts, as an input."""
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:04}.txt").write_text("words\n")
    return str(folder)


def start_copies(prefect: Prefect, files: list[str], out: Path, command: str, files_per_task: int = 1) -> str:
    """Start a run of a command that leaves `<stem>.copy` of each file; its id."""
    outputs = {"outputs": ["{stem}.copy"], "output_dir": str(out), "files_per_task": files_per_task}
    return prefect.start("run-command/local", input_files=files, command=command, **outputs)
