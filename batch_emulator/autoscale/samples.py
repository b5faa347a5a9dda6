"""What a formula can ask a metric: its samples and how many of them there are (documented)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from batch_emulator.autoscale.errors import CannotEvaluate, InsufficientSampleData
from batch_emulator.autoscale.inputs import SAMPLE_PERIOD, Inputs, Sample
from batch_emulator.autoscale.values import TimeInterval, Timestamp, Value, Vector, moment

ROUNDING = 1e-6
"""Differences between epoch seconds are exact to less than this."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The samples of one variable, oldest first, and the moment from which intervals look back."""

    name: str
    samples: Sequence[Sample]
    now: float


@dataclass(frozen=True, slots=True)
class Method:
    """How a method is called: with how few and how many arguments, and what it then computes."""

    call: Callable[[Metric, Sequence[Value]], Value]
    fewest: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of a stretch of time and the percentage of the possible ones that they are."""

    values: Vector
    percent: float


def metric(name: str, inputs: Inputs) -> Metric:
    """The metric of that name; samples of the future are not there yet."""
    known = [Sample(*sample) for sample in inputs.samples.get(name, ())]
    return Metric(name, [sample for sample in known if sample.time <= inputs.now], inputs.now)


def _window(metric: Metric, bounds: Sequence[Value]) -> Window:
    """The samples after the earlier bound, up to the later one; the second bound, if missing, is now."""
    moments = [_moment(metric, bound) for bound in bounds]
    if len(moments) == 1:
        moments.append(metric.now)
    start, end = min(moments), max(moments)
    values = tuple(float(value) for time, value in metric.samples if start < time <= end)
    possible = max(1, int((end - start + ROUNDING) / SAMPLE_PERIOD))
    return Window(values, min(100.0, 100.0 * len(values) / possible))


def _moment(metric: Metric, bound: Value) -> float:
    match bound:
        case Timestamp(seconds):
            return seconds
        case TimeInterval(seconds):
            return metric.now - seconds
    raise CannotEvaluate("a stretch of time is given by timestamps or timeintervals, then a percentage")


def _get_sample(metric: Metric, arguments: Sequence[Value]) -> Value:
    match arguments:
        case [float() as count]:
            if count < 1:
                raise CannotEvaluate(f"GetSample({count:g}): the number of samples starts at 1")
            return tuple(float(sample.value) for sample in metric.samples[-int(count) :])
        case [*bounds, float() as wanted]:
            return _enough(metric, _window(metric, bounds), wanted)
        case [_, _, _]:
            raise CannotEvaluate("the third argument of GetSample is a percentage, a double")
    window = _window(metric, arguments)
    if not window.values:
        raise InsufficientSampleData(
            f"Insufficient data from data set: {metric.name} wanted one sample or more, received 0%"
        )
    return window.values


def _enough(metric: Metric, window: Window, wanted: float) -> Vector:
    if window.percent < wanted:
        raise InsufficientSampleData(
            f"Insufficient data from data set: {metric.name} wanted {wanted:g}%, received {window.percent:g}%"
        )
    return window.values


def _history_begin_time(metric: Metric, _: Sequence[Value]) -> Value:
    if not metric.samples:
        raise InsufficientSampleData(f"Insufficient data from data set: {metric.name} has no samples yet")
    return moment(metric.samples[0].time)


METHODS: Mapping[str, Method] = {
    "GetSample": Method(_get_sample, fewest=1, most=3),
    "GetSamplePercent": Method(lambda metric, bounds: _window(metric, bounds).percent, fewest=1, most=2),
    "GetSamplePeriod": Method(lambda _metric, _arguments: TimeInterval(SAMPLE_PERIOD)),
    "Count": Method(lambda metric, _: float(len(metric.samples))),
    "HistoryBeginTime": Method(_history_begin_time),
}
