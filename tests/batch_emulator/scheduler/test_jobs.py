"""What happens to jobs."""

import pytest

from batch_emulator import errors, events
from batch_emulator.lifecycle import JobState, TaskState
from tests.batch_emulator.scheduler.world import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.pool(nodes=1)
    return stage


def update(stage: Stage, **changes: object) -> None:
    job = stage.world.account.jobs["job"]
    document = {**job.document, **changes}
    stage.submit(events.UpdateJob("job", document, job.priority, job.pool_id, job.wall_clock))
    stage.pass_time()


def test_a_job_on_a_pool_that_does_not_exist_waits_for_it() -> None:
    stage = Stage()
    stage.job(pool_id="later")
    task = stage.task("a")
    assert task.state is TaskState.ACTIVE
    stage.pool("later")
    assert task.state is TaskState.RUNNING


def test_a_job_id_can_be_used_once_and_again_after_deletion(stage: Stage) -> None:
    stage.job("Job")
    with pytest.raises(errors.JobExists):
        stage.job("job")
    stage.submit(events.DeleteJob("job"))
    with pytest.raises(errors.JobBeingDeleted):
        stage.job("job")
    stage.pass_time()
    stage.job("job")


def test_terminating_a_job_kills_what_runs_and_leaves_the_rest_active(stage: Stage) -> None:
    job = stage.job()
    running, waiting = stage.task("a"), stage.task("b")
    run = running.run
    assert run is not None
    assert stage.submit(events.TerminateJob("job", "enough")) == [events.Kill(run)]
    assert (job.state, running.state, waiting.state) == (
        JobState.TERMINATING,
        TaskState.COMPLETED,
        TaskState.ACTIVE,
    )
    with pytest.raises(errors.JobBeingTerminated):
        stage.task("c")
    stage.end_run(run, exit_code=137)
    assert job.state is JobState.COMPLETED
    assert job.terminate_reason == "enough"
    assert waiting.state is TaskState.ACTIVE
    with pytest.raises(errors.JobCompleted):
        stage.submit(events.TerminateJob("job", "again"))


def test_a_job_told_so_ends_when_its_last_task_does(stage: Stage) -> None:
    job = stage.job()
    task = stage.task("a")
    update(stage, onAllTasksComplete="terminatejob")
    assert job.state is JobState.ACTIVE
    stage.end(task)
    assert job.state is JobState.COMPLETED
    assert job.terminate_reason == "AllTasksComplete"


def test_a_job_without_tasks_counts_as_one_whose_tasks_are_done(stage: Stage) -> None:
    job = stage.job()
    update(stage, onAllTasksComplete="terminatejob")
    assert job.state is JobState.COMPLETED


def test_a_job_ends_when_its_wall_clock_does(stage: Stage) -> None:
    job = stage.job(wall_clock=100.0)
    run = stage.task("a").run
    assert run is not None
    assert stage.pass_time(99.0) == []
    assert stage.pass_time(1.0) == [events.Kill(run)]
    stage.end_run(run, exit_code=137)
    assert job.state is JobState.COMPLETED
    assert job.terminate_reason == "MaxWallClockTimeExpiry"


def test_deleting_a_job_kills_its_tasks_and_then_it_is_gone(stage: Stage) -> None:
    job = stage.job()
    run = stage.task("a").run
    assert run is not None
    assert stage.submit(events.DeleteJob("job")) == [events.Kill(run)]
    assert job.state is JobState.DELETING
    acts = stage.end_run(run, exit_code=137)
    assert events.RemoveJobFiles("pool", "job") in acts
    with pytest.raises(errors.JobNotFound):
        stage.world.job("job")


@pytest.mark.parametrize(
    ("choice", "task_state", "kills"),
    [
        ("requeue", TaskState.ACTIVE, True),
        ("terminate", TaskState.COMPLETED, True),
        ("wait", TaskState.RUNNING, False),
    ],
)
def test_disabling_a_job_does_with_running_tasks_what_was_asked(
    stage: Stage, choice: str, task_state: TaskState, kills: bool
) -> None:
    job = stage.job()
    task = stage.task("a")
    run = task.run
    assert run is not None
    acts = stage.submit(events.DisableJob("job", choice))  # type: ignore[arg-type]
    assert acts == ([events.Kill(run)] if kills else [])
    assert (job.state, task.state) == (JobState.DISABLING, task_state)
    stage.end_run(run, exit_code=137 if kills else 0)
    assert job.state is JobState.DISABLED


def test_an_enabled_job_goes_on_where_it_was_disabled(stage: Stage) -> None:
    job = stage.job()
    stage.submit(events.DisableJob("job", "wait"))
    stage.pass_time()
    task = stage.task("a")
    assert task.state is TaskState.ACTIVE
    stage.submit(events.EnableJob("job"))
    assert job.state is JobState.ENABLING
    stage.pass_time()
    assert (job.state, task.state) == (JobState.ACTIVE, TaskState.RUNNING)


def test_the_pool_of_a_job_changes_only_while_it_is_disabled(stage: Stage) -> None:
    job = stage.job()
    stage.pool("other")
    move = events.UpdateJob("job", job.document, 0, "other", None)
    with pytest.raises(errors.OperationInvalidForCurrentState):
        stage.submit(move)
    stage.submit(events.DisableJob("job", "requeue"))
    stage.pass_time()
    task = stage.task("a")
    stage.submit(move)
    stage.submit(events.EnableJob("job"))
    stage.pass_time()
    assert task.pool_id == "other"


def test_the_tally_is_what_counting_would_give(stage: Stage) -> None:
    job = stage.job()
    tasks = [stage.task(str(number), slots=1) for number in range(4)]
    stage.end(tasks[0])
    stage.end(tasks[1], exit_code=1)
    assert +job.tally.tasks == {"succeeded": 1, "failed": 1, "running": 1, "active": 1}
    stage.submit(events.DeleteTask("job", "0"))
    stage.submit(events.TerminateTask("job", "3"))
    assert +job.tally.tasks == {"failed": 2, "running": 1}
    assert job.tally.unfinished == 1


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ({}, ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]),
        ({"jobDefaultOrder": "none"}, ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]),
        ({"jobDefaultOrder": "CreationTime"}, ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3"]),
    ],
)
@pytest.mark.parametrize("slots", [1, 4, 9])
def test_jobs_of_equal_priority_take_turns_unless_the_oldest_goes_first(
    policy: dict[str, str], served: list[str], slots: int
) -> None:
    stage = Stage()
    pool = stage.pool(nodes=0, slots=slots)
    pool.document = {**pool.document, "taskSchedulingPolicy": {"nodeFillType": "pack", **policy}}
    for job_id in "abc":
        stage.job(job_id)
    tasks = {f"{job_id}{n}": stage.task(f"{job_id}{n}", job_id) for job_id in "abc" for n in (1, 2, 3)}
    stage.submit(events.ResizePool("pool", 1, 0, 900.0))
    stage.pass_time()
    while running := [task for task in tasks.values() if task.state is TaskState.RUNNING]:
        stage.end(running[0])
    started = [act.task for act in stage.pending if isinstance(act, events.RunTask)]
    assert started == served


def test_a_job_of_higher_priority_takes_no_turns() -> None:
    stage = Stage()
    stage.pool(nodes=0)
    stage.job("low")
    stage.job("high", priority=1)
    for job_id in ("low", "high"):
        for number in (1, 2):
            stage.task(f"{job_id}{number}", job_id)
    stage.submit(events.ResizePool("pool", 1, 0, 900.0))
    stage.pass_time()
    for name in ("high1", "high2"):
        task = stage.world.account.jobs["high"].tasks[name]
        assert task.state is TaskState.RUNNING
        stage.end(task)
    assert stage.world.account.jobs["low"].tasks["low1"].state is TaskState.RUNNING
