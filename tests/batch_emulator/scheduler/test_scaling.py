"""What a formula does to its pool."""

import pytest

from batch_emulator import errors, events
from batch_emulator.lifecycle import AllocationState, TaskState
from batch_emulator.resources import AutoScale, Pool
from tests.batch_emulator.scheduler.world import Stage

WANTED = """
startup = time("1970-01-01T00:30:00Z");
deadline = time("1970-01-01T03:00:00Z");
sampled = $PendingTasks.GetSamplePercent(10 * TimeInterval_Minute);
pending = sampled < 70 ? 2 : max($PendingTasks.GetSample(10 * TimeInterval_Minute));
alive = time() < startup ? 2 : (pending > 0 ? 2 : 0);
$TargetDedicatedNodes = time() < deadline ? alive : 0;
$TargetLowPriorityNodes = 0;
$NodeDeallocationOption = taskcompletion;
"""
"""Starts at 1000 s in these tests: half an hour to begin with, three hours at most."""


def scaled(stage: Stage, formula: str, interval: float = 300.0) -> Pool:
    return stage.pool(nodes=0, auto_scale=AutoScale(formula, interval))


def test_a_formula_gives_a_new_pool_its_size_at_once() -> None:
    stage = Stage()
    pool = scaled(stage, WANTED)
    assert (len(pool.nodes), pool.target_dedicated) == (2, 2)
    assert pool.auto_scale is not None
    assert pool.auto_scale.results.startswith("$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;")


def test_a_pool_falls_to_zero_when_nothing_is_pending_any_more() -> None:
    stage = Stage()
    pool = scaled(stage, WANTED)
    stage.job()
    task = stage.task("a")
    stage.pass_time(3600.0)
    assert len(pool.nodes) == 2, "a task still runs"
    stage.end(task)
    stage.pass_time(600.0 + 300.0)
    assert not pool.nodes


def test_a_pool_falls_to_zero_at_its_deadline_with_nobodys_help() -> None:
    stage = Stage()
    pool = scaled(stage, WANTED)
    stage.job()
    running, waiting = stage.task("a"), stage.task("b")
    stage.task("c")
    stage.pass_time(3 * 3600.0 - 1000.0 + 300.0)
    assert pool.target_dedicated == 0
    assert pool.allocation is AllocationState.RESIZING, "with taskcompletion the nodes wait for their tasks"
    stage.end(running)
    stage.end(waiting)
    assert not pool.nodes
    assert pool.allocation is AllocationState.STEADY


def test_a_formula_that_cannot_be_evaluated_leaves_the_pool_as_it_is_and_says_so() -> None:
    stage = Stage()
    pool = scaled(stage, "$TargetDedicatedNodes = 1;")
    formula = "$TargetDedicatedNodes = max($PendingTasks.GetSample(1 * TimeInterval_Hour, 99));"
    stage.pass_time(60.0)
    stage.submit(events.EnableAutoScale("pool", AutoScale(formula, 300.0)))
    assert pool.target_dedicated == 1
    assert pool.auto_scale is not None
    assert pool.auto_scale.error is not None
    assert pool.auto_scale.error[0] == "InsufficientSampleData"


def test_a_text_that_is_no_formula_creates_no_pool() -> None:
    stage = Stage()
    with pytest.raises(errors.AutoScalingFormulaSyntaxError):
        scaled(stage, "$TargetDedicatedNodes = ")
    assert not stage.world.account.pools


def test_a_pool_with_a_formula_is_not_resized_by_hand() -> None:
    stage = Stage()
    pool = scaled(stage, "$TargetDedicatedNodes = 1;")
    with pytest.raises(errors.OperationNotValidOnPool):
        stage.submit(events.ResizePool("pool", 3, None, 900.0))
    stage.submit(events.DisableAutoScale("pool"))
    stage.submit(events.ResizePool("pool", 3, None, 900.0))
    stage.pass_time()
    assert len(pool.nodes) == 3


def test_another_formula_takes_effect_at_once_and_the_old_one_no_more() -> None:
    stage = Stage()
    pool = scaled(stage, "$TargetDedicatedNodes = 1;")
    with pytest.raises(errors.TooManyEnableAutoScaleRequests):
        stage.submit(events.EnableAutoScale("pool", AutoScale("$TargetDedicatedNodes = 3;", 300.0)))
    stage.pass_time(60.0)
    stage.submit(events.EnableAutoScale("pool", AutoScale("$TargetDedicatedNodes = 3;", 300.0)))
    stage.pass_time()
    assert len(pool.nodes) == 3
    stage.pass_time(3600.0)
    assert len(pool.nodes) == 3


def test_tasks_that_wait_for_others_do_not_count_as_pending() -> None:
    stage = Stage()
    pool = scaled(stage, "$TargetDedicatedNodes = 0;")
    stage.job(usesTaskDependencies=True)
    child = stage.task("child", document={"dependsOn": {"taskIds": ["parent"]}})
    stage.task("parent")
    stage.pass_time(30.0)
    assert child.state is TaskState.ACTIVE
    assert pool.auto_scale is not None
    assert pool.auto_scale.samples["$ActiveTasks"][-1][1] == 1.0


def test_a_node_is_sampled_and_as_busy_as_its_slots() -> None:
    stage = Stage()
    formula = (
        "$TargetDedicatedNodes = 2 * min($SampleNodeCount.GetSample(1)) + avg($CPUPercent.GetSample(1)) / 10;"
    )
    pool = stage.pool(nodes=0, slots=4, auto_scale=AutoScale("$TargetDedicatedNodes = 2;", 3600.0))
    stage.job()
    for name in "abc":
        stage.task(name)
    stage.pass_time(30.0)
    assert pool.auto_scale is not None
    samples = {name: kept[-1][1] for name, kept in pool.auto_scale.samples.items()}
    assert (samples["$SampleNodeCount"], samples["$CPUPercent"]) == (2.0, 37.5)
    stage.submit(events.EnableAutoScale("pool", AutoScale(formula, 3600.0)))
    assert pool.target_dedicated == 7


def test_a_pool_without_nodes_is_not_busy() -> None:
    stage = Stage()
    pool = scaled(stage, "$TargetDedicatedNodes = 0;")
    stage.pass_time(30.0)
    assert pool.auto_scale is not None
    assert pool.auto_scale.samples["$CPUPercent"][-1][1] == 0.0
