"""A parsed formula: statements, each a list of instructions for a machine with one stack.

A list rather than a tree: evaluating it needs no recursion however deep the formula is nested, and jumps
evaluate only the branch of ``?:`` that was chosen.
"""

from dataclasses import dataclass

from batch_emulator.autoscale.errors import Position
from batch_emulator.autoscale.values import Value


@dataclass(frozen=True, slots=True)
class Push:
    """Put a constant on the stack."""

    value: Value
    position: Position


@dataclass(frozen=True, slots=True)
class Load:
    """Put the value of a variable on the stack."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Member:
    """Replace a timestamp by one of its members."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class AskMetric:
    """Replace the arguments by what a method of a metric answers."""

    metric: str
    method: str
    arguments: int
    position: Position


@dataclass(frozen=True, slots=True)
class Call:
    """Replace the arguments by the value of a function."""

    function: str
    arguments: int
    position: Position


@dataclass(frozen=True, slots=True)
class Unary:
    """Replace a value by its negative or its opposite."""

    sign: str
    position: Position


@dataclass(frozen=True, slots=True)
class Binary:
    """Replace two values by the result of an operator between them."""

    sign: str
    position: Position


@dataclass(frozen=True, slots=True)
class Truth:
    """Replace a double by 1 or, if it is zero, 0."""

    position: Position


@dataclass(frozen=True, slots=True)
class JumpIfZero:
    """Take a double from the stack and, if it is zero, go on at instruction `to`."""

    to: int
    position: Position


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on at instruction `to`."""

    to: int
    position: Position


Instruction = Push | Load | Member | AskMetric | Call | Unary | Binary | Truth | JumpIfZero | Jump


@dataclass(frozen=True, slots=True)
class Statement:
    """``target = code;``, or ``code;`` for its effect (``stop();``)."""

    target: str | None
    code: tuple[Instruction, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula whose syntax and names are known to be right."""

    text: str
    statements: tuple[Statement, ...]
