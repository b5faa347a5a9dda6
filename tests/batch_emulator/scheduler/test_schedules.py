"""When a job schedule creates jobs, and the pools that jobs and schedules have of their own."""

from typing import Any

import pytest

from batch_emulator import errors, events, job_events, schema
from batch_emulator.lifecycle import JobScheduleState, JobState, PoolState
from batch_emulator.resources import Job, JobSchedule
from batch_emulator.wire import creations
from batch_emulator.wire.values import timestamp
from tests.batch_emulator.bodies import UBUNTU
from tests.batch_emulator.scheduler.world import Stage

HOUR = 3600.0


def add(stage: Stage, pool: dict[str, Any] | None = None, **times: Any) -> JobSchedule:
    """A schedule in the account; its pool need not exist."""
    body = {"id": "S", "schedule": times, "jobSpecification": {"poolInfo": pool or {"poolId": "none"}}}
    document = schema.schedule_defaults(schema.check("BatchJobScheduleCreateOptions", body))
    schedule = creations.job_schedule(document, stage.now)
    stage.submit(job_events.AddSchedule(schedule))
    stage.pass_time()
    return schedule


def jobs(stage: Stage) -> list[str]:
    return [job.id for job in stage.world.account.jobs.values()]


def finish(stage: Stage, job_key: str) -> None:
    stage.submit(events.TerminateJob(job_key, "done"))
    stage.pass_time()


def auto_pool(lifetime: str, **more: Any) -> dict[str, Any]:
    pool = {"vmSize": "standard_d1_v2", "virtualMachineConfiguration": UBUNTU}
    asked = {"poolLifetimeOption": lifetime, "autoPoolIdPrefix": "P", "pool": pool, **more}
    return {"autoPoolSpecification": asked}


def add_job(stage: Stage, pool: dict[str, Any]) -> Job:
    body = {"id": "job", "poolInfo": pool}
    document = schema.job_defaults(schema.check("BatchJobCreateOptions", body))
    job = creations.job(document, stage.now)
    stage.submit(events.AddJob(job))
    return job


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_schedule_without_recurrence_is_complete_when_its_job_is(stage: Stage) -> None:
    schedule = add(stage)
    assert jobs(stage) == ["S:job-1"]
    assert (schedule.state, schedule.next_run) == (JobScheduleState.ACTIVE, None)
    finish(stage, "s:job-1")
    assert schedule.state is JobScheduleState.COMPLETED
    assert schedule.ended == stage.now
    with pytest.raises(errors.JobScheduleCompleted):
        stage.submit(job_events.TerminateSchedule("s"))


def test_a_job_is_created_in_each_interval(stage: Stage) -> None:
    schedule = add(stage, recurrenceInterval="PT1H")
    finish(stage, "s:job-1")
    assert schedule.next_run == 1000.0 + HOUR
    stage.pass_time(HOUR - 1.0)
    assert jobs(stage) == ["S:job-1"]
    stage.pass_time(1.0)
    assert jobs(stage) == ["S:job-1", "S:job-2"]
    assert schedule.recent_job == "S:job-2"


def test_a_job_that_is_due_waits_for_the_one_before_it(stage: Stage) -> None:
    add(stage, recurrenceInterval="PT1H")
    stage.pass_time(1.5 * HOUR)
    assert jobs(stage) == ["S:job-1"]
    finish(stage, "s:job-1")
    assert jobs(stage) == ["S:job-1", "S:job-2"]
    finish(stage, "s:job-2")
    stage.pass_time(0.5 * HOUR)
    assert jobs(stage)[2:] == ["S:job-3"]


def test_jobs_that_came_due_during_a_long_one_are_not_carried_forward(stage: Stage) -> None:
    add(stage, recurrenceInterval="PT1H")
    stage.pass_time(5.5 * HOUR)
    finish(stage, "s:job-1")
    finish(stage, "s:job-2")
    assert jobs(stage) == ["S:job-1", "S:job-2"]


def test_a_job_whose_start_window_has_passed_is_left_out(stage: Stage) -> None:
    add(stage, recurrenceInterval="PT1H", startWindow="PT10M")
    stage.pass_time(HOUR + 601.0)
    finish(stage, "s:job-1")
    assert jobs(stage) == ["S:job-1"]
    stage.pass_time(HOUR)
    assert jobs(stage) == ["S:job-1", "S:job-2"]


def test_nothing_begins_before_its_time(stage: Stage) -> None:
    schedule = add(stage, doNotRunUntil=timestamp(1000.0 + HOUR))
    assert (jobs(stage), schedule.next_run) == ([], 1000.0 + HOUR)
    stage.pass_time(HOUR)
    assert jobs(stage) == ["S:job-1"]


def test_a_schedule_ends_at_its_end_when_it_has_no_job(stage: Stage) -> None:
    schedule = add(stage, recurrenceInterval="PT1H", doNotRunAfter=timestamp(1000.0 + 2.5 * HOUR))
    stage.pass_time(2.0 * HOUR)
    finish(stage, "s:job-1")
    finish(stage, "s:job-2")
    assert schedule.state is JobScheduleState.ACTIVE
    stage.pass_time(0.5 * HOUR)
    assert schedule.state is JobScheduleState.COMPLETED
    assert jobs(stage) == ["S:job-1", "S:job-2"]


def test_a_job_outlasts_the_end_of_its_schedule(stage: Stage) -> None:
    schedule = add(stage, recurrenceInterval="PT1H", doNotRunAfter=timestamp(1000.0 + HOUR))
    stage.pass_time(3.0 * HOUR)
    assert schedule.state is JobScheduleState.ACTIVE
    finish(stage, "s:job-1")
    assert schedule.state is JobScheduleState.COMPLETED


def test_a_disabled_schedule_creates_no_jobs_until_it_is_enabled(stage: Stage) -> None:
    schedule = add(stage, recurrenceInterval="PT1H")
    finish(stage, "s:job-1")
    stage.submit(job_events.DisableSchedule("s"))
    with pytest.raises(errors.JobScheduleDisabled):
        stage.submit(job_events.DisableSchedule("s"))
    stage.pass_time(1.5 * HOUR)
    assert jobs(stage) == ["S:job-1"]
    stage.submit(job_events.EnableSchedule("s"))
    stage.submit(job_events.EnableSchedule("s"))
    assert jobs(stage) == ["S:job-1", "S:job-2"]
    assert schedule.state is JobScheduleState.ACTIVE


def test_a_terminated_schedule_ends_its_job_first(stage: Stage) -> None:
    stage.pool("none")
    schedule = add(stage, recurrenceInterval="PT1H")
    run = stage.task("a", "s:job-1").run
    assert run is not None
    stage.submit(job_events.TerminateSchedule("s"))
    assert schedule.state is JobScheduleState.TERMINATING
    with pytest.raises(errors.JobScheduleBeingTerminated):
        stage.submit(job_events.EnableSchedule("s"))
    job = stage.world.account.jobs["s:job-1"]
    assert (job.state, job.terminate_reason) == (JobState.TERMINATING, "TerminateJobSchedule")
    stage.end_run(run, exit_code=137)
    assert schedule.state is JobScheduleState.COMPLETED
    assert stage.pass_time(5 * HOUR) == []
    assert jobs(stage) == ["S:job-1"]


@pytest.mark.parametrize("before", ["active", "disabled", "completed"])
def test_a_deleted_schedule_goes_with_its_jobs_from_whatever_state(stage: Stage, before: str) -> None:
    add(stage, recurrenceInterval="PT1H")
    if before == "disabled":
        stage.submit(job_events.DisableSchedule("s"))
    elif before == "completed":
        stage.submit(job_events.TerminateSchedule("s"))
        stage.pass_time()
    stage.submit(job_events.DeleteSchedule("s"))
    with pytest.raises(errors.JobScheduleBeingDeleted):
        stage.submit(job_events.DeleteSchedule("s"))
    with pytest.raises(errors.JobScheduleBeingDeleted):
        add(stage)
    stage.pass_time()
    assert not stage.world.account.schedules
    assert not stage.world.account.jobs
    with pytest.raises(errors.JobScheduleNotFound):
        stage.world.schedule("s")


def test_a_changed_schedule_counts_from_the_last_time_a_job_was_due(stage: Stage) -> None:
    schedule = add(stage, recurrenceInterval="PT1H")
    finish(stage, "s:job-1")
    document = {**schedule.document, "schedule": {"recurrenceInterval": "PT2H"}}
    stage.submit(job_events.UpdateSchedule("s", document, creations.timing(document["schedule"])))
    assert schedule.next_run == 1000.0 + 2 * HOUR
    stage.pass_time(1.9 * HOUR)
    assert jobs(stage) == ["S:job-1"]
    stage.pass_time(0.1 * HOUR)
    assert jobs(stage) == ["S:job-1", "S:job-2"]


def test_a_schedule_that_shall_not_recur_any_more_is_complete(stage: Stage) -> None:
    schedule = add(stage, recurrenceInterval="PT1H")
    finish(stage, "s:job-1")
    stage.submit(job_events.UpdateSchedule("s", schedule.document, creations.timing({})))
    stage.pass_time()
    assert schedule.state is JobScheduleState.COMPLETED


def test_a_job_has_a_pool_of_its_own_and_takes_it_along(stage: Stage) -> None:
    job = add_job(stage, auto_pool("job"))
    assert job.pool_id is not None
    assert job.pool_id.startswith("P_")
    pool = stage.world.pool(job.pool_id.lower())
    finish(stage, "job")
    assert pool.state is PoolState.DELETING or pool.id.lower() not in stage.world.account.pools


def test_a_job_that_is_deleted_takes_its_pool_along_unless_it_is_kept(stage: Stage) -> None:
    for keep in (False, True):
        job = add_job(stage, auto_pool("job", keepAlive=keep))
        stage.pass_time()
        stage.submit(events.DeleteJob("job"))
        stage.pass_time()
        assert (str(job.pool_id).lower() in stage.world.account.pools) is keep


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"poolLifetimeOption": "job"}, "InvalidAutoPoolSettings"),
        (
            auto_pool(
                "job",
                pool={
                    "vmSize": "v",
                    "virtualMachineConfiguration": UBUNTU,
                    "enableAutoScale": True,
                    "autoScaleFormula": "$TargetDedicatedNodes =",
                },
            )["autoPoolSpecification"],
            "InvalidAutoScaleFormulaInAutoPool",
        ),
    ],
)
def test_a_job_whose_pool_cannot_be_made_is_completed_and_says_why(
    stage: Stage, asked: dict[str, Any], code: str
) -> None:
    job = add_job(stage, {"autoPoolSpecification": asked})
    stage.pass_time()
    assert job.state is JobState.COMPLETED
    assert job.scheduling_error is not None
    assert job.scheduling_error.code == code
    assert not stage.world.account.pools


def test_the_jobs_of_a_schedule_share_a_pool_or_each_have_one(stage: Stage) -> None:
    for lifetime, count in (("jobschedule", 1), ("job", 2)):
        add(stage, auto_pool(lifetime), recurrenceInterval="PT1H")
        first = stage.world.account.jobs["s:job-1"].pool_id
        finish(stage, "s:job-1")
        stage.pass_time(HOUR)
        second = stage.world.account.jobs["s:job-2"].pool_id
        assert len({first, second}) == count
        stage.submit(job_events.DeleteSchedule("s"))
        stage.pass_time()
        assert not stage.world.account.pools
