"""What happens to nodes that are preempted, break, lose contact or are upgraded."""

import pytest

from batch_emulator import errors, events, node_events
from batch_emulator.lifecycle import NodeState, TaskState
from batch_emulator.outcomes import Failure
from tests.batch_emulator.scheduler.world import Stage, running, spot

DISK_FULL = Failure("UserError", "DiskFull", "There is not enough disk space on the node.")


def test_a_preempted_node_stays_listed_loses_its_files_and_comes_back_anew() -> None:
    stage, node = spot(start_task={"commandLine": "prepare", "waitForSuccess": False})
    stage.job()
    task = stage.task("a")
    run = task.run
    assert run is not None
    acts = stage.submit(node_events.PreemptNode("pool", node.id, restore_after=60.0))
    assert events.RemoveNode("pool", node.id) in acts
    assert events.Kill(run) in acts
    assert (node.state, task.state, task.requeues) == (NodeState.PREEMPTED, TaskState.ACTIVE, 0)
    assert node.start_task is None
    stage.end_run(run, exit_code=137)
    assert node.state is NodeState.PREEMPTED
    stage.pass_time(60.0)
    assert (node.state, task.state) == (NodeState.RUNNING, TaskState.RUNNING)
    assert node.start_task is not None
    assert stage.world.account.pools["pool"].nodes == {node.id: node}


def test_a_dedicated_node_is_not_preempted() -> None:
    stage = Stage()
    stage.pool()
    with pytest.raises(errors.OperationNotValidOnNode):
        stage.submit(node_events.PreemptNode("pool", stage.node().id))


def test_after_two_days_a_preempted_node_is_not_given_back() -> None:
    stage, node = spot()
    stage.submit(node_events.PreemptNode("pool", node.id, restore_after=49 * 3600.0))
    stage.pass_time(50 * 3600.0)
    assert node.state is NodeState.PREEMPTED


def test_a_preempted_node_that_was_removed_does_not_come_back() -> None:
    stage, node = spot()
    stage.submit(node_events.PreemptNode("pool", node.id, restore_after=60.0))
    stage.submit(events.ResizePool("pool", None, 0, 900.0))
    stage.pass_time(60.0)
    assert not stage.world.account.pools["pool"].nodes
    with pytest.raises(errors.NodeNotFound):
        stage.submit(node_events.RestoreNode("pool", node.id))


def test_a_broken_node_tells_its_error_and_its_tasks_run_elsewhere() -> None:
    stage, node, task = running()
    run = task.run
    stage.submit(node_events.BreakNode("pool", node.id, DISK_FULL))
    assert (node.state, node.errors, task.state) == (NodeState.UNUSABLE, [DISK_FULL], TaskState.ACTIVE)
    stage.end_run(run, exit_code=137)
    assert task.state is TaskState.ACTIVE
    stage.submit(node_events.RestoreNode("pool", node.id))
    stage.pass_time()
    assert (node.state, node.errors, task.state) == (NodeState.RUNNING, [], TaskState.RUNNING)


def test_a_node_is_not_back_before_its_old_processes_are_gone() -> None:
    stage, node, task = running(starting=9.0)
    run = task.run
    stage.submit(node_events.BreakNode("pool", node.id, DISK_FULL))
    stage.submit(node_events.RestoreNode("pool", node.id))
    stage.pass_time(100.0)
    assert node.state is NodeState.STARTING
    stage.end_run(run, exit_code=137)
    assert (node.state, task.state) == (NodeState.RUNNING, TaskState.RUNNING)


def test_a_node_takes_its_time_to_start_though_its_old_processes_go_early() -> None:
    stage, node, task = running(starting=9.0)
    run = task.run
    stage.submit(node_events.BreakNode("pool", node.id, DISK_FULL))
    stage.submit(node_events.RestoreNode("pool", node.id))
    stage.end_run(run, exit_code=137)
    stage.pass_time(8.0)
    assert node.state is NodeState.STARTING
    stage.pass_time(1.0)
    assert node.state is NodeState.RUNNING


def test_the_tasks_of_a_node_out_of_contact_go_on_unseen() -> None:
    stage, node, task = running()
    stage.submit(node_events.LoseContact("pool", node.id))
    assert (node.state, task.state) == (NodeState.UNKNOWN, TaskState.RUNNING)
    waiting = stage.task("b")
    stage.submit(node_events.RegainContact("pool", node.id))
    assert (node.state, waiting.state) == (NodeState.RUNNING, TaskState.ACTIVE)
    stage.submit(node_events.LoseContact("pool", node.id))
    stage.end(task)
    assert (node.state, task.state, waiting.state) == (
        NodeState.UNKNOWN,
        TaskState.COMPLETED,
        TaskState.ACTIVE,
    )
    stage.submit(node_events.RegainContact("pool", node.id))
    assert waiting.state is TaskState.RUNNING


def test_an_upgraded_node_starts_anew() -> None:
    stage, node, task = running(restarting=20.0)
    run = task.run
    stage.submit(node_events.UpgradeNode("pool", node.id))
    assert (node.state, task.requeues) == (NodeState.UPGRADING_OS, 0)
    stage.end_run(run, exit_code=137)
    stage.pass_time(20.0)
    assert (node.state, task.state) == (NodeState.RUNNING, TaskState.RUNNING)
