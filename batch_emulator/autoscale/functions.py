"""The predefined functions (documented)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from batch_emulator.autoscale.errors import CannotEvaluate
from batch_emulator.autoscale.inputs import Inputs
from batch_emulator.autoscale.timestamps import read_timestamp
from batch_emulator.autoscale.values import Value, Vector, moment, type_name

Arguments = Sequence[Value]


class Stopped(Exception):
    """``stop()`` was called: what was assigned until then is the result."""


@dataclass(frozen=True, slots=True)
class Function:
    """How a function is called: with how few and how many arguments, and what it then computes."""

    call: Callable[[Arguments, Inputs], Value]
    fewest: int = 0
    most: int | None = None


def flattened(arguments: Arguments) -> Vector:
    """A doubleVecList as the one doubleVec that it stands for: ``avg(v, 7)`` is ``avg(1, 2, 3, 7)``.

    Raises:
        CannotEvaluate: if it holds anything but doubles and doubleVecs.
    """
    numbers: list[float] = []
    for argument in arguments:
        match argument:
            case float():
                numbers.append(argument)
            case tuple():
                numbers.extend(argument)
            case _:
                raise CannotEvaluate(
                    f"this function takes doubles and doubleVecs, not a {type_name(argument)}"
                )
    return tuple(numbers)


def _of_list(compute: Callable[[Vector], float], at_least: int = 0) -> Function:
    def call(arguments: Arguments, _: Inputs) -> float:
        numbers = flattened(arguments)
        if len(numbers) < at_least:
            raise CannotEvaluate(f"this function needs {at_least} or more values; there are {len(numbers)}")
        return float(compute(numbers))

    return Function(call)


def _componentwise(compute: Callable[[float], float]) -> Function:
    def call(arguments: Arguments, _: Inputs) -> Value:
        match arguments:
            case [float() as number]:
                return float(compute(number))
        return tuple(float(compute(number)) for number in flattened(arguments))

    return Function(call, fewest=1)


def _logarithm(of: Callable[[float], float]) -> Callable[[float], float]:
    def compute(number: float) -> float:
        if number <= 0:
            raise CannotEvaluate(f"the logarithm of {number:g} does not exist")
        return of(number)

    return compute


def _average(numbers: Vector) -> float:
    return sum(numbers) / len(numbers)


def _sample_standard_deviation(numbers: Vector) -> float:
    average = _average(numbers)
    return math.hypot(*(number - average for number in numbers)) / math.sqrt(len(numbers) - 1)


def _round(number: float) -> float:
    """To the nearest integer, halves away from zero (documented)."""
    whole = math.trunc(number)
    return whole + math.copysign(1, number) if abs(number - whole) >= 0.5 else whole


def _percentile(arguments: Arguments, _: Inputs) -> float:
    """The element below which `p` percent of the vector lie, by nearest rank (which rank is assumed)."""
    match arguments:
        case [tuple() as vector, float() as percent] if vector and 0 <= percent <= 100:
            rank = max(1, math.ceil(percent / 100 * len(vector)))
            return float(sorted(vector)[rank - 1])
    raise CannotEvaluate("percentile takes a doubleVec that is not empty and a double from 0 to 100")


def _val(arguments: Arguments, _: Inputs) -> float:
    match arguments:
        case [tuple() as vector, float() as index]:
            if not 0 <= index < len(vector):
                raise CannotEvaluate(f"val({index:g}) of a doubleVec of {len(vector)} elements")
            return float(vector[int(index)])
    raise CannotEvaluate("val takes a doubleVec and a double, as in val($ActiveTasks.GetSample(3), 0)")


def _time(arguments: Arguments, inputs: Inputs) -> Value:
    match arguments:
        case [] | [""]:
            return moment(inputs.now)
        case [str() as text]:
            return read_timestamp(text)
    raise CannotEvaluate("time takes a string or nothing")


def _stop(_arguments: Arguments, _inputs: Inputs) -> Value:
    raise Stopped


FUNCTIONS: Mapping[str, Function] = {
    "avg": _of_list(_average, at_least=1),
    "ceil": _componentwise(math.ceil),
    "floor": _componentwise(math.floor),
    "len": _of_list(len),
    "lg": _componentwise(_logarithm(math.log2)),
    "ln": _componentwise(_logarithm(math.log)),
    "log": _componentwise(_logarithm(math.log10)),
    "max": _of_list(max, at_least=1),
    "min": _of_list(min, at_least=1),
    "norm": _of_list(lambda numbers: math.hypot(*numbers)),
    "percentile": Function(_percentile, fewest=2, most=2),
    "rand": Function(lambda _, inputs: float(inputs.random()), most=0),
    "range": _of_list(lambda numbers: max(numbers) - min(numbers), at_least=1),
    "round": _componentwise(_round),
    "std": _of_list(_sample_standard_deviation, at_least=2),
    "stop": Function(_stop, most=0),
    "sum": _of_list(sum),
    "time": Function(_time, most=1),
    "val": Function(_val, fewest=2, most=2),
}
