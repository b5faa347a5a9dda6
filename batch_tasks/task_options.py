"""What Batch is told about one of our tasks.

Every task runs the same command, `python3 run_files.py`: names and commands go in a setting, so that no file
name and no signed URL ever stands on a command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from azure.batch.models import (
    BatchTaskConstraints,
    BatchTaskCreateOptions,
    EnvironmentSetting,
    OutputFile,
    OutputFileBlobContainerDestination,
    OutputFileDestination,
    OutputFileUploadCondition,
    OutputFileUploadConfiguration,
    ResourceFile,
)

from batch_tasks import naming
from batch_tasks.plan import RUN_FILES, PlannedTask, run_files_setting
from batch_tasks.workload import Workload

COMMAND_LINE = "python3 run_files.py"
RUNNER = "run_files.py"


def task_options(
    task: PlannedTask, workload: Workload, read_url: Callable[[str], str], write_url: str
) -> BatchTaskCreateOptions:
    """What we ask Batch for. Pure.

    Args:
        task: the files and where their outputs go.
        workload: what is run for them.
        read_url: blob of the input container -> URL that reads it.
        write_url: URL that writes into the output container.
    """
    minutes = workload.file_minutes * len(task.files)
    return BatchTaskCreateOptions(
        id=task.task_id,
        command_line=COMMAND_LINE,
        resource_files=list(_resource_files(task, workload, read_url)),
        output_files=list(_output_files(task, write_url)),
        environment_settings=[
            EnvironmentSetting(name=RUN_FILES, value=run_files_setting(task)),
            *(EnvironmentSetting(name=name, value=value) for name, value in workload.environment.items()),
        ],
        constraints=BatchTaskConstraints(
            max_wall_clock_time=timedelta(minutes=minutes), max_task_retry_count=workload.retries
        ),
    )


def _resource_files(
    task: PlannedTask, workload: Workload, read_url: Callable[[str], str]
) -> Iterator[ResourceFile]:
    for name in (RUNNER, *(path.name for path in workload.node_files)):
        yield ResourceFile(http_url=read_url(naming.node_file_blob(name)), file_path=name)
    for file in task.files:
        yield ResourceFile(http_url=read_url(naming.input_blob(file.input.key)), file_path=file.fetched)


def _output_files(task: PlannedTask, write_url: str) -> Iterator[OutputFile]:
    """The uploads. A task of several files uploads what it has even when one of them failed."""
    several = len(task.files) > 1
    condition = (
        OutputFileUploadCondition.TASK_COMPLETION if several else OutputFileUploadCondition.TASK_SUCCESS
    )

    def upload(pattern: str, blob: str, condition: OutputFileUploadCondition) -> OutputFile:
        container = OutputFileBlobContainerDestination(container_url=write_url, path=blob)
        return OutputFile(
            file_pattern=pattern,
            destination=OutputFileDestination(container=container),
            upload_options=OutputFileUploadConfiguration(upload_condition=condition),
        )

    for file in task.files:
        for output in file.outputs:
            pattern = f"{output.keep}/**/*" if output.is_pattern else output.keep
            yield upload(pattern, naming.output_blob(output.path), condition)
    yield upload("result.json", naming.result_blob(task.task_id), OutputFileUploadCondition.TASK_COMPLETION)
    yield upload("../std*.txt", naming.log_prefix(task.task_id), OutputFileUploadCondition.TASK_FAILURE)
