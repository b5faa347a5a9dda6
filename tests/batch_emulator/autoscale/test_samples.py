"""What a metric answers when a formula asks for its samples."""

import pytest

from batch_emulator.autoscale import AutoScaleFormulaError, Sample
from batch_emulator.autoscale.values import TimeInterval, Timestamp, Value
from tests.batch_emulator.autoscale.pools import NOW, run, sampled, value_of

TEN = sampled(*range(10))
"""The samples 0 to 9 of the last five minutes."""


def value(question: str) -> Value:
    return value_of(f"$PendingTasks.{question}", PendingTasks=TEN)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("GetSample(1)", (9,)),
        ("GetSample(3.9)", (7, 8, 9)),
        ("GetSample(99)", tuple(range(10))),
        ("GetSample(TimeInterval_Minute)", (8, 9)),
        ("GetSample(TimeInterval_Minute * 5)", tuple(range(10))),
        ("GetSample(TimeInterval_Hour)", tuple(range(10))),
        ("GetSample(TimeInterval_Minute, 100)", (8, 9)),
        ("GetSample(TimeInterval_Minute, 2 * TimeInterval_Minute)", (6, 7)),
        ("GetSample(2 * TimeInterval_Minute, TimeInterval_Minute)", (6, 7)),
        ("GetSample(TimeInterval_Minute * 0, TimeInterval_Minute)", (8, 9)),
        ("GetSample(time() + (-1 * TimeInterval_Minute))", (8, 9)),
        ('GetSample(time("2026-11-21T13:05:00Z"), time("2026-11-21T13:06:00Z"), 70)', (5, 6)),
        ("GetSamplePercent(TimeInterval_Minute * 5)", 100),
        ("GetSamplePercent(TimeInterval_Minute * 10)", 50),
        ("GetSamplePercent(TimeInterval_Minute * 5, TimeInterval_Minute * 10)", 0),
        ("GetSamplePercent(TimeInterval_Second * 45)", 100),
        ("GetSamplePercent(TimeInterval_Second)", 100),
        ("Count()", 10),
        ("GetSamplePeriod()", TimeInterval(30)),
        ("HistoryBeginTime()", Timestamp(NOW - 270)),
    ],
)
def test_the_methods(question: str, answer: Value) -> None:
    assert value(question) == answer


@pytest.mark.parametrize("minutes", [10, 15, 60])
def test_a_sample_that_is_late_is_missing_from_the_percentage(minutes: int) -> None:
    count = minutes * 2
    samples = sampled(*[0.0] * (count - 1), until=NOW - 30)
    percent = value_of(
        f"$PendingTasks.GetSamplePercent({minutes} * TimeInterval_Minute)", PendingTasks=samples
    )
    assert percent == 100 * (count - 1) / count


def test_the_percentage_is_shown_as_the_service_shows_it() -> None:
    samples = sampled(*[0.0] * 29, until=NOW - 30)
    result = run("$samples = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 15);", PendingTasks=samples)
    assert result.results.endswith(";$samples=96.6667")


def test_samples_of_the_future_are_not_there_yet() -> None:
    samples = [Sample(NOW - 30, 1), Sample(NOW + 30, 2)]
    assert value_of("$PendingTasks.GetSample(9)", PendingTasks=samples) == (1,)
    assert value_of("$PendingTasks.Count()", PendingTasks=samples) == 1


def test_more_samples_than_there_can_be_are_not_more_than_all() -> None:
    samples = [Sample(NOW - second, 1) for second in range(30)]
    assert value_of("$PendingTasks.GetSamplePercent(TimeInterval_Minute / 2)", PendingTasks=samples) == 100


def test_too_few_samples_are_the_documented_error() -> None:
    with pytest.raises(AutoScaleFormulaError) as caught:
        run("need = 95;\nx = avg($PendingTasks.GetSample(TimeInterval_Minute * 10, need));", PendingTasks=TEN)
    error = caught.value
    assert (
        str(error) == "Line 2, Col 9: Insufficient data from data set: $PendingTasks wanted 95%, received 50%"
    )
    assert error.kind == "runtime"
    assert error.code == "InsufficientSampleData"
    assert error.summary == "Autoscale evaluation failed due to insufficient sample data"


def test_just_enough_samples_are_enough() -> None:
    assert value_of("len($PendingTasks.GetSample(TimeInterval_Minute * 10, 50))", PendingTasks=TEN) == 10


def test_without_a_percentage_a_gap_is_fine_but_nothing_at_all_is_not() -> None:
    assert value_of("len($PendingTasks.GetSample(TimeInterval_Hour))", PendingTasks=TEN) == 10
    with pytest.raises(AutoScaleFormulaError, match=r"\$RunningTasks wanted one sample or more, received 0%"):
        run("x = $RunningTasks.GetSample(TimeInterval_Hour);", PendingTasks=TEN)


def test_the_last_sample_of_a_metric_without_any_is_an_empty_vector() -> None:
    assert value_of("$PendingTasks.GetSample(1)") == ()
    assert value_of("max(0, $PendingTasks.GetSample(1))") == 0


def test_the_history_of_a_metric_without_samples_has_no_begin() -> None:
    assert value_of("$PendingTasks.Count()") == 0
    with pytest.raises(AutoScaleFormulaError) as caught:
        run("x = $PendingTasks.HistoryBeginTime();")
    assert caught.value.code == "InsufficientSampleData"


STRETCH = "a stretch of time is given by timestamps or timeintervals, then a percentage"


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ("GetSample(0)", "GetSample(0): the number of samples starts at 1"),
        ("GetSample(2, 50)", STRETCH),
        ("GetSample(requeue)", STRETCH),
        ("GetSamplePercent(600)", STRETCH),
        ("GetSample(time(), time(), time())", "the third argument of GetSample is a percentage, a double"),
    ],
)
def test_a_question_that_makes_no_sense(question: str, problem: str) -> None:
    with pytest.raises(AutoScaleFormulaError) as caught:
        value(question)
    assert caught.value.problem == problem
