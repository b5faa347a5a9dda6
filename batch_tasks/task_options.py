"""What Batch is told about one of our tasks.

Every task runs the same command, `python3 -I -S run_files.py`: names and commands go in a setting, so that no
file name and no signed URL ever stands on a command line. `-I` keeps Python from taking a shipped `json.py`
for its own; `-S`, from importing what is installed on the node beside the standard library, which none of our
scripts needs and which can take as long as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from azure.batch.models import (
    BatchNodeIdentityReference,
    BatchTaskConstraints,
    BatchTaskContainerSettings,
    BatchTaskCreateOptions,
    BatchTaskDependencies,
    ContainerWorkingDirectory,
    DependencyAction,
    EnvironmentSetting,
    ExitConditions,
    ExitOptions,
    OutputFile,
    OutputFileBlobContainerDestination,
    OutputFileDestination,
    OutputFileUploadCondition,
    OutputFileUploadConfiguration,
    ResourceFile,
)

from batch_tasks import naming
from batch_tasks.plan import RUN_FILES, PlannedTask, run_files_setting
from batch_tasks.registry import registry_by_identity
from batch_tasks.workload import RUNNER, Workload

COMMAND_LINE = f"python3 -I -S {RUNNER}"
SLACK = timedelta(minutes=10)
"""For what a task does beside its commands, whose time `run_files.py` limits: it reads all outputs once."""
RETENTION = timedelta(hours=1)
"""How long a task's files stay on the node: on one that serves many tasks, Batch's 7 days fill the disk."""
_MERGE_ANYWAY = ExitConditions(default=ExitOptions(dependency_action=DependencyAction.SATISFY))
"""However a task fails, what waits for it runs: the merge says what it lacks."""


@dataclass(frozen=True)
class Identity:
    """A user-assigned identity of the pool, by its resource id, and where it is to be used: for the URLs
    below `root` that bring no signature of their own.
    """

    resource_id: str
    root: str

    def for_url(self, url: str) -> BatchNodeIdentityReference | None:
        """What Batch is told beside a URL; None where the URL must do."""
        if "?" in url or not url.lower().startswith(f"{self.root}/".lower()):
            return None
        return BatchNodeIdentityReference(resource_id=self.resource_id)


@dataclass(frozen=True)
class NodeUrls:
    """How the node reaches storage: by URLs that can do no more than they say, or by an identity.

    Attributes:
        read: blob of the input container -> URL that reads it.
        stored: URL of an input that is in storage already -> URL that reads it.
        read_outputs: URL that lists and reads the output container, for a merge.
        write_outputs: URL that writes into the output container.
        identity: reaches what the URLs, unsigned then, only name.
    """

    read: Callable[[str], str]
    stored: Callable[[str], str]
    read_outputs: str = field(repr=False)
    write_outputs: str = field(repr=False)
    identity: Identity | None = None

    def reference(self, url: str) -> BatchNodeIdentityReference | None:
        """The identity that goes with this URL; None for signed and public ones."""
        return self.identity.for_url(url) if self.identity else None


def task_options(task: PlannedTask, workload: Workload, urls: NodeUrls) -> BatchTaskCreateOptions:
    """What we ask Batch for, to run the workload (its merge for a task that merges) on the files. Pure."""
    merging = workload.merging if task.is_merge else None
    workload = merging or workload
    minutes = timedelta(minutes=workload.file_minutes * len(task.files))
    return BatchTaskCreateOptions(
        id=task.task_id,
        command_line=COMMAND_LINE,
        resource_files=list(_resource_files(task, workload, urls)),
        output_files=list(_output_files(task, urls)),
        environment_settings=[EnvironmentSetting(name=RUN_FILES, value=run_files_setting(task, workload))],
        constraints=BatchTaskConstraints(
            max_wall_clock_time=minutes + SLACK,
            retention_time=RETENTION,
            max_task_retry_count=workload.retries,
        ),
        container_settings=_container_settings(workload, urls.identity),
        depends_on=BatchTaskDependencies(task_ids=list(task.after)) if task.after else None,
        exit_conditions=_MERGE_ANYWAY if workload.merge else None,
    )


def _container_settings(workload: Workload, identity: Identity | None) -> BatchTaskContainerSettings | None:
    if not workload.container_image:
        return None
    return BatchTaskContainerSettings(
        image_name=workload.container_image,
        container_run_options="--rm",
        working_directory=ContainerWorkingDirectory.TASK_WORKING_DIRECTORY,
        registry=registry_by_identity(workload.container_image, identity.resource_id if identity else ""),
    )


def _resource_files(task: PlannedTask, workload: Workload, urls: NodeUrls) -> Iterator[ResourceFile]:
    def fetched(url: str, path: str) -> ResourceFile:
        return ResourceFile(http_url=url, file_path=path, identity_reference=urls.reference(url))

    for name in (RUNNER, *(path.name for path in workload.node_files)):
        yield fetched(urls.read(naming.node_file_blob(name)), name)
    for file in task.files:
        yield fetched(urls.read(file.blob) if file.blob else urls.stored(file.input.url), file.fetched)
    if task.is_merge:
        yield ResourceFile(
            storage_container_url=urls.read_outputs,
            blob_prefix=naming.PARTS,
            identity_reference=urls.reference(urls.read_outputs),
        )


def _output_files(task: PlannedTask, urls: NodeUrls) -> Iterator[OutputFile]:
    """The uploads. A task of several files uploads what it has even when one of them failed."""
    several = len(task.files) > 1
    condition = (
        OutputFileUploadCondition.TASK_COMPLETION if several else OutputFileUploadCondition.TASK_SUCCESS
    )

    def upload(pattern: str, blob: str, condition: OutputFileUploadCondition) -> OutputFile:
        container = OutputFileBlobContainerDestination(
            container_url=urls.write_outputs,
            path=blob,
            identity_reference=urls.reference(urls.write_outputs),
        )
        return OutputFile(
            file_pattern=pattern,
            destination=OutputFileDestination(container=container),
            upload_options=OutputFileUploadConfiguration(upload_condition=condition),
        )

    for file in task.files:
        for output in file.outputs:
            pattern = f"{output.keep}/**/*" if output.is_pattern else output.keep
            yield upload(pattern, output.blob, condition)
    yield upload("result.json", naming.result_blob(task.task_id), OutputFileUploadCondition.TASK_COMPLETION)
    yield upload("../std*.txt", naming.log_prefix(task.task_id), OutputFileUploadCondition.TASK_FAILURE)
