"""What is a formula, and what the error of one that is not says."""

import pytest

from batch_emulator.autoscale import AutoScaleFormulaError, parse
from tests.batch_emulator.autoscale.pools import run, value_of


def error_of(formula: str) -> AutoScaleFormulaError:
    with pytest.raises(AutoScaleFormulaError) as caught:
        parse(formula)
    return caught.value


def test_statements_comments_and_line_breaks() -> None:
    result = run(
        """
        // how many there are; a comment may hold = and ;
        some = 2;$more=3; // two on a line

        $TargetDedicatedNodes
            = some
            * $more;;
        """
    )
    assert result.target_dedicated == 6
    assert list(result.variables) == ["some", "$more"]


def test_the_last_semicolon_may_be_missing() -> None:
    assert run("$TargetDedicatedNodes = 3").target_dedicated == 3


def test_a_missing_semicolon_is_found_where_the_next_statement_begins() -> None:
    error = error_of("$TargetDedicatedNodes = 3\n$NodeDeallocationOption = requeue;")
    assert str(error) == "Line 2, Col 1: a ';' or an operator is missing before '$NodeDeallocationOption'"
    assert error.kind == "syntax"


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("", "Line 1, Col 1: the formula has no statement"),
        ("// nothing\n", "Line 2, Col 1: the formula has no statement"),
        ("x = ;", "Line 1, Col 5: a value is missing before ';'"),
        ("x = 1 +", "Line 1, Col 8: a value is missing before the end of the formula"),
        ("x = (1;", "Line 1, Col 7: a ')' or an operator is missing before ';'"),
        ("x = max(1;", "Line 1, Col 10: a ')' or a ',' is missing before ';'"),
        ("x = max(1,);", "Line 1, Col 11: a value is missing before ')'"),
        (
            "x = 1 ? 2;",
            "Line 1, Col 10: a '?' needs two values and a ':' between them, which is missing before ';'",
        ),
        ("x = 1;\n  y = 2 @ 3;", "Line 2, Col 9: the character '@' has no meaning in a formula"),
        ("x = 1;\n\n  // note\n\ny = 2 @ 3;", "Line 5, Col 7: the character '@' has no meaning in a formula"),
        ("x = 1 & 1;", "Line 1, Col 7: '&' alone is no operator; write '&&'"),
        ('x = time("2030-01-01\n");', 'Line 1, Col 10: this string has no closing " on its line'),
        ("x = 1e999;", "Line 1, Col 5: the number 1e999 is too large"),
        ("1 = x;", "Line 1, Col 3: a ';' or an operator is missing before '='"),
        ('x "=" 1;', "Line 1, Col 1: nothing above assigns the variable x"),
    ],
)
def test_the_error_says_what_is_wrong_and_where(formula: str, message: str) -> None:
    assert str(error_of(formula)) == message


USE_GET_SAMPLE = "write for example max($RunningTasks.GetSample(1))"
METHODS = "GetSample, GetSamplePercent, GetSamplePeriod, Count, HistoryBeginTime"
OF_METRICS = "is a method of metrics such as $PendingTasks; this is none"
MEMBERS = "year, month, day, weekday, hour, minute, second"


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("$something_useless", "nothing above assigns the variable $something_useless"),
        ("x = x + 1;", "nothing above assigns the variable x"),
        ("x = y; y = 1;", "nothing above assigns the variable y"),
        ("y = 1; x = Y;", "nothing above assigns the variable Y"),
        ("x = $PendingTask;", "nothing above assigns the variable $PendingTask; did you mean $PendingTasks?"),
        ("x = pow(2, 3);", "there is no function pow"),
        ("x = avgs(1);", "there is no function avgs; did you mean avg?"),
        ("x = time;", "time is a function; write time(...)"),
        ("x = $RunningTasks * 2;", f"$RunningTasks has samples, not one value; {USE_GET_SAMPLE}"),
        ("x = $RunningTasks.Sample(1);", f"$RunningTasks has no method Sample; its methods are {METHODS}"),
        ("x = $RunningTasks.Count;", "Count is a method; a '(' is missing before ';'"),
        ("v = 1; x = v.GetSample(1);", f"GetSample {OF_METRICS}"),
        ("x = time().decade;", f"'decade' is no member; a timestamp has {MEMBERS}"),
        ("TimeInterval_Minute = 1;", "TimeInterval_Minute is a constant; it cannot be assigned"),
        ("requeue = 1;", "requeue is a constant; it cannot be assigned"),
        ("x = rand(1);", "rand takes 0 arguments, not 1"),
        ("x = val(1);", "val takes 2 arguments, not 1"),
        ("x = lg();", "lg takes 1 or more arguments, not 0"),
        ('x = time("2030", 1);', "time takes 0 to 1 arguments, not 2"),
        ("x = $CPUPercent.GetSample();", "GetSample takes 1 to 3 arguments, not 0"),
        ("x = $CPUPercent.GetSamplePercent(1, 2, 3);", "GetSamplePercent takes 1 to 2 arguments, not 3"),
        ("x = $CPUPercent.Count(1);", "Count takes 0 arguments, not 1"),
    ],
)
def test_names_are_checked_before_any_evaluation(formula: str, problem: str) -> None:
    assert error_of(formula).problem == problem


@pytest.mark.parametrize(
    "name", ["$PendingTasks", "$CurrentDedicatedNodes", "$CurrentDedicated", "$TaskSlotsPerNode"]
)
def test_a_read_only_variable_cannot_be_assigned(name: str) -> None:
    error = error_of(f"x = 1;\n{name} = x;")
    assert error.problem.startswith(f"{name} is read-only; only $NodeDeallocationOption, ")
    assert error.position == (2, 1)


def test_a_name_is_checked_in_the_branch_that_is_not_chosen_too() -> None:
    assert error_of("x = 1 ? 2 : nowhere;").position == (1, 13)


def test_a_formula_has_at_most_a_hundred_statements() -> None:
    assert len(parse("x = 1;" * 100).statements) == 100
    error = error_of("x = 1;" * 100 + "\ny = 2;")
    assert (error.problem, error.position) == ("a formula has at most 100 statements", (2, 1))


def test_a_formula_has_at_most_8192_characters() -> None:
    formula = "x = 1;".ljust(8192)
    assert parse(formula).text == formula
    error = error_of(formula + " ")
    assert error.kind == "too_long"
    assert error.problem == "the formula has 8193 characters; at most 8192 are allowed"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 - 8 / 4", 5.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("16 / 4 / 2", 2.0),
        ("-2 * -3", 6.0),
        ("--2", 2.0),
        ("!0 + !5 * 7", 1.0),
        ("-!0", -1.0),
        ("1 + 1 < 3 == 1", 1.0),
        ("0 && 0 || 1", 1.0),
        ("1 || 0 && 0", 1.0),
        ("(1 || 0) && 0", 0.0),
        ("0 == 1 || 3 != 2 && 2 >= 2", 1.0),
        ("5 && 7", 1.0),
        ("0 || 7", 1.0),
        ("1 > 2 ? 10 : 20", 20.0),
        ("1 ? 2 : 0 ? 3 : 4", 2.0),
        ("0 ? 2 : 1 ? 3 : 4", 3.0),
        ("0 ? 2 : 0 ? 3 : 4", 4.0),
        ("1 ? 0 ? 1 : 2 : 3", 2.0),
        ("1 + (0 ? 2 : 3) * 2", 7.0),
        (".5 + 2. + 1e1 + 2.5e-1", 12.75),
        ("time().hour * 2", 26.0),
        ("-time().hour", -13.0),
    ],
)
def test_operators_bind_as_in_c(expression: str, value: float) -> None:
    assert value_of(expression) == value


@pytest.mark.parametrize(
    "layer", ["(", "min(", "1+1*(", "-(", "1?(", "0?1:(", "(1||1&&1==1<1+1*", "$CPUPercent.GetSample("]
)
def test_deep_nesting_is_an_error_of_the_formula(layer: str) -> None:
    error = error_of("x = " + layer * (8000 // len(layer)))
    assert error.problem == "expressions are nested more than 64 deep here"


def test_twenty_parentheses_within_each_other_are_fine() -> None:
    assert value_of("(1 + 2 * " * 20 + "1" + ")" * 20) == 2.0**21 - 1


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("-" * 8000 + "1", 1.0),
        ("1" + "+1" * 4000, 4001.0),
        ("0?1:" * 2000 + "7", 7.0),
        ("1&&" * 2600 + "1", 1.0),
    ],
)
def test_a_long_chain_is_not_deep(expression: str, value: float) -> None:
    assert value_of(expression) == value
