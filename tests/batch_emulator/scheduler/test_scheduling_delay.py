"""The time between a task that could start and its start."""

from batch_emulator.lifecycle import TaskState
from tests.batch_emulator.scheduler.world import Stage


def test_tasks_start_after_the_delay_all_that_are_ready_by_then_together() -> None:
    stage = Stage(scheduling=2.0)
    stage.pool(nodes=2)
    stage.job()
    first = stage.task("a")
    stage.pass_time(1.5)
    second = stage.task("b")
    assert [first.state, second.state] == [TaskState.ACTIVE, TaskState.ACTIVE]
    stage.pass_time(0.5)
    assert [first.state, second.state] == [TaskState.RUNNING, TaskState.RUNNING]


def test_a_slot_is_used_again_after_the_delay() -> None:
    stage = Stage(scheduling=2.0)
    stage.pool()
    stage.job()
    first, second = stage.task("a"), stage.task("b")
    stage.pass_time(2.0)
    stage.end(first)
    assert second.state is TaskState.ACTIVE
    stage.pass_time(2.0)
    assert second.state is TaskState.RUNNING


def test_a_pool_that_is_gone_by_then_takes_no_task() -> None:
    from batch_emulator import events

    stage = Stage(scheduling=2.0)
    stage.pool()
    stage.job()
    task = stage.task("a")
    stage.submit(events.DeletePool("pool"))
    stage.pass_time(5.0)
    assert task.state is TaskState.ACTIVE
    assert not stage.world.placing
