"""The five types of value, what the operators do to them, and how results show them."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batch_emulator.autoscale.errors import CannotEvaluate


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment, in epoch seconds."""

    seconds: float

    def as_datetime(self) -> datetime:
        """The moment in UTC. `moment` made sure that there is such a date."""
        return datetime.fromtimestamp(self.seconds, UTC)


@dataclass(frozen=True, slots=True, order=True)
class TimeInterval:
    """A length of time, in seconds; it can be negative."""

    seconds: float


Vector = tuple[float, ...]
Value = float | Vector | str | Timestamp | TimeInterval
Operation = Callable[[Any, Any], Value]

TYPE_NAMES: Mapping[type, str] = {
    float: "double",
    tuple: "doubleVec",
    str: "string",
    Timestamp: "timestamp",
    TimeInterval: "timeinterval",
}

FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def type_name(value: Value) -> str:
    """The documented name of a value's type."""
    return TYPE_NAMES[type(value)]


def moment(seconds: float) -> Timestamp:
    """A timestamp that is a date of the years 1 to 9999.

    Raises:
        CannotEvaluate: for any other.
    """
    if not FIRST_MOMENT <= seconds <= LAST_MOMENT:
        raise CannotEvaluate("this timestamp lies outside of the years 1 to 9999")
    return Timestamp(seconds)


def finite(value: Value) -> Value:
    """The value itself, if its numbers are finite.

    Raises:
        CannotEvaluate: otherwise. (Assumed: a target cannot be infinite, so it is refused where it arises.)
    """
    match value:
        case float(number) | TimeInterval(number):
            is_finite = math.isfinite(number)
        case tuple():
            is_finite = all(map(math.isfinite, value))
        case _:
            is_finite = True
    if not is_finite:
        raise CannotEvaluate("the result is too large to be a number")
    return value


def _divide(dividend: float, divisor: float) -> float:
    if divisor == 0:
        raise CannotEvaluate("division by zero")
    return dividend / divisor


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}
COMPARISON: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}


def _with_each(compute: Callable[[float, float], float]) -> Operation:
    return lambda vector, number: tuple(compute(element, number) for element in vector)


def _pairwise(compute: Callable[[float, float], float]) -> Operation:
    def both(left: Vector, right: Vector) -> Vector:
        if len(left) != len(right):
            raise CannotEvaluate(f"these doubleVecs have {len(left)} and {len(right)} elements")
        return tuple(map(compute, left, right))

    return both


def _as_number(compare: Callable[[Any, Any], bool]) -> Operation:
    return lambda left, right: float(compare(left, right))


BINARY: Mapping[tuple[str, str, str], Operation] = {
    **{("double", sign, "double"): compute for sign, compute in ARITHMETIC.items()},
    **{("doubleVec", sign, "double"): _with_each(compute) for sign, compute in ARITHMETIC.items()},
    **{("doubleVec", sign, "doubleVec"): _pairwise(compute) for sign, compute in ARITHMETIC.items()},
    ("double", "*", "timeinterval"): lambda number, interval: TimeInterval(number * interval.seconds),
    ("timeinterval", "*", "double"): lambda interval, number: TimeInterval(interval.seconds * number),
    ("timeinterval", "/", "double"): lambda interval, number: TimeInterval(_divide(interval.seconds, number)),
    ("timeinterval", "+", "timeinterval"): lambda left, right: TimeInterval(left.seconds + right.seconds),
    ("timeinterval", "-", "timeinterval"): lambda left, right: TimeInterval(left.seconds - right.seconds),
    ("timeinterval", "+", "timestamp"): lambda interval, time: moment(interval.seconds + time.seconds),
    ("timestamp", "+", "timeinterval"): lambda time, interval: moment(time.seconds + interval.seconds),
    ("timestamp", "-", "timestamp"): lambda left, right: TimeInterval(left.seconds - right.seconds),
    **{
        (name, sign, name): _as_number(compare)
        for name in ("double", "string", "timestamp", "timeinterval")
        for sign, compare in COMPARISON.items()
    },
}
"""Documented, row by row. What is not a key is an error here, even where the service may be kinder."""


def binary(left: Value, sign: str, right: Value) -> Value:
    """Apply an operator that stands between two values.

    Raises:
        CannotEvaluate: for types that the operator does not take, and for a division by zero.
    """
    types = (type_name(left), sign, type_name(right))
    if types not in BINARY:
        raise CannotEvaluate(f"{' '.join(types)} is not an operation{_advice(*types)}")
    return BINARY[types](left, right)


def _advice(left: str, sign: str, right: str) -> str:
    if (left, sign, right) == ("timestamp", "-", "timeinterval"):
        return "; write timestamp + (-timeinterval)"
    if "doubleVec" in (left, right):
        return "; avg, max, min, sum or val make one double of a doubleVec"
    return ""


def unary(sign: str, value: Value) -> Value:
    """Apply ``-`` or ``!``.

    Raises:
        CannotEvaluate: for types that the operator does not take.
    """
    match sign, value:
        case "-", float():
            return -value
        case "-", TimeInterval(seconds):
            return TimeInterval(-seconds)
        case "!", float():
            return float(not value)
    raise CannotEvaluate(f"{sign} {type_name(value)} is not an operation")


def text(value: Value) -> str:
    """A value as ``autoScaleRun.results`` shows it.

    A double has six significant digits (seen: ``$samples=96.6667``), a timestamp milliseconds and a doubleVec
    square brackets (documented). A timeinterval is shown as an ISO 8601 duration (assumed).
    """
    match value:
        case float():
            return f"{value:.6g}"
        case tuple():
            return f"[{','.join(map(text, value))}]"
        case Timestamp():
            return value.as_datetime().replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        case TimeInterval(seconds):
            return f"PT{seconds:.6g}S"
        case str():
            return value
