"""Formulas of the kinds that programs give to their pools, at the moments that matter."""

import pytest

from batch_emulator.autoscale import AutoScaleFormulaError, AutoScaleResult, Inputs, Sample, evaluate, parse
from batch_emulator.autoscale.timestamps import read_timestamp
from tests.batch_emulator.autoscale.pools import NOW, run, sampled

WITH_DEADLINE = parse("""
    startup = time("2026-11-21T12:15:00Z"); deadline = time("2026-11-22T12:00:00Z");
    wanted = 4;
    sampled = $PendingTasks.GetSamplePercent(10 * TimeInterval_Minute);
    pending = sampled < 70 ? wanted : max($PendingTasks.GetSample(10 * TimeInterval_Minute));
    alive = time() < startup ? wanted : (pending > 0 ? wanted : 0);
    $TargetDedicatedNodes = time() < deadline ? alive : 0;
    $TargetLowPriorityNodes = 0;
    $NodeDeallocationOption = taskcompletion;
""")


def with_deadline_at(moment: str, *pending: float) -> AutoScaleResult:
    now = read_timestamp(moment).seconds
    return evaluate(WITH_DEADLINE, Inputs(now, {"$PendingTasks": sampled(*pending, until=now)}))


@pytest.mark.parametrize(
    ("moment", "pending", "nodes"),
    [
        ("2026-11-21T12:00:00Z", [], 4),
        ("2026-11-21T12:14:59Z", [0.0] * 20, 4),
        ("2026-11-21T12:15:00Z", [0.0] * 20, 0),
        ("2026-11-21T13:00:00Z", [0.0] * 13, 4),
        ("2026-11-21T13:00:00Z", [0.0] * 14, 0),
        ("2026-11-21T13:00:00Z", [8.0] + [0.0] * 19, 4),
        ("2026-11-21T13:00:00Z", [8.0] + [0.0] * 20, 0),
        ("2026-11-22T11:59:59Z", [3.0] * 20, 4),
        ("2026-11-22T12:00:00Z", [3.0] * 20, 0),
        ("2026-11-22T12:00:00Z", [], 0),
    ],
)
def test_a_pool_that_is_never_there_after_its_deadline(moment: str, pending: list[float], nodes: int) -> None:
    result = with_deadline_at(moment, *pending)
    assert (result.target_dedicated, result.target_low_priority) == (nodes, 0)
    assert result.deallocation == "taskcompletion"


AS_MANY_AS_TASKS = """
    window = TimeInterval_Minute * 15;
    known = $PendingTasks.GetSamplePercent(window);
    load = known < 70 ? max(0, $PendingTasks.GetSample(1))
                      : max($PendingTasks.GetSample(1), avg($PendingTasks.GetSample(window)));
    nodes = load > 0 ? load / $TaskSlotsPerNode : max(0, $TargetDedicatedNodes / 2);
    $TargetDedicatedNodes = max(0, min(20, ceil(nodes)));
    $NodeDeallocationOption = taskcompletion;
"""


@pytest.mark.parametrize(
    ("pending", "nodes"),
    [([], 4), ([9.0], 5), ([0.0] * 29 + [9.0], 5), ([40.0] * 29 + [0.0], 20), ([0.0] * 30, 4)],
)
def test_as_many_nodes_as_pending_tasks_need(pending: list[float], nodes: int) -> None:
    pool = Inputs(NOW, {"$PendingTasks": sampled(*pending)}, target_dedicated=8, task_slots_per_node=2)
    assert run(AS_MANY_AS_TASKS, pool).target_dedicated == nodes


BY_THE_CLOCK = """
    now = time() + (1 * TimeInterval_Hour);  // local time
    busy = now.weekday >= 1 && now.weekday <= 5 && now.hour >= 8 && now.hour < 18;
    $TargetDedicatedNodes = busy ? 12 : 2;
"""


@pytest.mark.parametrize(
    ("moment", "nodes"),
    [
        ("2026-11-20T06:59:59Z", 2),
        ("2026-11-20T07:00:00Z", 12),
        ("2026-11-20T16:59:59Z", 12),
        ("2026-11-20T17:00:00Z", 2),
        ("2026-11-21T10:00:00Z", 2),
        ("2026-11-22T10:00:00Z", 2),
        ("2026-11-23T10:00:00Z", 12),
    ],
)
def test_more_nodes_in_working_hours(moment: str, nodes: int) -> None:
    assert run(BY_THE_CLOCK, Inputs(read_timestamp(moment).seconds)).target_dedicated == nodes


def test_dedicated_nodes_replace_those_that_were_preempted() -> None:
    formula = """
        all = 10;
        $TargetDedicatedNodes = min(all, $PreemptedNodeCount.GetSample(180 * TimeInterval_Second));
        $TargetLowPriorityNodes = all - $TargetDedicatedNodes;
    """
    result = run(formula, PreemptedNodeCount=sampled(4, 4, 3, 3, 3, 3))
    assert (result.target_dedicated, result.target_low_priority) == (3, 7)


FIXED_AT_FIRST = """
    $NodeDeallocationOption = taskcompletion;
    age = time() - time("Sat, 21 Nov 2026 13:00:00 GMT");
    span = TimeInterval_Second * 90;
    ratio = 10;
    $TargetLowPriorityNodes = (age > TimeInterval_Minute * 2 ? min($PendingTasks.GetSample(span, ratio)) : 6);
"""


def test_a_fixed_number_for_the_first_minutes_needs_no_samples() -> None:
    early = Inputs(read_timestamp("2026-11-21T13:02:00Z").seconds)
    assert run(FIXED_AT_FIRST, early).target_low_priority == 6


def test_after_the_first_minutes_samples_are_needed() -> None:
    assert run(FIXED_AT_FIRST, PendingTasks=[Sample(NOW - 60, 2)]).target_low_priority == 2
    with pytest.raises(AutoScaleFormulaError, match=r"\$PendingTasks wanted 10%, received 0%"):
        run(FIXED_AT_FIRST)


def test_growth_and_shrinkage_by_load_of_the_processors() -> None:
    formula = """
        $nodes = $CurrentDedicatedNodes;
        $nodes = min($CPUPercent.GetSample(TimeInterval_Minute * 5)) > 0.7 ? $nodes * 1.5 : $nodes;
        $nodes = avg($CPUPercent.GetSample(TimeInterval_Minute * 5)) < 0.2 ? $nodes * 0.5 : $nodes;
        $TargetDedicatedNodes = min(100, $nodes)
    """
    nodes = [
        run(
            formula, Inputs(NOW, {"$CPUPercent": sampled(*[load] * 10)}, current_dedicated=10)
        ).target_dedicated
        for load in (0.9, 0.5, 0.1)
    ]
    assert nodes == [15, 10, 5]
