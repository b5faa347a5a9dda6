"""The official SDK on what a job does beside its tasks: job manager, preparation and release tasks."""

import datetime as dt
from collections.abc import Callable

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.conformance import scene
from tests.conformance.conftest import Batch

Unique = Callable[[str], str]

PREPARE = models.BatchJobPreparationTask(
    command_line="/bin/sh -c 'echo made > made; echo $COMMON $AZ_BATCH_TASK_ID'"
)
RELEASE = models.BatchJobReleaseTask(command_line="/bin/sh -c 'cat $AZ_BATCH_JOB_PREP_WORKING_DIR/made'")


def test_a_node_is_prepared_before_the_first_task_of_a_job_and_released_at_its_end(
    batch: Batch, unique: Unique
) -> None:
    common = [models.EnvironmentSetting(name="COMMON", value="shared")]
    with (
        scene.pool(batch, unique("pool")) as pool_id,
        scene.job(
            batch,
            unique("job"),
            pool_id,
            job_preparation_task=PREPARE,
            job_release_task=RELEASE,
            common_environment_settings=common,
        ) as job_id,
    ):
        assert batch.list_job_preparation_and_release_task_status(job_id) == []
        for name in "ab":
            command = "/bin/sh -c 'cat $AZ_BATCH_JOB_PREP_WORKING_DIR/made'"
            batch.create_task(job_id, models.BatchTaskCreateOptions(id=name, command_line=command))
        for name in "ab":
            scene.completed(batch, job_id, name)
            assert b"".join(batch.download_task_file(job_id, name, "stdout.txt")) == b"made\n"
        [status] = batch.list_job_preparation_and_release_task_status(job_id)
        prepared = status.job_preparation_task_execution_info
        assert (prepared.state, prepared.result, prepared.retry_count) == ("completed", "success", 0)
        assert prepared.task_root_directory == f"workitems/{job_id}/job-1/jobpreparation"
        assert status.job_release_task_execution_info is None
        said = batch.download_node_file(pool_id, status.node_id, f"{prepared.task_root_directory}/stdout.txt")
        assert b"".join(said) == b"shared jobpreparation\n"

        assert batch.begin_terminate_job(job_id, {"terminateReason": "enough"}) == "Succeeded"
        [status] = batch.list_job_preparation_and_release_task_status(
            job_id, filter="jobReleaseTaskExecutionInfo/exitCode eq 0"
        )
        released = status.job_release_task_execution_info
        assert (released.state, released.result, released.exit_code) == ("completed", "success", 0)
        said = batch.download_node_file(pool_id, status.node_id, f"{released.task_root_directory}/stdout.txt")
        assert b"".join(said) == b"made\n"


def test_a_task_goes_back_when_its_node_cannot_be_prepared(batch: Batch, unique: Unique) -> None:
    broken = models.BatchJobPreparationTask(
        command_line="/bin/sh -c 'exit 4'", constraints=models.BatchTaskConstraints(max_task_retry_count=1)
    )
    with (
        scene.pool(batch, unique("pool")) as pool_id,
        scene.job(batch, unique("job"), pool_id, job_preparation_task=broken) as job_id,
    ):
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/true"))

        def has_failed() -> bool:
            found = batch.list_job_preparation_and_release_task_status(job_id)
            return [one.job_preparation_task_execution_info.result for one in found] == ["failure"]

        scene.wait_for(has_failed)
        [status] = batch.list_job_preparation_and_release_task_status(job_id)
        info = status.job_preparation_task_execution_info
        assert (info.exit_code, info.retry_count, info.failure_info.code) == (4, 1, "FailureExitCode")
        scene.wait_for(lambda: batch.get_task(job_id, "t").state == "active")
        scene.wait_for(lambda: [node.state for node in batch.list_nodes(pool_id)] == ["idle"])


def test_a_job_without_a_preparation_task_has_no_status_of_one(batch: Batch, unique: Unique) -> None:
    with (
        scene.job(batch, unique("job"), "no-pool") as job_id,
        pytest.raises(ResourceExistsError, match="JobPreparationTaskNotSpecified"),
    ):
        batch.list_job_preparation_and_release_task_status(job_id)


def test_no_task_has_the_id_of_the_preparation_task(batch: Batch, unique: Unique) -> None:
    same = models.BatchTaskCreateOptions(id="JobPreparation", command_line="/bin/true")
    with (
        scene.job(batch, unique("job"), "no-pool", job_preparation_task=PREPARE) as job_id,
        pytest.raises(ResourceExistsError, match="TaskIdSameAsJobPreparationTask"),
    ):
        batch.create_task(job_id, same)


def test_a_job_ends_with_its_manager(batch: Batch, unique: Unique) -> None:
    manager = models.BatchJobManagerTask(id="boss", command_line="/bin/sh -c 'exit 3'")
    with (
        scene.pool(batch, unique("pool"), task_slots_per_node=2) as pool_id,
        scene.job(batch, unique("job"), pool_id, job_manager_task=manager) as job_id,
    ):
        assert [task.id for task in batch.list_tasks(job_id)] == ["boss"]
        assert scene.completed(batch, job_id, "boss").command_line == manager.command_line
        scene.wait_for(lambda: batch.get_job(job_id).state == "completed")
        job = batch.get_job(job_id)
        assert job.execution_info.termination_reason == "JMComplete"
        kept = job.job_manager_task
        assert (kept.kill_job_on_completion, kept.run_exclusive) == (True, True)


def test_a_job_outlives_a_manager_that_does_not_end_it(batch: Batch, unique: Unique) -> None:
    manager = models.BatchJobManagerTask(id="boss", command_line="/bin/true", kill_job_on_completion=False)
    with (
        scene.pool(batch, unique("pool")) as pool_id,
        scene.job(batch, unique("job"), pool_id, job_manager_task=manager) as job_id,
    ):
        scene.completed(batch, job_id, "boss")
        assert batch.get_job(job_id).state == "active"


def test_the_constraints_of_a_task_are_replaced(batch: Batch, unique: Unique) -> None:
    first = models.BatchTaskConstraints(max_task_retry_count=3, retention_time=dt.timedelta(days=1))
    with scene.job(batch, unique("job"), "no-pool") as job_id:
        batch.create_task(
            job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/true", constraints=first)
        )
        task = batch.get_task(job_id, "t")
        task.constraints = models.BatchTaskConstraints(max_wall_clock_time=dt.timedelta(hours=1))
        batch.replace_task(job_id, "t", task)
        changed = batch.get_task(job_id, "t")
        assert changed.constraints.max_wall_clock_time == dt.timedelta(hours=1)
        assert changed.constraints.retention_time == dt.timedelta(days=7)
        assert changed.constraints.max_task_retry_count == 0
        assert changed.etag != task.etag


def test_a_time_limit_that_is_set_late_ends_a_running_task(batch: Batch, unique: Unique) -> None:
    with (
        scene.pool(batch, unique("pool")) as pool_id,
        scene.job(batch, unique("job"), pool_id) as job_id,
    ):
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/sleep 600"))
        scene.wait_for(lambda: batch.get_task(job_id, "t").state == "running")
        task = batch.get_task(job_id, "t")
        task.constraints = models.BatchTaskConstraints(max_wall_clock_time=dt.timedelta(seconds=0.2))
        batch.replace_task(job_id, "t", task)
        info = scene.completed(batch, job_id, "t").execution_info
        assert info is not None
        assert info.failure_info is not None
        assert info.failure_info.category.lower() == "servererror"


def test_replacing_a_job_keeps_what_cannot_change(batch: Batch, unique: Unique) -> None:
    subnet = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/s"
    network = models.BatchJobNetworkConfiguration(subnet_id=subnet, skip_withdraw_from_vnet=True)
    with scene.job(
        batch,
        unique("job"),
        "no-pool",
        job_preparation_task=PREPARE,
        network_configuration=network,
        all_tasks_complete_mode="noaction",
    ) as job_id:
        job = batch.get_job(job_id)
        assert job.network_configuration.subnet_id == subnet
        job.priority = 9
        batch.replace_job(job_id, job)
        changed = batch.get_job(job_id)
        assert changed.priority == 9
        assert changed.network_configuration.subnet_id == subnet
        assert changed.job_preparation_task.command_line == PREPARE.command_line


def test_a_job_that_is_to_end_with_its_tasks_cannot_be_told_otherwise(batch: Batch, unique: Unique) -> None:
    with scene.job(batch, unique("job"), "no-pool") as job_id:
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/true"))
        batch.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
        with pytest.raises(HttpResponseError, match="onAllTasksComplete"):
            batch.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="noaction"))
