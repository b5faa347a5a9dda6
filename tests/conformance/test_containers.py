"""The official SDK on tasks in containers. What an engine does with them is tested beside the runner."""

from collections.abc import Callable

from azure.batch import models

from tests.conformance import scene
from tests.conformance.conftest import Batch

Unique = Callable[[str], str]


def test_a_container_that_cannot_be_run_fails_the_task_and_nothing_runs_without_it(
    batch: Batch, unique: Unique
) -> None:
    # No engine takes this name, so that the answer is the same with and without one.
    settings = models.BatchTaskContainerSettings(image_name="NO//image")
    options = scene.pool_options(unique("pool"))
    assert options.virtual_machine_configuration is not None
    options.virtual_machine_configuration.container_configuration = models.BatchContainerConfiguration(
        type="dockerCompatible"
    )
    batch.create_pool(options)
    with scene.job(batch, unique("job"), options.id) as job_id:
        task = models.BatchTaskCreateOptions(
            id="t", command_line="/bin/echo ran", container_settings=settings
        )
        batch.create_task(job_id, task)
        info = scene.completed(batch, job_id, "t").execution_info
        assert info is not None
        assert info.failure_info is not None
        assert (info.failure_info.code, info.exit_code) == ("ContainerMiscError", None)
    batch.begin_delete_pool(options.id)


def test_a_pool_without_containers_runs_no_container_tasks(batch: Batch, unique: Unique) -> None:
    settings = models.BatchTaskContainerSettings(image_name="image")
    with scene.pool(batch, unique("pool")) as pool_id, scene.job(batch, unique("job"), pool_id) as job_id:
        task = models.BatchTaskCreateOptions(id="t", command_line="/bin/true", container_settings=settings)
        batch.create_task(job_id, task)
        info = scene.completed(batch, job_id, "t").execution_info
        assert info is not None
        assert info.failure_info is not None
        assert info.failure_info.code == "ContainerPoolNotSupported"
