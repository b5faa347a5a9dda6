"""The official SDK on deleting files of tasks and nodes."""

from collections.abc import Callable

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.recorder import Recorder

Unique = Callable[[str], str]
WRITES = "/bin/sh -c 'mkdir -p d/e; echo x > d/e/f.txt; echo y > top.txt; ln -s /etc/hosts out'"


def names(batch: Batch, job_id: str) -> list[str]:
    return [file.name for file in batch.list_task_files(job_id, "t", recursive=True)]


def test_files_of_a_task_are_deleted_one_by_one_and_as_a_tree(
    batch: Batch, recorder: Recorder, unique: Unique
) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line=WRITES))
        scene.completed(batch, job_id, "t")
        batch.delete_task_file(job_id, "t", "wd/top.txt")
        assert recorder.last.status == 200
        assert "wd/top.txt" not in names(batch, job_id)
        with pytest.raises(ResourceNotFoundError, match="FileNotFound"):
            batch.delete_task_file(job_id, "t", "wd/top.txt")
        with pytest.raises(ResourceExistsError, match="OperationInvalidForCurrentState"):
            batch.delete_task_file(job_id, "t", "wd/d")
        batch.delete_task_file(job_id, "t", "wd/d", recursive=True)
        assert names(batch, job_id) == ["stderr.txt", "stdout.txt", "wd"]


@pytest.mark.parametrize("path", ["../t/stdout.txt", "wd/../../u", "wd/out", "/etc/hosts", "."])
def test_nothing_outside_of_the_task_can_be_deleted(batch: Batch, unique: Unique, path: str) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line=WRITES))
        scene.completed(batch, job_id, "t")
        if path == "wd/out":
            batch.delete_task_file(job_id, "t", path)  # the link itself, never what it leads to
            command = "/usr/bin/test -s /etc/hosts"
            batch.create_task(job_id, models.BatchTaskCreateOptions(id="u", command_line=command))
            info = scene.completed(batch, job_id, "u").execution_info
            assert info is not None
            assert info.exit_code == 0
        else:
            with pytest.raises(HttpResponseError):
                batch.delete_task_file(job_id, "t", path)
        assert b"".join(batch.download_task_file(job_id, "t", "stdout.txt")) == b""


def test_files_of_a_node_are_deleted(batch: Batch, unique: Unique) -> None:
    start = models.BatchStartTask(command_line="/bin/sh -c 'mkdir -p d; echo x > d/f; echo y'")
    with scene.pool(batch, unique("pool"), start_task=start) as pool_id:
        [node] = batch.list_nodes(pool_id)
        batch.delete_node_file(pool_id, node.id, "startup/stdout.txt")
        with pytest.raises(ResourceNotFoundError):
            batch.get_node_file_properties(pool_id, node.id, "startup/stdout.txt")
        with pytest.raises(ResourceExistsError):
            batch.delete_node_file(pool_id, node.id, "startup/wd/d")
        batch.delete_node_file(pool_id, node.id, "startup/wd/d", recursive=True)
        listed = [file.name for file in batch.list_node_files(pool_id, node.id, recursive=True)]
        assert "startup/wd" in listed
        assert "startup/wd/d" not in listed
