"""What happens to nodes after they came up."""

import pytest

from batch_emulator import errors, events, node_events
from batch_emulator.lifecycle import NodeEvent, NodeState, TaskState
from batch_emulator.node_events import RestartKind
from batch_emulator.resources import Disposal, Node, NodeUser
from tests.batch_emulator.scheduler.world import Stage, running

RESTARTS: dict[RestartKind, NodeState] = {
    NodeEvent.REBOOT: NodeState.REBOOTING,
    NodeEvent.REIMAGE: NodeState.REIMAGING,
    NodeEvent.DEALLOCATE: NodeState.DEALLOCATING,
}


def restart(node: Node, how: RestartKind, disposal: Disposal = "requeue") -> node_events.RestartNode:
    return node_events.RestartNode("pool", node.id, how, disposal)


@pytest.mark.parametrize(("how", "state"), RESTARTS.items())
def test_an_idle_node_restarts_at_once(how: RestartKind, state: NodeState) -> None:
    stage = Stage(restarting=20.0)
    stage.pool()
    node = stage.node()
    acts = stage.submit(restart(node, how))
    assert node.state is state
    assert (events.RemoveNode("pool", node.id) in acts) is (how is not NodeEvent.REBOOT)
    stage.pass_time(20.0)
    assert node.state is (NodeState.DEALLOCATED if how is NodeEvent.DEALLOCATE else NodeState.IDLE)


@pytest.mark.parametrize(("how", "state"), RESTARTS.items())
def test_a_running_node_restarts_when_its_processes_are_gone(how: RestartKind, state: NodeState) -> None:
    stage, node, task = running()
    run = task.run
    acts = stage.submit(restart(node, how))
    assert events.Kill(run) in acts
    assert (node.state, task.state, task.requeues) == (state, TaskState.ACTIVE, 1)
    stage.pass_time(100.0)
    assert node.state is state, "a process is still alive"
    stage.end_run(run, exit_code=137)
    if how is NodeEvent.DEALLOCATE:
        assert node.state is NodeState.DEALLOCATED
    else:
        assert (node.state, task.state) == (NodeState.RUNNING, TaskState.RUNNING)


def test_a_requeued_task_of_a_limited_job_goes_on_elsewhere_once_its_process_is_gone() -> None:
    stage = Stage(restarting=20.0)
    stage.pool(nodes=2)
    stage.job(maxParallelTasks=1)
    task = stage.task("a")
    run, node_id = task.run, task.node_id
    assert run is not None
    assert node_id is not None
    stage.submit(node_events.RestartNode("pool", node_id, NodeEvent.REBOOT))
    assert task.state is TaskState.ACTIVE
    stage.end_run(run, exit_code=137)
    assert task.state is TaskState.RUNNING
    assert task.node_id != node_id


def test_terminated_tasks_do_not_come_back() -> None:
    stage, node, task = running()
    run = task.run
    stage.submit(restart(node, NodeEvent.REBOOT, "terminate"))
    stage.end_run(run, exit_code=137)
    assert (node.state, task.state) == (NodeState.IDLE, TaskState.COMPLETED)
    assert task.outcome.failure.code == "TaskEnded"


@pytest.mark.parametrize("disposal", ["taskcompletion", "retaineddata"])
def test_a_node_can_wait_for_its_tasks_before_it_restarts(disposal: Disposal) -> None:
    stage, node, task = running(restarting=20.0)
    waiting = stage.task("b")
    stage.submit(restart(node, NodeEvent.REBOOT, disposal))
    assert (node.state, task.state) == (NodeState.RUNNING, TaskState.RUNNING)
    stage.end(task)
    assert (node.state, task.state, waiting.state) == (
        NodeState.REBOOTING,
        TaskState.COMPLETED,
        TaskState.ACTIVE,
    )
    stage.pass_time(20.0)
    assert waiting.state is TaskState.RUNNING


def test_the_start_task_runs_again_at_each_boot_and_a_changed_one_from_the_next_on() -> None:
    stage = Stage()
    pool = stage.pool(start_task={"commandLine": "one", "maxTaskRetryCount": 1})
    node = stage.node()
    pool.document = {**pool.document, "startTask": {"commandLine": "two"}}
    assert node.start_run is not None
    stage.end_run(node.start_run, exit_code=1)
    assert node.start_run is not None, "the first one may be tried again"
    stage.end_run(node.start_run)
    assert node.start_task is not None
    assert node.start_task.document["commandLine"] == "one"
    stage.submit(restart(node, NodeEvent.REBOOT))
    stage.pass_time()
    assert node.state is NodeState.WAITING_FOR_START_TASK
    assert node.start_task.document["commandLine"] == "two"


def test_a_node_whose_start_task_failed_can_be_rebooted() -> None:
    stage = Stage()
    stage.pool(start_task={"commandLine": "prepare"})
    node = stage.node()
    assert node.start_run is not None
    stage.end_run(node.start_run, exit_code=1)
    assert node.state is NodeState.START_TASK_FAILED
    stage.submit(restart(node, NodeEvent.REBOOT))
    stage.pass_time()
    assert node.start_run is not None
    stage.end_run(node.start_run)
    assert node.state is NodeState.IDLE


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (NodeState.CREATING, errors.NodeBeingCreated),
        (NodeState.STARTING, errors.NodeBeingStarted),
        (NodeState.WAITING_FOR_START_TASK, errors.NodeBeingStarted),
        (NodeState.REBOOTING, errors.NodeBeingRebooted),
        (NodeState.UPGRADING_OS, errors.NodeBeingRebooted),
        (NodeState.REIMAGING, errors.NodeBeingReimaged),
        (NodeState.PREEMPTED, errors.OperationInvalidForCurrentState),
        (NodeState.UNKNOWN, errors.OperationInvalidForCurrentState),
        (NodeState.DEALLOCATING, errors.OperationInvalidForCurrentState),
        (NodeState.DEALLOCATED, errors.OperationInvalidForCurrentState),
        (NodeState.LEAVING_POOL, errors.OperationInvalidForCurrentState),
    ],
)
def test_a_node_that_cannot_reboot_now_says_why(state: NodeState, error: type[Exception]) -> None:
    stage = Stage()
    stage.pool()
    stage.node().state = state
    with pytest.raises(error):
        stage.submit(restart(stage.node(), NodeEvent.REBOOT))


def test_an_unusable_node_takes_no_users() -> None:
    stage = Stage()
    stage.pool()
    node = stage.node()
    stage.submit(node_events.BreakNode("pool", node.id))
    with pytest.raises(errors.NodeStateUnusable):
        stage.submit(node_events.AddNodeUser("pool", node.id, NodeUser("me", False, stage.now + 10.0)))


def test_a_deallocated_node_takes_no_tasks_until_it_is_started() -> None:
    stage = Stage(starting=9.0)
    stage.pool()
    stage.pass_time(9.0)
    node = stage.node()
    with pytest.raises(errors.OperationInvalidForCurrentState):
        stage.submit(node_events.StartNode("pool", node.id))
    stage.submit(restart(node, NodeEvent.DEALLOCATE))
    stage.pass_time()
    stage.job()
    task = stage.task("a")
    assert task.state is TaskState.ACTIVE
    stage.submit(node_events.StartNode("pool", node.id))
    assert node.state is NodeState.STARTING
    stage.pass_time(9.0)
    assert task.state is TaskState.RUNNING


@pytest.mark.parametrize(
    ("disposal", "after"),
    [
        ("requeue", TaskState.ACTIVE),
        ("terminate", TaskState.COMPLETED),
        ("taskcompletion", TaskState.RUNNING),
    ],
)
def test_a_node_that_takes_no_tasks_is_offline_once_it_runs_none(
    disposal: Disposal, after: TaskState
) -> None:
    stage, node, task = running()
    run = task.run
    stage.submit(node_events.DisableScheduling("pool", node.id, disposal))
    assert (node.state, task.state) == (NodeState.RUNNING, after)
    stage.end_run(run)
    assert node.state is NodeState.OFFLINE
    waiting = stage.task("b")
    assert waiting.state is TaskState.ACTIVE
    with pytest.raises(errors.NodeAlreadyInTargetSchedulingState):
        stage.submit(node_events.DisableScheduling("pool", node.id))
    stage.submit(node_events.EnableScheduling("pool", node.id))
    assert node.state is NodeState.RUNNING
    with pytest.raises(errors.NodeAlreadyInTargetSchedulingState):
        stage.submit(node_events.EnableScheduling("pool", node.id))


def test_scheduling_can_be_disabled_before_a_node_is_up() -> None:
    stage = Stage(starting=9.0)
    stage.pool()
    node = stage.node()
    stage.submit(node_events.DisableScheduling("pool", node.id))
    stage.pass_time(9.0)
    assert node.state is NodeState.OFFLINE
    stage.submit(restart(node, NodeEvent.REBOOT))
    stage.pass_time(9.0)
    assert node.state is NodeState.OFFLINE, "the scheduling state outlives a reboot"


def test_users_are_added_replaced_and_deleted_and_expire() -> None:
    stage = Stage()
    stage.pool()
    node = stage.node()
    user = NodeUser("me", True, stage.now + 100.0)
    stage.submit(node_events.AddNodeUser("pool", node.id, user))
    with pytest.raises(errors.NodeUserExists):
        stage.submit(node_events.AddNodeUser("pool", node.id, user))
    stage.submit(node_events.ReplaceNodeUser("pool", node.id, "me", stage.now + 50.0))
    assert node.users["me"] == NodeUser("me", True, stage.now + 50.0)
    stage.pass_time(50.0)
    with pytest.raises(errors.NodeUserNotFound):
        stage.submit(node_events.ReplaceNodeUser("pool", node.id, "me", stage.now + 50.0))
    stage.submit(node_events.AddNodeUser("pool", node.id, NodeUser("me", False, stage.now + 9.0)))
    stage.submit(node_events.DeleteNodeUser("pool", node.id, "me"))
    with pytest.raises(errors.NodeUserNotFound):
        stage.submit(node_events.DeleteNodeUser("pool", node.id, "me"))


@pytest.mark.parametrize("way", ["restart", "break", "contact", "upgrade"])
def test_a_node_in_any_trouble_can_be_removed(way: str) -> None:
    stage, node, task = running(restarting=20.0)
    run = task.run
    happenings = {
        "restart": restart(node, NodeEvent.REBOOT),
        "break": node_events.BreakNode("pool", node.id),
        "contact": node_events.LoseContact("pool", node.id),
        "upgrade": node_events.UpgradeNode("pool", node.id),
    }
    stage.submit(happenings[way])
    stage.submit(events.RemoveNodes("pool", (node.id,), 900.0))
    stage.end_run(run, exit_code=137)
    stage.pass_time(20.0)
    assert not stage.world.account.pools["pool"].nodes


@pytest.mark.parametrize(
    "event",
    [
        node_events.StartNode("pool", "nobody"),
        node_events.EnableScheduling("pool", "nobody"),
        node_events.LoseContact("pool", "nobody"),
        node_events.DeleteNodeUser("pool", "nobody", "me"),
    ],
)
def test_a_node_that_is_not_there_is_refused(event: events.Event) -> None:
    stage = Stage()
    stage.pool()
    with pytest.raises(errors.NodeNotFound):
        stage.submit(event)
