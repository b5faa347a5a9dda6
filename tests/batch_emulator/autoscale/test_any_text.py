"""Whatever is written: an outcome or an AutoScaleFormulaError; and arithmetic is Python's."""

import ast
import contextlib
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch_emulator.autoscale import AutoScaleFormulaError, Inputs, evaluate, parse
from batch_emulator.autoscale.functions import FUNCTIONS
from batch_emulator.autoscale.names import CONSTANTS, METRICS, WRITABLE
from batch_emulator.autoscale.samples import METHODS
from tests.batch_emulator.autoscale.pools import NOW, sampled, value_of

unhurried = settings(deadline=None)
POOL = Inputs(NOW, {"$PendingTasks": sampled(3, 0, 2), "$CPUPercent": sampled(0.5)}, current_dedicated=2)

SIGNS = ["+", "-", "*", "/", "<", "<=", "==", "&&", "||", "!", "?", ":", "(", ")", ",", ".", ";", "="]
WORDS = [
    *SIGNS,
    *FUNCTIONS,
    *CONSTANTS,
    *sorted(WRITABLE | METRICS),
    *(f"$PendingTasks.{name}(" for name in METHODS),
    *("x = ", "x", "y = ", "y", "0", "70", "1e308", "time()", ".hour", '"2026"', "max(", "(1)"),
    *("// note\n", "\n", "\x00", "é", "'", '"'),
]
SIMPLE_VALUES = [
    *("0", "1", "2.5", "1e300", "time()", "TimeInterval_Minute", "TimeInterval_Year", "requeue", '"2026"'),
    *("$PendingTasks.GetSample(2)", "$PendingTasks.Count()", "$PendingTasks.HistoryBeginTime()"),
    *("$FailedTasks.GetSample(1)", "$CurrentDedicatedNodes", "$TargetLowPriorityNodes", "rand()"),
]
ONE_ARGUMENT = sorted(
    name for name, function in FUNCTIONS.items() if function.fewest < 2 and function.most != 0
)
VALUES = st.recursive(
    st.sampled_from(SIMPLE_VALUES),
    lambda part: st.one_of(
        st.builds("({} {} {})".format, part, st.sampled_from(SIGNS[:9]), part),
        st.builds("{}({})".format, st.sampled_from(ONE_ARGUMENT), part),
        st.builds("{}({}, {})".format, st.sampled_from(["percentile", "val", "max", "std"]), part, part),
        st.builds("$PendingTasks.GetSample({}, {})".format, part, part),
        st.builds("$CPUPercent.GetSamplePercent({})".format, part),
        st.builds("({} ? {} : {})".format, part, part, part),
        st.builds("({}{})".format, st.sampled_from("-!"), part),
        st.builds("({}).year".format, part),
    ),
    max_leaves=12,
)


def outcome(formula: str) -> None:
    with contextlib.suppress(AutoScaleFormulaError):
        evaluate(parse(formula), POOL)


@unhurried
@given(st.text())
def test_any_text_is_a_formula_or_an_error(text: str) -> None:
    outcome(text)


@unhurried
@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
@example("x = y . . hour")
def test_any_words_are_a_formula_or_an_error(text: str) -> None:
    outcome(text)


@unhurried
@given(VALUES, st.sampled_from([*sorted(WRITABLE), "x"]))
def test_any_value_can_be_assigned_or_is_an_error(value: str, target: str) -> None:
    formula = parse(f"{target} = {value};")
    with contextlib.suppress(AutoScaleFormulaError):
        evaluate(formula, POOL)


NUMBERS = st.floats(0, 1e6, allow_subnormal=False).map(repr)
ARITHMETIC = st.recursive(
    NUMBERS,
    lambda part: st.one_of(
        st.builds("{} {} {}".format, part, st.sampled_from("+-*/"), part),
        st.builds("({})".format, part),
        st.builds("-{}".format, part),
    ),
    max_leaves=10,
)


def python_values(expression: str) -> list[float]:
    """What the expression is in Python, and then what each part of it is."""
    tree = ast.parse(expression, mode="eval")
    return [eval(ast.unparse(part)) for part in ast.walk(tree.body) if isinstance(part, ast.expr)]


@unhurried
@given(ARITHMETIC)
@example("0.0 / (4.0 / 2.2250738585072014e-308)")
def test_arithmetic_is_pythons(expression: str) -> None:
    try:
        values = python_values(expression)
    except ZeroDivisionError:
        values = [math.nan]
    if all(map(math.isfinite, values)):
        assert value_of(expression) == values[0]
    else:
        with pytest.raises(AutoScaleFormulaError, match=r"division by zero|too large"):
            value_of(expression)


Truth = tuple[str, bool]
TRUTHS = st.recursive(
    st.sampled_from([("0", False), ("1", True), ("0.5", True), ("2 < 1", False), ("3 != 2", True)]),
    lambda part: st.one_of(
        st.builds(lambda a, b: (f"({a[0]} && {b[0]})", a[1] and b[1]), part, part),
        st.builds(lambda a, b: (f"({a[0]} || {b[0]})", a[1] or b[1]), part, part),
        st.builds(lambda a: (f"!({a[0]})", not a[1]), part),
        st.builds(lambda a, b, c: (f"({a[0]} ? {b[0]} : {c[0]})", b[1] if a[1] else c[1]), part, part, part),
    ),
    max_leaves=12,
)


@unhurried
@given(TRUTHS)
def test_logic_is_pythons(truth: Truth) -> None:
    expression, expected = truth
    assert value_of(f"{expression} ? 1 : 0") == expected
