"""The official SDK on tasks that run on several nodes at once."""

from collections.abc import Callable

from azure.batch import models

from tests.conformance import scene
from tests.conformance.conftest import Batch

Unique = Callable[[str], str]

COORDINATE = "/bin/sh -c 'echo here > $AZ_BATCH_TASK_SHARED_DIR/mine; echo $AZ_BATCH_IS_CURRENT_NODE_MASTER'"


def task(task_id: str, command: str, coordination: str, instances: int) -> models.BatchTaskCreateOptions:
    settings = models.MultiInstanceSettings(
        coordination_command_line=coordination, number_of_instances=instances
    )
    return models.BatchTaskCreateOptions(id=task_id, command_line=command, multi_instance_settings=settings)


def test_the_command_runs_once_all_nodes_are_coordinated(batch: Batch, unique: Unique) -> None:
    command = "/bin/sh -c 'cat $AZ_BATCH_TASK_SHARED_DIR/mine; echo $AZ_BATCH_HOST_LIST; echo $CCP_NODES'"
    with (
        scene.pool(batch, unique("pool"), target_dedicated_nodes=3) as pool_id,
        scene.job(batch, unique("job"), pool_id) as job_id,
    ):
        batch.create_task(job_id, task("mpi", command, COORDINATE, 3))
        done = scene.completed(batch, job_id, "mpi")
        assert done.execution_info is not None
        assert done.execution_info.result == "success"
        said = b"".join(batch.download_task_file(job_id, "mpi", "stdout.txt")).decode().splitlines()
        hosts = said[1].split(",")
        assert (said[0], len(set(hosts))) == ("here", 3)
        assert said[2] == "3 " + " ".join(f"{host} 1" for host in hosts)

        subtasks = batch.list_subtasks(job_id, "mpi")
        assert [(one.id, one.state, one.exit_code) for one in subtasks] == [
            (1, "completed", 0),
            (2, "completed", 0),
        ]
        assert done.node_info is not None
        nodes = {one.node_info.node_id for one in subtasks}
        assert len(nodes | {done.node_info.node_id}) == 3
        first = subtasks[0].node_info
        text = batch.download_node_file(pool_id, first.node_id, f"{first.task_root_directory}/stdout.txt")
        assert b"".join(text) == b"false\n"
        scene.wait_for(lambda: {node.state for node in batch.list_nodes(pool_id)} == {"idle"})


def test_a_node_that_is_not_coordinated_fails_the_task(batch: Batch, unique: Unique) -> None:
    with (
        scene.pool(batch, unique("pool"), target_dedicated_nodes=2) as pool_id,
        scene.job(batch, unique("job"), pool_id) as job_id,
    ):
        broken = "/bin/sh -c '$AZ_BATCH_IS_CURRENT_NODE_MASTER || exit 6'"
        batch.create_task(job_id, task("mpi", "/bin/true", broken, 2))
        info = scene.completed(batch, job_id, "mpi").execution_info
        assert info is not None
        assert info.failure_info is not None
        assert (info.exit_code, info.failure_info.code) == (6, "FailureExitCode")
        scene.wait_for(lambda: {node.state for node in batch.list_nodes(pool_id)} == {"idle"})


def test_a_task_that_needs_more_nodes_than_there_are_waits(batch: Batch, unique: Unique) -> None:
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        batch.create_task(job_id, task("mpi", "/bin/true", "/bin/true", 2))
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="other", command_line="/bin/true"))
        scene.completed(batch, job_id, "other")
        assert batch.get_task(job_id, "mpi").state == "active"
        assert batch.list_subtasks(job_id, "mpi") == []
        batch.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=2))
        scene.completed(batch, job_id, "mpi")


def test_a_terminated_task_leaves_no_subtask_running(batch: Batch, unique: Unique) -> None:
    with (
        scene.pool(batch, unique("pool"), target_dedicated_nodes=2) as pool_id,
        scene.job(batch, unique("job"), pool_id) as job_id,
    ):
        batch.create_task(job_id, task("mpi", "/bin/true", "/bin/sleep 600", 2))
        scene.wait_for(lambda: [one.state for one in batch.list_subtasks(job_id, "mpi")] == ["running"])
        batch.terminate_task(job_id, "mpi")
        scene.wait_for(lambda: {node.state for node in batch.list_nodes(pool_id)} == {"idle"})


def test_an_ordinary_task_has_no_subtasks(batch: Batch, unique: Unique) -> None:
    with scene.job(batch, unique("job"), "no-pool") as job_id:
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/true"))
        assert batch.list_subtasks(job_id, "t") == []
