"""A moment, samples up to it, and the shortest way to evaluate a formula then."""

from collections.abc import Sequence
from datetime import UTC, datetime

from batch_emulator.autoscale import SAMPLE_PERIOD, AutoScaleResult, Inputs, Sample, evaluate, parse
from batch_emulator.autoscale.values import Value

NOW = datetime(2026, 11, 21, 13, 7, 9, 250_000, tzinfo=UTC).timestamp()
"""A Saturday."""


def sampled(*values: float, until: float = NOW) -> list[Sample]:
    """One sample every 30 seconds, the last of them at `until`."""
    first = until - SAMPLE_PERIOD * (len(values) - 1)
    return [Sample(first + SAMPLE_PERIOD * index, value) for index, value in enumerate(values)]


def run(formula: str, inputs: Inputs | None = None, **samples: Sequence[Sample]) -> AutoScaleResult:
    """Evaluate a formula; `samples` are by the variable's name without its "$"."""
    series = {f"${name}": values for name, values in samples.items()}
    return evaluate(parse(formula), inputs or Inputs(NOW, series))


def value_of(expression: str, inputs: Inputs | None = None, **samples: Sequence[Sample]) -> Value:
    """What an expression comes to."""
    return run(f"x = {expression};", inputs, **samples).variables["x"]
