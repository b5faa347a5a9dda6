"""What happens to tasks that run on several nodes at once."""

import pytest

from batch_emulator import events, job_events, node_events
from batch_emulator.lifecycle import NodeEvent, NodeState, TaskState
from batch_emulator.resources import Task
from tests.batch_emulator.scheduler.world import Stage


def add(stage: Stage, instances: int, retries: int = 0, wall_clock: float | None = None) -> Task:
    task = Task(
        id="mpi",
        job_id="job",
        document={"id": "mpi", "commandLine": "true"},
        created=stage.now,
        etag="0x1",
        modified=stage.now,
        sequence=0,
        slots=1,
        max_retries=retries,
        wall_clock=wall_clock,
        retention=None,
        instances=instances,
    )
    stage.submit(events.AddTask("job", task))
    return task


def orders(stage: Stage) -> list[int | str]:
    """Instances coordinated and commands started, in order."""
    named: list[int | str] = []
    for act in stage.pending:
        if isinstance(act, job_events.RunCoordination):
            named.append(act.instance)
        elif isinstance(act, events.RunTask):
            named.append(act.task)
    return named


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.pool(nodes=3)
    stage.job()
    return stage


def states(stage: Stage) -> list[NodeState]:
    return [node.state for node in stage.world.account.pools["pool"].nodes.values()]


def test_the_command_waits_for_the_coordination_of_all_nodes(stage: Stage) -> None:
    task = add(stage, 3)
    assert (task.state, states(stage)) == (TaskState.RUNNING, [NodeState.RUNNING] * 3)
    for subtask in task.subtasks:
        assert orders(stage) == [0, 1, 2]
        stage.end_run(subtask.run)
    assert orders(stage) == [0, 1, 2, "mpi"]
    assert states(stage) == [NodeState.RUNNING] * 3
    stage.end(task)
    assert task.state is TaskState.COMPLETED
    assert states(stage) == [NodeState.IDLE] * 3


def test_a_failed_coordination_fails_the_whole_which_is_tried_again(stage: Stage) -> None:
    task = add(stage, 2, retries=1)
    first, second = task.subtasks
    stage.end_run(second.run, exit_code=3)
    assert events.Kill(first.run) in stage.pending
    assert task.retries == 1
    assert "mpi" not in orders(stage)
    stage.end_run(first.run, exit_code=143)
    for subtask in task.subtasks:
        stage.end_run(subtask.run, exit_code=4)
    assert task.state is TaskState.COMPLETED
    assert task.outcome is not None
    assert task.outcome.exit_code == 4


def test_the_loss_of_one_node_sends_the_whole_back(stage: Stage) -> None:
    task = add(stage, 2)
    lost = task.subtasks[1]
    for subtask in task.subtasks:
        stage.end_run(subtask.run)
    primary = task.run
    assert primary is not None
    stage.submit(node_events.RestartNode("pool", lost.node_id, NodeEvent.REBOOT))
    stage.pass_time()
    assert events.Kill(primary) in stage.pending
    stage.end_run(primary, exit_code=137)
    assert (task.state, task.requeues) == (TaskState.RUNNING, 1)
    assert task.run != primary


def test_others_run_while_a_task_waits_for_more_nodes(stage: Stage) -> None:
    task = add(stage, 4)
    assert (task.state, stage.task("a").state) == (TaskState.ACTIVE, TaskState.RUNNING)


def test_the_time_limit_counts_the_coordination(stage: Stage) -> None:
    task = add(stage, 2, wall_clock=60.0)
    runs = [subtask.run for subtask in task.subtasks]
    assert stage.pass_time(60.0) == [events.Kill(run) for run in runs]
    assert task.state is TaskState.COMPLETED
    assert task.outcome is not None
    assert task.outcome.failure is not None
    assert task.outcome.failure.category == "ServerError"
    for run in runs:
        stage.end_run(run, exit_code=143)
    assert states(stage) == [NodeState.IDLE] * 3


def test_deleting_a_task_removes_what_it_left_on_each_node(stage: Stage) -> None:
    task = add(stage, 2)
    for subtask in task.subtasks:
        stage.end_run(subtask.run)
    stage.end(task)
    acts = stage.submit(events.DeleteTask("job", "mpi"))
    nodes = [act.node for act in acts if isinstance(act, events.RemoveTaskFiles)]
    assert nodes == [subtask.node_id for subtask in task.subtasks]
