"""What happens to tasks."""

import pytest

from batch_emulator import errors, events
from batch_emulator.lifecycle import JobState, NodeState, TaskState
from batch_emulator.outcomes import Failure
from tests.batch_emulator.scheduler.world import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.pool(nodes=1)
    stage.job()
    return stage


def started(acts: list[events.Instruction]) -> list[str]:
    return [act.task for act in acts if isinstance(act, events.RunTask)]


def test_a_task_waits_until_a_slot_is_free(stage: Stage) -> None:
    first, second = stage.task("a"), stage.task("b")
    assert (first.state, second.state) == (TaskState.RUNNING, TaskState.ACTIVE)
    assert stage.node().state is NodeState.RUNNING
    assert started(stage.end(first)) == ["b"]
    assert first.state is TaskState.COMPLETED
    stage.end(second)
    assert stage.node().state is NodeState.IDLE
    assert stage.node().tasks_run == 2


def test_a_non_zero_exit_is_tried_again_as_often_as_allowed(stage: Stage) -> None:
    task = stage.task("a", retries=2)
    for attempt in range(1, 3):
        assert started(stage.end(task, exit_code=3)) == ["a"]
        assert task.retries == attempt
    stage.end(task, exit_code=3)
    assert task.state is TaskState.COMPLETED
    assert task.outcome is not None
    assert task.outcome.exit_code == 3
    assert task.retries == 2


def test_a_task_without_a_limit_is_tried_again_for_ever(stage: Stage) -> None:
    task = stage.task("a", retries=-1)
    for _ in range(50):
        assert started(stage.end(task, exit_code=1)) == ["a"]


def test_a_failed_download_is_not_tried_again(stage: Stage) -> None:
    task = stage.task("a", retries=3)
    assert task.run is not None
    stage.end_run(task.run, exit_code=None, failure=Failure("UserError", "BlobNotFound", "gone"))
    assert task.state is TaskState.COMPLETED
    assert task.retries == 0


def test_a_failed_upload_fails_the_task_and_keeps_its_exit_code(stage: Stage) -> None:
    task = stage.task("a", retries=3)
    stage.end(task, exit_code=0, failure=Failure("UserError", "FileUploadAccessDenied", "denied"))
    assert task.state is TaskState.COMPLETED
    assert task.outcome is not None
    assert task.outcome.exit_code == 0
    assert task.outcome.failure is not None


def test_a_task_past_its_wall_clock_is_killed_and_not_tried_again(stage: Stage) -> None:
    task = stage.task("a", wall_clock=30.0, retries=5)
    run = task.run
    assert run is not None
    assert stage.pass_time(29.0) == []
    assert stage.pass_time(1.0) == [events.Kill(run)]
    assert task.state is TaskState.RUNNING
    stage.end(task, exit_code=137)
    assert task.state is TaskState.COMPLETED
    assert task.outcome is not None
    assert task.outcome.failure is not None
    assert task.outcome.failure.code == "TaskEnded"


def test_the_wall_clock_of_an_earlier_attempt_does_not_end_a_later_one(stage: Stage) -> None:
    task = stage.task("a", wall_clock=30.0, retries=1)
    stage.pass_time(20.0)
    stage.end(task, exit_code=1)
    assert stage.pass_time(15.0) == []
    assert task.state is TaskState.RUNNING


def test_terminating_a_running_task_completes_it_at_once_but_its_slot_only_when_it_is_dead(
    stage: Stage,
) -> None:
    task, waiting = stage.task("a"), stage.task("b")
    run = task.run
    assert run is not None
    assert stage.submit(events.TerminateTask("job", "a")) == [events.Kill(run)]
    assert task.state is TaskState.COMPLETED
    assert waiting.state is TaskState.ACTIVE
    assert started(stage.end_run(run, exit_code=137)) == ["b"]
    assert task.outcome is not None
    assert task.outcome.exit_code is None


def test_an_active_task_can_be_terminated(stage: Stage) -> None:
    stage.task("a")
    waiting = stage.task("b")
    stage.submit(events.TerminateTask("job", "b"))
    assert waiting.state is TaskState.COMPLETED
    with pytest.raises(errors.TaskCompleted):
        stage.submit(events.TerminateTask("job", "b"))


def test_a_deleted_task_is_killed_and_its_files_go(stage: Stage) -> None:
    task = stage.task("A")
    run = task.run
    assert run is not None
    acts = stage.submit(events.DeleteTask("job", "a"))
    assert acts == [events.Kill(run), events.RemoveTaskFiles("pool", stage.node().id, "job", "A")]
    with pytest.raises(errors.TaskNotFound):
        stage.world.task("job", "a")
    again = stage.task("a")
    assert again.state is TaskState.ACTIVE
    assert started(stage.end_run(run, exit_code=137)) == ["a"]


def test_only_a_failed_task_can_be_reactivated(stage: Stage) -> None:
    task = stage.task("a", retries=1)
    with pytest.raises(errors.TaskNotCompleted):
        stage.submit(events.ReactivateTask("job", "a"))
    stage.end(task, exit_code=1)
    stage.end(task, exit_code=1)
    assert started(stage.submit(events.ReactivateTask("job", "a"))) == ["a"]
    assert task.retries == 0
    stage.end(task)
    with pytest.raises(errors.TaskSucceeded):
        stage.submit(events.ReactivateTask("job", "a"))


def test_the_same_id_in_other_case_is_the_same_task(stage: Stage) -> None:
    stage.task("Task")
    with pytest.raises(errors.TaskExists):
        stage.task("tASK")


def test_files_go_when_the_retention_time_is_over(stage: Stage) -> None:
    task = stage.task("a", retention=60.0)
    stage.end(task)
    node = stage.node().id
    assert stage.pass_time(59.0) == []
    assert stage.pass_time(1.0) == [events.RemoveTaskFiles("pool", node, "job", "a")]
    assert task.files_removed


def test_a_task_that_needs_more_slots_waits_while_smaller_ones_run() -> None:
    stage = Stage()
    stage.pool(nodes=1, slots=2)
    stage.job()
    small = stage.task("small")
    big = stage.task("big", slots=2)
    other = stage.task("other")
    assert (small.state, big.state, other.state) == (TaskState.RUNNING, TaskState.ACTIVE, TaskState.RUNNING)
    stage.end(small)
    assert big.state is TaskState.ACTIVE
    stage.end(other)
    assert big.state is TaskState.RUNNING


def test_jobs_of_higher_priority_are_served_first(stage: Stage) -> None:
    stage.job("urgent", priority=500)
    first = stage.task("a")
    stage.task("b")
    stage.task("c", "urgent")
    assert started(stage.end(first)) == ["c"]


def test_a_job_runs_no_more_tasks_at_once_than_it_may() -> None:
    stage = Stage()
    stage.pool(nodes=4)
    job = stage.job(maxParallelTasks=2)
    tasks = [stage.task(str(number)) for number in range(4)]
    assert [task.state for task in tasks].count(TaskState.RUNNING) == 2
    stage.end(tasks[0])
    assert len(job.runs) == 2


@pytest.mark.parametrize(("fill", "used"), [("spread", 2), ("pack", 1)])
def test_tasks_are_spread_over_nodes_or_packed_onto_few(fill: str, used: int) -> None:
    stage = Stage()
    stage.pool(nodes=2, slots=2, fill=fill)
    stage.job()
    nodes = {stage.task(name).node_id for name in "ab"}
    assert len(nodes) == used


def test_a_task_goes_to_the_node_it_prefers_when_that_has_room() -> None:
    stage = Stage()
    stage.pool(nodes=3, fill="pack")
    stage.job()
    wanted = stage.node(2).id
    task = stage.task("a", document={"affinityInfo": {"affinityId": f"TVM:{wanted}"}})
    assert task.node_id == wanted
    assert stage.task("b", document={"affinityInfo": {"affinityId": f"TVM:{wanted}"}}).node_id != wanted


@pytest.mark.parametrize(
    ("action", "state", "reason"),
    [
        ("terminate", JobState.COMPLETED, "TaskFailed"),
        ("disable", JobState.DISABLED, None),
        ("none", JobState.ACTIVE, None),
    ],
)
def test_the_failure_of_a_task_can_end_or_disable_its_job(
    action: str, state: JobState, reason: str | None
) -> None:
    stage = Stage()
    stage.pool(nodes=1)
    job = stage.job(onTaskFailure="performexitoptionsjobaction")
    conditions = {"exitCodes": [{"code": 5, "exitOptions": {"jobAction": action}}]}
    task = stage.task("a", document={"exitConditions": conditions})
    stage.end(task, exit_code=5)
    assert job.state is state
    assert job.terminate_reason == reason
