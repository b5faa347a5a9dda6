"""Which tasks wait for which, by id and by ranges of numbers."""

from typing import Any

import pytest

from batch_emulator import events
from batch_emulator.lifecycle import TaskState
from batch_emulator.resources import Task
from tests.batch_emulator.scheduler.test_tasks import started
from tests.batch_emulator.scheduler.world import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.pool(nodes=6)
    stage.job(usesTaskDependencies=True)
    return stage


def child_of(stage: Stage, *ids: str, **ranges: tuple[int, int]) -> Task:
    """A task that waits for these ids and ranges."""
    spans = [{"start": start, "end": end} for start, end in ranges.values()]
    return stage.task("child", document={"dependsOn": {"taskIds": list(ids), "taskIdRanges": spans}})


def test_a_task_runs_when_all_it_depends_on_has_succeeded() -> None:
    stage = Stage()
    stage.pool(nodes=4)
    stage.job(usesTaskDependencies=True)
    child = stage.task(
        "child", document={"dependsOn": {"taskIds": ["A"], "taskIdRanges": [{"start": 7, "end": 8}]}}
    )
    parents = [stage.task(name) for name in ("a", "007", "8")]
    stage.end(parents[0])
    stage.end(parents[1])
    assert child.state is TaskState.ACTIVE
    stage.end(parents[2])
    assert child.state is TaskState.RUNNING


def test_a_task_stays_active_when_one_it_depends_on_failed_until_that_succeeds() -> None:
    stage = Stage()
    stage.pool(nodes=2)
    stage.job(usesTaskDependencies=True)
    parent = stage.task("a")
    child = stage.task("child", document={"dependsOn": {"taskIds": ["a"]}})
    stage.end(parent, exit_code=1)
    assert child.state is TaskState.ACTIVE
    stage.submit(events.ReactivateTask("job", "a"))
    stage.end(parent)
    assert child.state is TaskState.RUNNING


def test_exit_conditions_can_satisfy_a_dependency_in_spite_of_a_failure() -> None:
    stage = Stage()
    stage.pool(nodes=2)
    stage.job(usesTaskDependencies=True)
    conditions = {"exitCodeRanges": [{"start": 2, "end": 4, "exitOptions": {"dependencyAction": "satisfy"}}]}
    parent = stage.task("a", document={"exitConditions": conditions})
    child = stage.task("child", document={"dependsOn": {"taskIds": ["a"]}})
    stage.end(parent, exit_code=3)
    assert child.state is TaskState.RUNNING


def test_a_deleted_task_that_waited_for_others_does_not_come_back() -> None:
    stage = Stage()
    stage.pool(nodes=2)
    stage.job(usesTaskDependencies=True)
    parent = stage.task("a")
    stage.task("child", document={"dependsOn": {"taskIds": ["a"]}})
    stage.submit(events.DeleteTask("job", "child"))
    assert started(stage.end(parent)) == []


def test_a_task_waits_for_one_that_is_deleted_and_added_again() -> None:
    stage = Stage()
    stage.pool(nodes=2)
    stage.job(usesTaskDependencies=True)
    child = stage.task("child", document={"dependsOn": {"taskIds": ["a"], "taskIdRanges": []}})
    stage.end(stage.task("a"), exit_code=1)
    stage.submit(events.DeleteTask("job", "a"))
    assert child.state is TaskState.ACTIVE
    stage.end(stage.task("a"))
    assert child.state is TaskState.RUNNING


def test_a_task_that_was_ended_while_it_waited_waits_again_when_it_is_reactivated() -> None:
    stage = Stage()
    stage.pool(nodes=2)
    stage.job(usesTaskDependencies=True)
    parent = stage.task("a")
    child = stage.task("child", document={"dependsOn": {"taskIds": ["a"]}})
    stage.submit(events.TerminateTask("job", "child"))
    stage.submit(events.ReactivateTask("job", "child"))
    assert child.state is TaskState.ACTIVE
    stage.end(parent)
    assert child.state is TaskState.RUNNING


@pytest.mark.parametrize("parent_id", ["2", "02", "002"])
@pytest.mark.parametrize("parent_first", [True, False])
def test_leading_zeros_do_not_count_in_a_range(stage: Stage, parent_id: str, parent_first: bool) -> None:
    if parent_first:
        stage.end(stage.task(parent_id))
    child = child_of(stage, span=(2, 2))
    if not parent_first:
        assert child.state is TaskState.ACTIVE
        stage.end(stage.task(parent_id))
    assert child.state is TaskState.RUNNING


@pytest.mark.parametrize("parent_first", [True, False])
def test_leading_zeros_count_in_an_id(stage: Stage, parent_first: bool) -> None:
    if parent_first:
        stage.end(stage.task("07"))
    child = child_of(stage, "7")
    if not parent_first:
        stage.end(stage.task("07"))
    assert child.state is TaskState.ACTIVE
    stage.end(stage.task("7"))
    assert child.state is TaskState.RUNNING


@pytest.mark.parametrize("first_ends_before", [True, False])
def test_all_tasks_of_a_number_are_waited_for(stage: Stage, first_ends_before: bool) -> None:
    parents = [stage.task("007"), stage.task("7")]
    if first_ends_before:
        stage.end(parents[0])
    child = child_of(stage, span=(7, 7))
    if not first_ends_before:
        stage.end(parents[0])
    assert child.state is TaskState.ACTIVE
    stage.end(parents[1])
    assert child.state is TaskState.RUNNING


def test_nobody_waits_for_a_number_whose_other_task_is_deleted(stage: Stage) -> None:
    stage.end(stage.task("7"))
    stage.task("007")
    child = child_of(stage, span=(7, 7))
    assert child.state is TaskState.ACTIVE
    stage.submit(events.DeleteTask("job", "007"))
    assert child.state is TaskState.RUNNING


def test_a_number_that_is_added_again_or_reactivated_is_waited_for_again(stage: Stage) -> None:
    satisfied: dict[str, Any] = {"exitConditions": {"default": {"dependencyAction": "satisfy"}}}
    parents = [stage.task("1", document=satisfied), stage.task("2")]
    stage.end(parents[0], exit_code=1)
    stage.submit(events.ReactivateTask("job", "1"))
    stage.end(parents[1])
    stage.submit(events.DeleteTask("job", "2"))
    again = stage.task("2")
    child = child_of(stage, span=(1, 2))
    stage.end(parents[0], exit_code=1)
    assert child.state is TaskState.ACTIVE
    stage.end(again)
    assert child.state is TaskState.RUNNING


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_a_range_is_met_when_its_last_number_is_in_any_order(stage: Stage, order: tuple[int, ...]) -> None:
    parents = {number: stage.task(str(number)) for number in order}
    child = child_of(stage, one=(1, 3), other=(2, 4))
    for number in order:
        assert child.state is TaskState.ACTIVE
        stage.end(parents[number])
    assert child.state is TaskState.RUNNING


def test_a_range_of_all_numbers_is_as_quick_as_a_short_one(stage: Stage) -> None:
    child = child_of(stage, span=(0, 2**31 - 1))
    assert child.state is TaskState.ACTIVE
    stage.end(stage.task("0"))
    assert child.state is TaskState.ACTIVE
    (waiting,) = stage.world.waiting.values()
    assert [list(ends) for ends in waiting.watched.values()] == [[2**31 - 1]]
