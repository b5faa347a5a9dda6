"""What a job does on nodes beside its tasks: preparation, release, its manager."""

from dataclasses import replace
from typing import Any

import pytest

from batch_emulator import errors, events, job_events
from batch_emulator.lifecycle import JobState, NodeState, TaskState
from batch_emulator.outcomes import Failure
from batch_emulator.resources import Job, JobTask, Task
from tests.batch_emulator.scheduler.world import Stage

PREPARE = JobTask("prepare")
RELEASE = JobTask("release", wall_clock=900.0)


def job(stage: Stage, job_id: str = "job", **more: Any) -> Job:
    """A job with a preparation and a release task, unless it is told otherwise."""
    document = more.pop("document", {})
    given = {"preparation_task": PREPARE, "release_task": RELEASE, **more}
    made = Job(
        id=job_id,
        document={"id": job_id, "maxParallelTasks": -1, **document},
        created=stage.now,
        etag="0x1",
        modified=stage.now,
        priority=0,
        pool_id="pool",
        wall_clock=None,
        **given,
    )
    stage.submit(events.AddJob(made))
    return made


def manager(**more: Any) -> Task:
    return Task(
        id="boss",
        job_id="job",
        document={"id": "boss", "commandLine": "true"},
        created=1000.0,
        etag="0x1",
        modified=1000.0,
        sequence=0,
        slots=1,
        max_retries=0,
        wall_clock=None,
        retention=None,
        **more,
    )


def runs(acts: list[events.Instruction], kind: str) -> list[int]:
    return [act.run for act in acts if isinstance(act, job_events.RunJobTask) and act.kind == kind]


def orders(stage: Stage) -> list[str]:
    """All that was ordered to run so far, in order."""
    named: list[str] = []
    for act in stage.pending:
        if isinstance(act, job_events.RunJobTask):
            named.append(act.kind)
        elif isinstance(act, events.RunTask):
            named.append(act.task)
    return named


def preparing(stage: Stage, made: Job) -> int:
    """The run of the preparation on the only node."""
    run = made.preparation[stage.node().id].run
    assert run is not None
    return run


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.pool(nodes=1, slots=2)
    return stage


def test_a_node_is_prepared_once_before_the_first_tasks_of_a_job(stage: Stage) -> None:
    made = job(stage)
    first, second = stage.task("a"), stage.task("b")
    assert (first.state, second.state) == (TaskState.PREPARING, TaskState.PREPARING)
    assert first.started is None
    assert stage.node().slots_taken == 2
    stage.end_run(preparing(stage, made))
    assert (first.state, second.state) == (TaskState.RUNNING, TaskState.RUNNING)
    stage.end(first)
    stage.task("c")
    assert orders(stage) == ["preparation", "a", "b", "c"]


def test_tasks_need_not_wait_for_a_preparation_that_does_not_matter(stage: Stage) -> None:
    made = job(stage, preparation_task=replace(PREPARE, waits_for_success=False))
    assert stage.task("a").state is TaskState.RUNNING
    stage.end_run(preparing(stage, made), exit_code=1)
    assert stage.task("b").state is TaskState.RUNNING


def test_a_failed_preparation_is_tried_again_and_then_the_node_is_out_for_this_job_only(stage: Stage) -> None:
    made = job(stage, preparation_task=replace(PREPARE, max_retries=1))
    task = stage.task("a")
    stage.end_run(preparing(stage, made), exit_code=3)
    assert task.state is TaskState.PREPARING
    stage.end_run(preparing(stage, made), exit_code=3)
    assert (task.state, task.node_id, task.requeues) == (TaskState.ACTIVE, None, 0)
    assert stage.node().state is NodeState.IDLE
    assert made.preparation[stage.node().id].retries == 1
    stage.job("other")
    assert stage.task("b", "other").state is TaskState.RUNNING
    stage.pool("spare")


def test_a_task_goes_to_another_node_when_the_first_cannot_be_prepared() -> None:
    stage = Stage()
    stage.pool(nodes=2)
    made = job(stage)
    task = stage.task("a")
    first = task.node_id
    assert first is not None
    run = made.preparation[first].run
    assert run is not None
    stage.end_run(run, exit_code=None, failure=Failure("UserError", "BlobNotFound", "gone"))
    assert task.node_id not in (None, first)
    assert task.state is TaskState.PREPARING


def test_a_preparation_that_takes_too_long_has_failed(stage: Stage) -> None:
    made = job(stage, preparation_task=replace(PREPARE, wall_clock=60.0, max_retries=5))
    task = stage.task("a")
    run = preparing(stage, made)
    assert stage.pass_time(60.0) == [events.Kill(run)]
    stage.end_run(run, exit_code=143)
    assert task.state is TaskState.ACTIVE
    outcome = made.preparation[stage.node().id].outcome
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.code == "TaskEnded"


@pytest.mark.parametrize("end", ["terminate", "delete", "disable"])
def test_a_task_that_waits_for_its_node_can_be_taken_away(stage: Stage, end: str) -> None:
    made = job(stage)
    stage.task("a")
    if end == "terminate":
        stage.submit(events.TerminateTask("job", "a"))
    elif end == "delete":
        stage.submit(events.DeleteTask("job", "a"))
    else:
        stage.submit(events.DisableJob("job", "requeue"))
    stage.pass_time()
    assert stage.node().slots_taken == 0
    assert not made.runs
    stage.end_run(preparing(stage, made))
    assert "a" not in orders(stage)
    assert stage.node().state is NodeState.IDLE


def test_the_release_task_runs_where_tasks_ran_before_the_job_is_completed(stage: Stage) -> None:
    made = job(stage)
    task = stage.task("a")
    stage.end_run(preparing(stage, made))
    stage.end(task)
    acts = stage.submit(events.TerminateJob("job", "enough"))
    [run] = runs(acts, "release")
    stage.pass_time(10.0)
    assert made.state is JobState.TERMINATING
    assert stage.node().slots_taken == 0
    assert stage.node().state is NodeState.IDLE
    stage.end_run(run, exit_code=9)
    assert made.state is JobState.COMPLETED
    stage.submit(events.DeleteJob("job"))
    stage.pass_time()
    assert orders(stage).count("release") == 1
    assert "job" not in stage.world.account.jobs


def test_a_release_task_waits_for_the_running_tasks_and_is_ended_when_it_takes_too_long(stage: Stage) -> None:
    made = job(stage)
    task = stage.task("a")
    stage.end_run(preparing(stage, made))
    run = task.run
    assert run is not None
    acts = stage.submit(events.DeleteJob("job"))
    assert acts == [events.Kill(run)]
    stage.end_run(run, exit_code=137)
    release = made.release[stage.node().id].run
    assert release is not None
    assert stage.pass_time(900.0) == [events.Kill(release)]
    stage.end_run(release, exit_code=137)
    assert "job" not in stage.world.account.jobs


def test_nothing_is_released_where_no_task_ran(stage: Stage) -> None:
    made = job(stage)
    stage.task("a")
    acts = stage.submit(events.TerminateJob("job", "enough"))
    run = preparing(stage, made)
    assert events.Kill(run) in acts
    stage.end_run(run, exit_code=143)
    assert made.state is JobState.COMPLETED
    assert "release" not in orders(stage)


def test_a_node_that_leaves_keeps_no_job_from_ending(stage: Stage) -> None:
    made = job(stage)
    task = stage.task("a")
    stage.end_run(preparing(stage, made))
    stage.end(task)
    [run] = runs(stage.submit(events.TerminateJob("job", "enough")), "release")
    stage.submit(events.ResizePool("pool", 0, None, 900.0))
    stage.end_run(run, exit_code=143)
    assert made.state is JobState.COMPLETED
    stage.pass_time()
    assert not stage.world.account.pools["pool"].nodes


@pytest.mark.parametrize(
    ("reruns", "imaged", "again"), [(True, False, 2), (False, False, 1), (False, True, 2)]
)
def test_a_node_that_comes_back_is_prepared_again_if_it_has_to_be(
    stage: Stage, reruns: bool, imaged: bool, again: int
) -> None:
    made = job(stage, preparation_task=replace(PREPARE, reruns_after_reboot=reruns))
    task = stage.task("a")
    stage.end_run(preparing(stage, made))
    stage.end(task)
    stage.pass_time(5.0)
    node = stage.node()
    node.booted = stage.now
    node.imaged = stage.now if imaged else node.imaged
    stage.task("b")
    assert orders(stage).count("preparation") == again


def test_the_manager_runs_alone_on_its_node_and_before_the_other_tasks(stage: Stage) -> None:
    boss = manager(exclusive=True)
    made = job(stage, manager=boss, preparation_task=None, release_task=None, ends_with_manager=True)
    other = stage.task("a")
    assert (boss.state, other.state) == (TaskState.RUNNING, TaskState.ACTIVE)
    assert stage.node().slots_taken == 2
    stage.end(boss)
    assert (made.state, made.terminate_reason) == (JobState.COMPLETED, "JMComplete")
    assert other.state is TaskState.ACTIVE


def test_a_manager_that_shares_its_node_and_does_not_end_the_job(stage: Stage) -> None:
    made = job(stage, manager=manager(), preparation_task=None, release_task=None)
    other = stage.task("a")
    assert other.state is TaskState.RUNNING
    stage.end(made.tasks["boss"], exit_code=1)
    assert (made.state, other.state) == (JobState.ACTIVE, TaskState.RUNNING)


def test_a_manager_can_ask_for_a_dedicated_node() -> None:
    stage = Stage()
    stage.pool(nodes=0, low_priority=2)
    made = job(stage, manager=manager(dedicated_only=True), preparation_task=None, release_task=None)
    assert made.tasks["boss"].state is TaskState.ACTIVE
    stage.submit(events.ResizePool("pool", 1, None, 900.0))
    stage.pass_time()
    assert made.tasks["boss"].state is TaskState.RUNNING


def test_a_task_is_given_up_180_days_after_it_was_added(stage: Stage) -> None:
    made = stage.job()
    running, waiting = stage.task("a", slots=2), stage.task("b")
    run = running.run
    assert run is not None
    stage.pass_time(100 * 86400.0)
    young = stage.task("c")
    assert stage.pass_time(80 * 86400.0) == [events.Kill(run)]
    stage.end_run(run, exit_code=137)
    assert (running.state, waiting.state, young.state) == (
        TaskState.RUNNING,
        TaskState.ACTIVE,
        TaskState.RUNNING,
    )
    stage.end(young)
    stage.submit(events.DisableJob("job", "requeue"))
    stage.pass_time()
    stage.submit(events.EnableJob("job"))
    stage.pass_time()
    assert made.state is JobState.ACTIVE
    assert waiting.state is TaskState.ACTIVE
    assert orders(stage) == ["a", "c"]


def test_a_new_time_limit_counts_from_the_start_and_an_old_one_no_more(stage: Stage) -> None:
    stage.job()
    task = stage.task("a", wall_clock=30.0)
    stage.submit(job_events.UpdateTask("job", "a", task.document, 0, 100.0, None))
    assert stage.pass_time(50.0) == []
    stage.submit(job_events.UpdateTask("job", "a", task.document, 0, 40.0, None))
    assert stage.pass_time() == [events.Kill(task.run or 0)]


def test_the_tasks_of_a_job_that_is_deleted_do_not_change(stage: Stage) -> None:
    stage.job()
    task = stage.task("a")
    stage.submit(events.DeleteJob("job"))
    with pytest.raises(errors.JobBeingDeleted):
        stage.submit(job_events.UpdateTask("job", "a", task.document, 0, None, None))
