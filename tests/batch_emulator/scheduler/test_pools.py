"""What happens to pools and their nodes."""

import pytest

from batch_emulator import errors, events
from batch_emulator.lifecycle import AllocationState, NodeState, PoolState, TaskState
from batch_emulator.outcomes import Failure
from tests.batch_emulator.scheduler.world import Stage


def test_a_new_pool_is_resizing_without_nodes_and_becomes_steady_with_all_of_them() -> None:
    stage = Stage(allocation=52.0, creating=10.5, starting=9.0)
    pool = stage.pool(nodes=2, low_priority=1)
    assert (pool.allocation, len(pool.nodes)) == (AllocationState.RESIZING, 0)
    stage.pass_time(52.0)
    assert pool.allocation is AllocationState.STEADY
    assert [node.state for node in pool.nodes.values()] == [NodeState.CREATING] * 3
    assert [node.dedicated for node in pool.nodes.values()] == [True, True, False]
    stage.pass_time(10.5)
    assert stage.node().state is NodeState.STARTING
    stage.pass_time(9.0)
    assert stage.node().state is NodeState.IDLE


def test_a_pool_id_can_be_used_once_and_again_after_deletion() -> None:
    stage = Stage(leaving=5.0)
    stage.pool("Pool")
    with pytest.raises(errors.PoolExists):
        stage.pool("pool")
    stage.submit(events.DeletePool("pool"))
    with pytest.raises(errors.PoolBeingDeleted):
        stage.pool("pool")
    with pytest.raises(errors.PoolBeingDeleted):
        stage.submit(events.ResizePool("pool", 3, None, 900.0))
    stage.pass_time(5.0)
    assert not stage.world.account.pools
    stage.pool("pool")


def test_the_tasks_of_a_deleted_pool_go_back_to_their_queue() -> None:
    stage = Stage()
    pool = stage.pool()
    stage.job()
    task = stage.task("a")
    run = task.run
    assert run is not None
    assert events.Kill(run) in stage.submit(events.DeletePool("pool"))
    assert task.state is TaskState.ACTIVE
    assert pool.state is PoolState.DELETING
    stage.pass_time(1.0)
    assert pool.nodes, "a node whose process is alive has not left"
    stage.end_run(run, exit_code=137)
    assert not stage.world.account.pools


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 0)])
def test_a_resize_reaches_its_target(before: int, after: int) -> None:
    stage = Stage()
    pool = stage.pool(nodes=before)
    stage.submit(events.ResizePool("pool", after, None, 900.0))
    assert pool.allocation is AllocationState.RESIZING
    stage.pass_time()
    assert (pool.allocation, len(pool.nodes)) == (AllocationState.STEADY, after)


def test_a_pool_that_is_being_resized_takes_no_other_resize() -> None:
    stage = Stage(allocation=10.0)
    stage.pool(nodes=1)
    with pytest.raises(errors.PoolBeingResized):
        stage.submit(events.ResizePool("pool", 2, None, 900.0))


def test_shrinking_with_task_completion_waits_for_the_task() -> None:
    stage = Stage()
    pool = stage.pool(nodes=1)
    stage.job()
    task, waiting = stage.task("a"), stage.task("b")
    stage.submit(events.ResizePool("pool", 0, None, 900.0, "taskcompletion"))
    stage.pass_time(10.0)
    assert (len(pool.nodes), task.state) == (1, TaskState.RUNNING)
    stage.end(task)
    assert (len(pool.nodes), task.state, waiting.state) == (0, TaskState.COMPLETED, TaskState.ACTIVE)


def test_shrinking_takes_idle_nodes_first() -> None:
    stage = Stage()
    stage.pool(nodes=3)
    stage.job()
    task = stage.task("a")
    stage.submit(events.ResizePool("pool", 1, None, 900.0))
    stage.pass_time()
    assert task.state is TaskState.RUNNING
    assert stage.node().id == task.node_id


def test_a_resize_that_takes_too_long_ends_with_an_error() -> None:
    stage = Stage(allocation=5000.0)
    pool = stage.pool(nodes=1)
    stage.pass_time(900.0)
    assert pool.allocation is AllocationState.STEADY
    assert [error.code for error in pool.resize_errors] == ["AllocationTimedout"]


def test_a_stopped_resize_keeps_what_it_has() -> None:
    stage = Stage(allocation=10.0)
    pool = stage.pool(nodes=4)
    stage.submit(events.StopResize("pool"))
    assert pool.allocation is AllocationState.STOPPING
    stage.pass_time()
    assert (pool.allocation, pool.target_dedicated) == (AllocationState.STEADY, 0)
    assert [error.code for error in pool.resize_errors] == ["ResizeStopped"]
    stage.pass_time(20.0)
    assert not pool.nodes


def test_a_resize_takes_its_time_to_stop() -> None:
    stage = Stage(allocation=10.0, stopping=5.0, leaving=1.0)
    pool = stage.pool(nodes=2)
    stage.pass_time(10.0)
    stage.submit(events.ResizePool("pool", 1, 0, 900.0))
    stage.submit(events.StopResize("pool"))
    stage.pass_time(4.9)
    assert (len(pool.nodes), pool.allocation) == (1, AllocationState.STOPPING)
    stage.pass_time(0.1)
    assert pool.allocation is AllocationState.STEADY


@pytest.mark.parametrize("nodes", [0, 1])
def test_a_pool_without_nodes_takes_its_time_to_be_deleted(nodes: int) -> None:
    stage = Stage(deleting_pool=5.0)
    stage.pool(nodes=nodes)
    stage.submit(events.DeletePool("pool"))
    stage.pass_time(4.9)
    assert stage.world.pool("pool").state is PoolState.DELETING
    stage.pass_time(0.1)
    with pytest.raises(errors.PoolNotFound):
        stage.world.pool("pool")


def test_removed_nodes_lower_the_target() -> None:
    stage = Stage()
    pool = stage.pool(nodes=3)
    gone = stage.node(1).id
    stage.submit(events.RemoveNodes("pool", (gone,), 900.0))
    stage.pass_time()
    assert gone not in pool.nodes
    assert (pool.target_dedicated, len(pool.nodes)) == (2, 2)
    with pytest.raises(errors.NodeNotFound):
        stage.submit(events.RemoveNodes("pool", ("nobody",), 900.0))


def test_a_node_takes_tasks_only_after_its_start_task_succeeded() -> None:
    stage = Stage()
    stage.pool(start_task={"commandLine": "prepare", "waitForSuccess": True})
    stage.job()
    task, node = stage.task("a"), stage.node()
    assert (node.state, task.state) == (NodeState.WAITING_FOR_START_TASK, TaskState.ACTIVE)
    assert node.start_run is not None
    stage.end_run(node.start_run)
    assert task.state is TaskState.RUNNING


def test_a_node_whose_start_task_fails_for_good_is_given_up() -> None:
    stage = Stage()
    stage.pool(start_task={"commandLine": "prepare", "waitForSuccess": True, "maxTaskRetryCount": 1})
    node = stage.node()
    assert node.start_run is not None
    stage.end_run(node.start_run, exit_code=100)
    assert node.state is NodeState.WAITING_FOR_START_TASK
    assert node.start_run is not None
    stage.end_run(node.start_run, exit_code=100)
    assert node.state is NodeState.START_TASK_FAILED
    assert node.start_task is not None
    assert (node.start_task.retries, node.start_task.exit_code) == (1, 100)


def test_a_start_task_that_nobody_waits_for_does_not_hold_up_tasks() -> None:
    stage = Stage()
    stage.pool(start_task={"commandLine": "prepare", "waitForSuccess": False})
    stage.job()
    assert stage.task("a").state is TaskState.RUNNING
    node = stage.node()
    assert node.start_run is not None
    stage.end_run(node.start_run, exit_code=1, failure=Failure("UserError", "FailureExitCode", "bad"))
    assert node.state is NodeState.RUNNING
