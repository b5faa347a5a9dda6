"""Any command over any number of files, without a line of Python: the flow `run-command`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from prefect import flow

from batch_tasks.options import CleanUpPolicy, PoolOptions, RetryOptions, RunOptions
from batch_tasks.report import RunReport
from batch_tasks.workload import CONTAINER_HOST, Image, StartTask, Workload
from flows.backstop import delete_what_is_left
from flows.parameter import (
    AccountName,
    CheckOnly,
    CleanUp,
    Download,
    FilesPerTask,
    InputFiles,
    OutputDir,
    Pool,
    Retry,
    parameter,
)
from flows.pipeline import run_workload
from flows.run_history import run_name

Command = Annotated[
    str,
    parameter(
        "Command",
        "A shell line that runs for each file, in a folder that holds it: {input} or {name} is the file's "
        "name, {stem} and {suffix} are its parts, {output} is the first of the outputs. They are quoted for "
        "the shell: put no quotes around them. {{word}} is a literal {word}. Shipped files are in the folder "
        '"$TASK_FILES_DIR".',
        min_length=1,
    ),
]
Outputs = Annotated[
    list[str],
    parameter(
        "Outputs",
        "The files that the command leaves, such as {stem}.wav. With *, ? or [ it is a pattern, of which at "
        "least one file must be there.",
        min_length=1,
    ),
]
Setup = Annotated[
    str, parameter("Setup", "A shell line that prepares each node once, as administrator. Empty: none.")
]
ContainerImage = Annotated[
    str,
    parameter(
        "Container image",
        "Runs the command in a container of this image, such as python:3.12-slim; it must hold python3. "
        "Empty: on the node itself.",
        pattern=r"^\S*$",
    ),
]
Ship = Annotated[
    list[str],
    parameter("Files to ship", "Scripts and other files from here that the command needs on the nodes."),
]
Environment = Annotated[
    dict[str, str],
    parameter(
        "Environment",
        "Variables that the command sees. Not for secrets: Prefect and Azure show them to who may look.",
    ),
]
FileMinutes = Annotated[
    float, parameter("Minutes per file", "The command for a file is ended after so many.", gt=0, le=9600)
]
Retries = Annotated[int, parameter("Retries", "How often Batch runs a failed task again.", ge=0, le=100)]


def run_command_workload(
    command: str,
    outputs: Sequence[str],
    *,
    setup: str = "",
    container_image: str = "",
    ship: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    file_minutes: float = 60.0,
    retries: int = 0,
) -> Workload:
    """Runs the command for each file; `setup` prepares a node as administrator, `ship` are paths here."""
    return Workload(
        name="run-command",
        command=command,
        outputs=tuple(outputs),
        node_files=tuple(Path(path).expanduser() for path in ship),
        environment=dict(environment or {}),
        start_task=StartTask(setup, elevated=True) if setup.strip() else None,
        image=CONTAINER_HOST if container_image else Image(),
        container_image=container_image,
        file_minutes=file_minutes,
        retries=retries,
    )


@flow(
    name="run-command",
    flow_run_name=run_name,
    on_cancellation=[delete_what_is_left],
    on_crashed=[delete_what_is_left],
)
def run_command(
    input_files: InputFiles,
    command: Command,
    outputs: Outputs,
    setup: Setup = "",
    container_image: ContainerImage = "",
    ship: Ship = [],  # noqa: B006  Prefect copies it
    environment: Environment = {},  # noqa: B006
    file_minutes: FileMinutes = 60.0,
    retries: Retries = 0,
    output_dir: OutputDir = "output",
    files_per_task: FilesPerTask = 1,
    download: Download = True,  # noqa: FBT002  a switch in the form
    pool: Pool = PoolOptions(),  # noqa: B008  frozen
    clean_up: CleanUp = CleanUpPolicy(),  # noqa: B008  frozen
    retry: Retry = RetryOptions(),  # noqa: B008  frozen
    account: AccountName = "",
    check_only: CheckOnly = False,  # noqa: FBT002
) -> RunReport:
    """Run a command for each file on a compute node and bring back what it leaves."""
    workload = run_command_workload(
        command,
        outputs,
        setup=setup,
        container_image=container_image,
        ship=ship,
        environment=environment,
        file_minutes=file_minutes,
        retries=retries,
    )
    options = RunOptions(
        output_dir=output_dir,
        files_per_task=files_per_task,
        download=download,
        pool=pool,
        clean_up=clean_up,
        retry=retry,
        check_only=check_only,
    )
    return run_workload(workload, input_files, options, account)
