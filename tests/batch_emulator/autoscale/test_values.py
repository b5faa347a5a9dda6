"""Types, operators and functions, row by row as documented."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from batch_emulator.autoscale import AutoScaleFormulaError, Inputs, Sample
from batch_emulator.autoscale.values import TimeInterval, Timestamp, Value
from tests.batch_emulator.autoscale.pools import NOW, run, sampled, value_of

VECTORS: Mapping[str, Sequence[Sample]] = {
    "FailedTasks": sampled(2, 4, 6),
    "ActiveTasks": sampled(1, 2, 3),
    "RunningTasks": sampled(5, 5),
}
V, W, SHORT = "$FailedTasks.GetSample(9)", "$ActiveTasks.GetSample(9)", "$RunningTasks.GetSample(9)"
MINUTE = "TimeInterval_Minute"
ONE_DOUBLE = "; avg, max, min, sum or val make one double of a doubleVec"
PLUS_NEGATIVE = "is not an operation; write timestamp + (-timeinterval)"
PERCENTILE = "percentile takes a doubleVec that is not empty and a double from 0 to 100"


def problem_of(expression: str) -> str:
    with pytest.raises(AutoScaleFormulaError) as caught:
        value_of(expression, None, **VECTORS)
    assert caught.value.kind == "runtime"
    assert caught.value.code == "AutoScalingFormulaEvaluationError"
    return caught.value.problem


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"{V} + 1", (3.0, 5.0, 7.0)),
        (f"{V} - 1", (1.0, 3.0, 5.0)),
        (f"{V} * 2", (4.0, 8.0, 12.0)),
        (f"{V} / 2", (1.0, 2.0, 3.0)),
        (f"{V} + {W}", (3.0, 6.0, 9.0)),
        (f"{V} - {W}", (1.0, 2.0, 3.0)),
        (f"{V} * {W}", (2.0, 8.0, 18.0)),
        (f"{V} / {W}", (2.0, 2.0, 2.0)),
        (f"3 * {MINUTE}", TimeInterval(180)),
        (f"{MINUTE} * 3", TimeInterval(180)),
        (f"{MINUTE} / 3", TimeInterval(20)),
        (f"{MINUTE} + TimeInterval_Second", TimeInterval(61)),
        (f"{MINUTE} - TimeInterval_Second", TimeInterval(59)),
        (f"-{MINUTE}", TimeInterval(-60)),
        (f"time() + {MINUTE}", Timestamp(NOW + 60)),
        (f"{MINUTE} + time()", Timestamp(NOW + 60)),
        ('time() - time("2026-11-21T13:07:00Z")', TimeInterval(9.25)),
        (f"time() < time() + {MINUTE}", 1.0),
        ("time() != time()", 0.0),
        (f"{MINUTE} >= TimeInterval_Hour", 0.0),
        (f"60 * TimeInterval_Second == {MINUTE}", 1.0),
        ('"abc" < "abd"', 1.0),
        ("requeue == terminate", 0.0),
        ("2 <= 2", 1.0),
        ("2 > 2", 0.0),
    ],
)
def test_the_documented_operations(expression: str, value: Value) -> None:
    assert value_of(expression, None, **VECTORS) == value


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 / 0", "division by zero"),
        (f"{MINUTE} / (1 - 1)", "division by zero"),
        ("1e308 * 10", "the result is too large to be a number"),
        (f"1e308 * {MINUTE}", "the result is too large to be a number"),
        (f"{V} * 1e308", "the result is too large to be a number"),
        (f"{V} + {SHORT}", "these doubleVecs have 3 and 2 elements"),
        (f"{V} > 1", f"doubleVec > double is not an operation{ONE_DOUBLE}"),
        (f"2 * {V}", f"double * doubleVec is not an operation{ONE_DOUBLE}"),
        (f"time() - {MINUTE}", f"timestamp - timeinterval {PLUS_NEGATIVE}"),
        ("time() + time()", "timestamp + timestamp is not an operation"),
        (f"1 + {MINUTE}", "double + timeinterval is not an operation"),
        (f"1 < {MINUTE}", "double < timeinterval is not an operation"),
        ("requeue + terminate", "string + string is not an operation"),
        ("-time()", "- timestamp is not an operation"),
        (f"!{MINUTE}", "! timeinterval is not an operation"),
        ("time() ? 1 : 2", "a condition is a double, not a timestamp"),
        ("1 && requeue", "a condition is a double, not a string"),
        (f"0 || {V}", "a condition is a double, not a doubleVec"),
        ("time().hour.minute", "only a timestamp has .minute; this is a double"),
        ("time() + TimeInterval_Year * 9000", "this timestamp lies outside of the years 1 to 9999"),
        ("time() + TimeInterval_Year * -9000", "this timestamp lies outside of the years 1 to 9999"),
        ("max()", "this function needs 1 or more values; there are 0"),
        ("std(1)", "this function needs 2 or more values; there are 1"),
        ("avg(1, time())", "this function takes doubles and doubleVecs, not a timestamp"),
        ("lg(0)", "the logarithm of 0 does not exist"),
        (f"ln({V} - 2)", "the logarithm of 0 does not exist"),
        ("val(1, 0)", "val takes a doubleVec and a double, as in val($ActiveTasks.GetSample(3), 0)"),
        (f"val({V}, 3)", "val(3) of a doubleVec of 3 elements"),
        (f"val({V}, -1)", "val(-1) of a doubleVec of 3 elements"),
        (f"percentile({V}, 101)", PERCENTILE),
        ("time(1)", "time takes a string or nothing"),
    ],
)
def test_everything_else_is_an_error(expression: str, problem: str) -> None:
    assert problem_of(expression) == problem


def test_an_error_of_evaluation_has_the_place_of_the_operator() -> None:
    with pytest.raises(AutoScaleFormulaError) as caught:
        run("x = 1;\ny = 2 + (x / 0);")
    assert str(caught.value) == "Line 2, Col 12: division by zero"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"avg({V})", 4.0),
        (f"avg({V}, 8, {SHORT})", 5.0),
        ("avg(1, 2)", 1.5),
        (f"len({V}, 1)", 4.0),
        ("len()", 0.0),
        ("lg(8)", 3.0),
        (f"lg({V} / {V})", (0.0, 0.0, 0.0)),
        ("lg(2, 4)", (1.0, 2.0)),
        ("ln(1)", 0.0),
        ("log(1000)", math.log10(1000)),
        (f"max({V}, 9)", 9.0),
        (f"min({V}, 9)", 2.0),
        ("norm(3, 4)", 5.0),
        (f"range({V}, 9)", 7.0),
        ("sum()", 0.0),
        (f"sum({V}, 1)", 13.0),
        (f"std({V})", 2.0),
        (f"val({V}, 0)", 2.0),
        (f"val({V}, 2)", 6.0),
        (f"percentile({V}, 0)", 2.0),
        (f"percentile({V}, 50)", 4.0),
        (f"percentile({V}, 90)", 6.0),
        (f"percentile({V}, 100)", 6.0),
        ("ceil(1.2)", 2.0),
        ("floor(-1.2)", -2.0),
        ("round(2.5)", 3.0),
        ("round(-2.5)", -3.0),
        ("round(0.49999999999999994)", 0.0),
        (f"round({V} / 4)", (1.0, 1.0, 2.0)),
    ],
)
def test_the_documented_functions(expression: str, value: Value) -> None:
    assert value_of(expression, None, **VECTORS) == value


def test_rand_asks_the_source_that_is_passed_in() -> None:
    assert value_of("rand()", Inputs(NOW, random=lambda: 0.125)) == 0.125


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("Zero", 0.0),
        ("100ns", 1e-7),
        ("Microsecond", 1e-6),
        ("Millisecond", 1e-3),
        ("Second", 1.0),
        ("Minute", 60.0),
        ("Hour", 3600.0),
        ("Day", 86400.0),
        ("Week", 604800.0),
        ("Year", 31536000.0),
    ],
)
def test_the_constants(name: str, seconds: float) -> None:
    assert value_of(f"TimeInterval_{name}") == TimeInterval(seconds)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04T05:06Z", datetime(2026, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-03-04T05:06:07Z", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2026-03-04T05:06:07.5000000Z", datetime(2026, 3, 4, 5, 6, 7, 500_000, tzinfo=UTC)),
        ("2026-03-04T05:06:07+02:30", datetime(2026, 3, 4, 2, 36, 7, tzinfo=UTC)),
        ("2026-03-04T05:06:07-02:30", datetime(2026, 3, 4, 7, 36, 7, tzinfo=UTC)),
        ("Wed, 04 Mar 2026 05:06:07 GMT", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("4 Mar 2026 05:06:07 GMT", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)),
    ],
)
def test_time_reads_w3c_and_rfc_1123(text: str, moment: datetime) -> None:
    assert value_of(f'time("{text}")') == Timestamp(moment.timestamp())


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2026-3-4",
        "2026-02-30",
        "2026-03-04T25:00Z",
        "2026-03-04T05:06:07",
        "2026-03-04T05:06:07.123456789Z",
        "04 Mrz 2026 05:06:07 GMT",
        "Wed, 04 Mar 2026 05:06:07 CET",
        "0000",
        "9999-12-31T23:59:59-23:00",
    ],
)
def test_time_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(AutoScaleFormulaError) as caught:
        run(f'x = time("{text}");')
    assert caught.value.kind == "runtime"


def test_time_without_a_text_is_now() -> None:
    assert value_of("time()") == value_of('time("")') == Timestamp(NOW)


def test_the_members_of_a_timestamp() -> None:
    members = ["year", "month", "day", "weekday", "hour", "minute", "second"]
    values = [value_of(f"time().{member}") for member in members]
    assert values == [2026, 11, 21, 6, 13, 7, 9]


@pytest.mark.parametrize(("day", "weekday"), [("2026-11-22", 7), ("2026-11-23", 1), ("2026-11-27", 5)])
def test_monday_is_day_one(day: str, weekday: int) -> None:
    assert value_of(f'time("{day}").weekday') == weekday
