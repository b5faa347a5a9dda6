"""The autoscale formulas of Azure Batch: parse one, evaluate it, read the new targets.

A formula is a string of at most 100 statements, ``$TargetDedicatedNodes = min(10, pending);``, that the
service evaluates every few minutes against samples of the pool. Nothing here acts, waits or looks at a clock.
"""

from batch_emulator.autoscale.errors import AutoScaleFormulaError
from batch_emulator.autoscale.evaluate import AutoScaleResult, evaluate, unchanged_results
from batch_emulator.autoscale.formula import Formula
from batch_emulator.autoscale.inputs import SAMPLE_PERIOD, Inputs, Sample
from batch_emulator.autoscale.parser import parse

__all__ = [
    "SAMPLE_PERIOD",
    "AutoScaleFormulaError",
    "AutoScaleResult",
    "Formula",
    "Inputs",
    "Sample",
    "evaluate",
    "parse",
    "unchanged_results",
]
