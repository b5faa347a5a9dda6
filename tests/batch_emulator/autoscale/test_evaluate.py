"""From assignments to targets, and the text that the service reports about them."""

import pytest

from batch_emulator.autoscale import AutoScaleFormulaError, Inputs, Sample, evaluate, parse, unchanged_results
from tests.batch_emulator.autoscale.pools import NOW, run, sampled, value_of

POOL = Inputs(
    NOW,
    current_dedicated=3,
    current_low_priority=7,
    target_dedicated=4,
    target_low_priority=8,
    task_slots_per_node=2,
)


def test_the_results_have_the_shape_that_the_sdks_assert() -> None:
    result = run("$TargetDedicatedNodes=3")
    assert (
        result.results == "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    )


def test_variables_follow_by_name_in_the_results_and_by_assignment_in_the_mapping() -> None:
    result = run(
        'b = 0.5; $z = time("2026-11-21T13:07:09.25Z"); a = 2 / 3; $TargetDedicatedNodes = 2;'
        "v = $FailedTasks.GetSample(9); Big = 16777216; i = 90 * TimeInterval_Second; b = 1;",
        FailedTasks=sampled(1, 2.5),
    )
    assert list(result.variables) == ["b", "$z", "a", "v", "Big", "i"]
    assert result.results == (
        "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
        ";$z=2026-11-21T13:07:09.250Z;Big=1.67772e+07;a=0.666667;b=1;i=PT90S;v=[1,2.5]"
    )


def test_a_target_that_is_not_set_stays_in_force() -> None:
    result = run("$TargetLowPriorityNodes = 1;", POOL)
    assert result.target_dedicated is None
    assert result.target_low_priority == 1
    assert result.results.startswith("$TargetDedicatedNodes=4;$TargetLowPriorityNodes=1;")


def test_without_a_target_in_force_the_nodes_there_are_count_as_one() -> None:
    pool = Inputs(NOW, current_dedicated=3, current_low_priority=7)
    assert unchanged_results(pool) == (
        "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=7;$NodeDeallocationOption=requeue"
    )
    assert value_of("$TargetDedicatedNodes + $TargetLowPriorityNodes", pool) == 10


def test_a_formula_reads_the_counts_and_the_targets_in_force() -> None:
    assert value_of("$CurrentDedicatedNodes * 10 + $CurrentLowPriorityNodes", POOL) == 37
    assert value_of("$CurrentDedicated * 10 + $CurrentLowPriority", POOL) == 37
    assert value_of("$TargetDedicatedNodes * 10 + $TargetLowPriorityNodes", POOL) == 48
    assert value_of("$TaskSlotsPerNode", POOL) == 2
    assert run("x = $NodeDeallocationOption;", POOL).variables["x"] == "requeue"


def test_a_count_of_nodes_has_samples_too() -> None:
    inputs = Inputs(NOW, {"$CurrentDedicatedNodes": [Sample(NOW, 2)]}, current_dedicated=3)
    assert value_of("$CurrentDedicated.GetSample(1) - $CurrentDedicatedNodes", inputs) == (-1,)


def test_a_target_that_was_set_is_read_back() -> None:
    result = run("$TargetDedicatedNodes = 20; $TargetLowPriorityNodes = 25 - $TargetDedicatedNodes;", POOL)
    assert (result.target_dedicated, result.target_low_priority) == (20, 5)


def test_the_alias_sets_the_target() -> None:
    result = run("$TargetDedicated = 2; $TargetLowPriority = $TargetDedicatedNodes + 1;", POOL)
    assert (result.target_dedicated, result.target_low_priority) == (2, 3)
    assert dict(result.variables) == {}


@pytest.mark.parametrize(
    "formula",
    ["$TargetDedicatedNodes = 5; $TargetDedicated = 9;", "$TargetDedicated = 9; $TargetDedicatedNodes = 5;"],
)
def test_the_full_name_wins_over_the_alias(formula: str) -> None:
    assert run(formula + "x = $TargetDedicated;", POOL).target_dedicated == 5


def test_a_target_is_cut_down_to_a_whole_number() -> None:
    assert run("$TargetDedicatedNodes = 2.9;").target_dedicated == 2


@pytest.mark.parametrize("value", ["-1", "2147483648", "1e300"])
def test_a_target_that_no_pool_can_have_is_an_error_at_its_assignment(value: str) -> None:
    with pytest.raises(AutoScaleFormulaError) as caught:
        run(f"x = 1;\n$TargetLowPriorityNodes = {value};")
    assert caught.value.kind == "runtime"
    assert caught.value.position == (2, 1)
    assert "a target is a number from 0 to 2147483647" in caught.value.problem


def test_only_the_last_value_of_a_target_counts() -> None:
    formula = "$TargetDedicatedNodes = -5; $TargetDedicatedNodes = max(0, $TargetDedicatedNodes);"
    assert run(formula).target_dedicated == 0


@pytest.mark.parametrize("option", ["requeue", "terminate", "taskcompletion", "retaineddata"])
def test_the_deallocation_option(option: str) -> None:
    result = run(f"$NodeDeallocationOption = 1 ? {option} : requeue;")
    assert result.deallocation == option
    assert result.results.endswith(f";$NodeDeallocationOption={option}")


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("$TargetDedicatedNodes = requeue;", "$TargetDedicatedNodes needs a double, not a string"),
        ("$TargetDedicated = $FailedTasks.GetSample(1);", "$TargetDedicated needs a double, not a doubleVec"),
        (
            '$NodeDeallocationOption = "drain";',
            "$NodeDeallocationOption is one of requeue, terminate, taskcompletion, retaineddata, not drain",
        ),
        (
            "$NodeDeallocationOption = 0;",
            "$NodeDeallocationOption is one of requeue, terminate, taskcompletion, retaineddata, not 0",
        ),
    ],
)
def test_a_value_of_the_wrong_type_cannot_be_a_target(formula: str, problem: str) -> None:
    with pytest.raises(AutoScaleFormulaError) as caught:
        run(formula)
    assert (caught.value.problem, caught.value.kind) == (problem, "runtime")


def test_stop_ends_the_evaluation_with_what_was_assigned() -> None:
    result = run("$TargetDedicatedNodes = 1; x = 2; stop(); $TargetDedicatedNodes = 3 / 0;")
    assert result.target_dedicated == 1
    assert dict(result.variables) == {"x": 2}


def test_stop_in_a_branch_ends_it_only_if_the_branch_is_chosen() -> None:
    formula = "$TargetDedicatedNodes = 1; $CurrentDedicatedNodes > 2 ? stop() : 0; $TargetDedicatedNodes = 9;"
    assert run(formula, Inputs(NOW, current_dedicated=2)).target_dedicated == 9
    assert run(formula, Inputs(NOW, current_dedicated=3)).target_dedicated == 1


@pytest.mark.parametrize(
    "expression", ["1 ? 5 : 1 / 0", "0 ? 1 / 0 : 5", "5 * (1 || 1 / 0)", "5 + (0 && 1 / 0)", "0 ? stop() : 5"]
)
def test_what_does_not_decide_is_not_evaluated(expression: str) -> None:
    assert value_of(expression) == 5


def test_a_formula_can_be_evaluated_again_and_again() -> None:
    formula = parse("$TargetDedicatedNodes = $CurrentDedicatedNodes + 1; x = $TargetDedicatedNodes;")
    targets = [
        evaluate(formula, Inputs(NOW, current_dedicated=count)).target_dedicated for count in (1, 5, 1)
    ]
    assert targets == [2, 6, 2]
