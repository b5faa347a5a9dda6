"""The official SDK on job schedules, and on the pools that jobs and schedules have of their own."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.conformance import scene
from tests.conformance.conftest import Batch
from tests.conformance.recorder import Recorder

Unique = Callable[[str], str]


def options(
    schedule_id: str, pool_id: str = "no-pool", **schedule: Any
) -> models.BatchJobScheduleCreateOptions:
    return models.BatchJobScheduleCreateOptions(
        id=schedule_id,
        display_name="now and then",
        schedule=models.BatchJobScheduleConfiguration(**schedule),
        job_specification=models.BatchJobSpecification(pool_info=models.BatchPoolInfo(pool_id=pool_id)),
    )


def auto_pool(lifetime: str, *, keep_alive: bool = False, formula: str | None = None) -> models.BatchPoolInfo:
    machines = scene.pool_options("unused")
    size: dict[str, Any] = {"target_dedicated_nodes": 0}
    if formula is not None:
        size = {"enable_auto_scale": True, "auto_scale_formula": formula}
    return models.BatchPoolInfo(
        auto_pool_specification=models.BatchAutoPoolSpecification(
            auto_pool_id_prefix="Auto",
            pool_lifetime_option=lifetime,
            keep_alive=keep_alive,
            pool=models.BatchPoolSpecification(
                vm_size=machines.vm_size,
                virtual_machine_configuration=machines.virtual_machine_configuration,
                **size,
            ),
        )
    )


def test_a_schedule_is_created_shown_listed_and_deleted_with_its_jobs(
    batch: Batch, recorder: Recorder, unique: Unique
) -> None:
    schedule_id = unique("Schedule")
    batch.create_job_schedule(options(schedule_id, recurrence_interval=dt.timedelta(hours=1)))
    created = recorder.last
    assert (created.status, created.body) == (201, None)
    assert created.headers["location"].endswith(f"/jobschedules/{schedule_id}")

    schedule = batch.get_job_schedule(schedule_id)
    assert (schedule.id, schedule.state, schedule.display_name) == (schedule_id, "active", "now and then")
    assert schedule.etag == created.headers["etag"]
    assert schedule.job_specification.priority == 0
    assert schedule.execution_info.recent_job.id == f"{schedule_id}:job-1"
    wait = schedule.execution_info.next_run_time - schedule.creation_time
    assert wait == dt.timedelta(hours=1)
    assert batch.job_schedule_exists(schedule_id) is True
    found = batch.list_job_schedules(filter=f"id eq '{schedule_id}'", select=["id,state"])
    assert [one.as_dict() for one in found] == [{"id": schedule_id, "state": "active"}]

    [job] = batch.list_jobs_from_schedule(schedule_id, filter="state eq 'active'")
    assert job.id == f"{schedule_id}:job-1"
    assert batch.get_job(job.id).execution_info.pool_id == "no-pool"

    assert batch.begin_delete_job_schedule(schedule_id) == "Succeeded"
    for gone in (batch.get_job_schedule, batch.job_schedule_exists):
        with pytest.raises(ResourceNotFoundError):
            gone(schedule_id)
    with pytest.raises(ResourceNotFoundError, match="JobNotFound"):
        batch.get_job(job.id)


def test_a_job_and_a_schedule_cannot_have_the_same_id(batch: Batch, unique: Unique) -> None:
    schedule_id = unique("schedule")
    batch.create_job_schedule(options(schedule_id))
    with pytest.raises(ResourceExistsError, match="JobScheduleExists"):
        batch.create_job_schedule(options(schedule_id.upper()))
    pool = models.BatchPoolInfo(pool_id="no-pool")
    with pytest.raises(ResourceExistsError, match="JobScheduleWithSameIdExists"):
        batch.create_job(models.BatchJobCreateOptions(id=schedule_id, pool_info=pool))
    batch.begin_delete_job_schedule(schedule_id)
    with (
        scene.job(batch, unique("job"), "no-pool") as job_id,
        pytest.raises(ResourceExistsError, match="JobWithSameIdExists"),
    ):
        batch.create_job_schedule(options(job_id))


def test_tasks_of_a_scheduled_job_run_in_the_schedules_directory(batch: Batch, unique: Unique) -> None:
    schedule_id = unique("schedule")
    with scene.pool(batch, unique("pool")) as pool_id:
        batch.create_job_schedule(options(schedule_id, pool_id))
        job_id = f"{schedule_id}:job-1"
        batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/echo here"))
        task = scene.completed(batch, job_id, "t")
        assert task.node_info is not None
        assert task.node_info.task_root_directory == f"workitems/{schedule_id}/job-1/t"
        assert b"".join(batch.download_task_file(job_id, "t", "stdout.txt")) == b"here\n"
        node_file = f"{task.node_info.task_root_directory}/stdout.txt"
        assert b"".join(batch.download_node_file(pool_id, task.node_info.node_id, node_file)) == b"here\n"
        batch.begin_terminate_job(job_id, {"terminateReason": "enough"})
        scene.wait_for(lambda: batch.get_job_schedule(schedule_id).state == "completed")
        batch.begin_delete_job_schedule(schedule_id)


def test_a_schedule_is_disabled_enabled_and_terminated(batch: Batch, unique: Unique) -> None:
    schedule_id = unique("schedule")
    batch.create_job_schedule(options(schedule_id, recurrence_interval=dt.timedelta(hours=1)))
    batch.disable_job_schedule(schedule_id)
    assert batch.get_job_schedule(schedule_id).state == "disabled"
    batch.enable_job_schedule(schedule_id)
    assert batch.get_job_schedule(schedule_id).previous_state == "disabled"
    assert batch.begin_terminate_job_schedule(schedule_id) == "Succeeded"
    schedule = batch.get_job_schedule(schedule_id)
    assert schedule.state == "completed"
    assert schedule.execution_info.end_time is not None
    job = batch.get_job(f"{schedule_id}:job-1")
    assert (job.state, job.execution_info.termination_reason) == ("completed", "TerminateJobSchedule")
    with pytest.raises(ResourceExistsError, match="JobScheduleCompleted"):
        batch.enable_job_schedule(schedule_id)
    batch.begin_delete_job_schedule(schedule_id)


def test_a_schedule_is_changed_in_part_or_as_a_whole(batch: Batch, unique: Unique) -> None:
    schedule_id = unique("schedule")
    batch.create_job_schedule(options(schedule_id, recurrence_interval=dt.timedelta(hours=1)))
    before = batch.get_job_schedule(schedule_id)
    metadata = [models.BatchMetadataItem(name="a", value="b")]
    batch.update_job_schedule(schedule_id, models.BatchJobScheduleUpdateOptions(metadata=metadata))
    changed = batch.get_job_schedule(schedule_id)
    assert changed.etag != before.etag
    assert changed.schedule.recurrence_interval == dt.timedelta(hours=1)
    with pytest.raises(ResourceModifiedError):
        batch.replace_job_schedule(
            schedule_id, before, etag=before.etag, match_condition=MatchConditions.IfNotModified
        )
    changed.schedule.recurrence_interval = dt.timedelta(hours=2)
    changed.metadata = None
    changed.job_specification.priority = 7
    batch.replace_job_schedule(schedule_id, changed)
    replaced = batch.get_job_schedule(schedule_id)
    assert replaced.metadata is None
    assert replaced.job_specification.priority == 7
    info = replaced.execution_info
    assert info.next_run_time - replaced.creation_time == dt.timedelta(hours=2)
    assert batch.get_job(f"{schedule_id}:job-1").priority == 0
    batch.begin_delete_job_schedule(schedule_id)


@pytest.mark.parametrize(
    "schedule",
    [
        {"recurrence_interval": dt.timedelta(seconds=30)},
        {"start_window": dt.timedelta(seconds=59)},
        {
            "do_not_run_until": dt.datetime(2030, 1, 2, tzinfo=dt.UTC),
            "do_not_run_after": dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
        },
    ],
)
def test_times_that_the_service_refuses_are_refused(
    batch: Batch, unique: Unique, schedule: dict[str, Any]
) -> None:
    with pytest.raises(HttpResponseError, match="InvalidPropertyValue") as refused:
        batch.create_job_schedule(options(unique("schedule"), **schedule))
    assert refused.value.status_code == 400


def test_a_job_has_a_pool_of_its_own_for_as_long_as_it_lives(batch: Batch, unique: Unique) -> None:
    job_id = unique("job")
    batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=auto_pool("job")))
    job = batch.get_job(job_id)
    pool_id = job.execution_info.pool_id
    assert pool_id.startswith("Auto_")
    assert job.pool_info.pool_id is None
    assert batch.get_pool(pool_id).vm_size == "standard_d1_v2"
    assert batch.begin_terminate_job(job_id, {"terminateReason": "enough"}) == "Succeeded"
    scene.wait_for(lambda: pool_id not in [pool.id for pool in batch.list_pools()])
    batch.begin_delete_job(job_id)


def test_a_pool_that_is_kept_alive_outlives_its_job(batch: Batch, unique: Unique) -> None:
    job_id = unique("job")
    batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=auto_pool("job")))
    pool_id = batch.get_job(job_id).execution_info.pool_id
    keep = models.BatchJobUpdateOptions(pool_info=auto_pool("job", keep_alive=True))
    batch.update_job(job_id, keep)
    with pytest.raises(HttpResponseError, match="autoPoolSpecification"):
        batch.update_job(job_id, models.BatchJobUpdateOptions(pool_info=models.BatchPoolInfo(pool_id="p")))
    assert batch.begin_delete_job(job_id) == "Succeeded"
    assert batch.get_pool(pool_id).state == "active"
    batch.begin_delete_pool(pool_id)


def test_a_pool_that_cannot_be_made_ends_its_job_with_the_reason(batch: Batch, unique: Unique) -> None:
    job_id = unique("job")
    info = auto_pool("job", formula="$TargetDedicatedNodes = ")
    batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=info))
    scene.wait_for(lambda: batch.get_job(job_id).state == "completed")
    error = batch.get_job(job_id).execution_info.scheduling_error
    assert error.code == "InvalidAutoScaleFormulaInAutoPool"
    batch.begin_delete_job(job_id)


def test_the_jobs_of_a_schedule_can_share_a_pool_but_a_job_alone_cannot_ask_for_that(
    batch: Batch, unique: Unique
) -> None:
    with pytest.raises(HttpResponseError, match="poolLifetimeOption"):
        batch.create_job(models.BatchJobCreateOptions(id=unique("job"), pool_info=auto_pool("jobschedule")))
    schedule_id = unique("schedule")
    schedule = options(schedule_id)
    schedule.job_specification.pool_info = auto_pool("jobschedule")
    batch.create_job_schedule(schedule)
    pool_id = batch.get_job(f"{schedule_id}:job-1").execution_info.pool_id
    assert batch.get_pool(pool_id).state == "active"
    batch.begin_delete_job_schedule(schedule_id)
    scene.wait_for(lambda: pool_id not in [pool.id for pool in batch.list_pools()])
