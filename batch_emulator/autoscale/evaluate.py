"""Running a parsed formula: from what a pool has measured to the targets it should have.

Of ``a ? b : c`` only the chosen side is evaluated, and of ``&&`` and ``||`` the right side only if the left
does not decide. The documentation's own advice depends on it: ask for `GetSamplePercent` first and for
`GetSample`, which fails if too few samples are there, only if there are enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from batch_emulator.autoscale import names
from batch_emulator.autoscale.errors import AutoScaleFormulaError, CannotEvaluate, Position
from batch_emulator.autoscale.formula import (
    AskMetric,
    Binary,
    Call,
    Formula,
    Instruction,
    Jump,
    JumpIfZero,
    Load,
    Member,
    Push,
    Statement,
    Truth,
    Unary,
)
from batch_emulator.autoscale.functions import FUNCTIONS, Stopped
from batch_emulator.autoscale.inputs import Inputs
from batch_emulator.autoscale.samples import METHODS, metric
from batch_emulator.autoscale.values import Timestamp, Value, binary, finite, text, type_name, unary

LARGEST_TARGET = 2**31 - 1
"""Targets are 32-bit integers on the wire."""


@dataclass(frozen=True, slots=True)
class AutoScaleResult:
    """What an evaluation says the pool should have."""

    target_dedicated: int | None
    """None: the formula sets no target, the one in force stays."""
    target_low_priority: int | None
    deallocation: str
    """What becomes of the tasks of a node that leaves: one of `names.DEALLOCATION_OPTIONS`."""
    variables: Mapping[str, Value]
    """The user's variables, in the order in which they were first assigned."""
    results: str
    """The text of ``autoScaleRun.results``."""


def evaluate(formula: Formula, inputs: Inputs) -> AutoScaleResult:
    """Run a formula.

    A target is cut down to a whole number: 2.9 is 2 (seen in an issue of the service).

    Raises:
        AutoScaleFormulaError: of kind "runtime": too few samples, values of the wrong type, a division by
            zero, a target below zero (assumed). The service then leaves the pool as it is (documented).
    """
    scope = _Scope(inputs)
    try:
        for statement in formula.statements:
            scope.run(statement)
    except Stopped:
        pass
    return scope.result()


def unchanged_results(inputs: Inputs) -> str:
    """The text of ``autoScaleRun.results`` when the formula failed: the targets in force (seen)."""
    return _results(inputs.dedicated_in_force, inputs.low_priority_in_force, "requeue", {})


def _results(dedicated: int, low_priority: int, deallocation: str, variables: Mapping[str, Value]) -> str:
    """The three outcomes, then the variables by name, ``$`` before letters (seen in real results)."""
    outcomes = [
        f"{names.TARGET_DEDICATED}={dedicated}",
        f"{names.TARGET_LOW_PRIORITY}={low_priority}",
        f"{names.DEALLOCATION_OPTION}={deallocation}",
    ]
    return ";".join(outcomes + [f"{name}={text(variables[name])}" for name in sorted(variables)])


class _Scope:
    """The variables of one evaluation."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._given: dict[str, Value] = {
            names.DEALLOCATION_OPTION: "requeue",
            names.TARGET_DEDICATED: float(inputs.dedicated_in_force),
            names.TARGET_LOW_PRIORITY: float(inputs.low_priority_in_force),
            names.CURRENT_DEDICATED: float(inputs.current_dedicated),
            names.CURRENT_LOW_PRIORITY: float(inputs.current_low_priority),
            names.TASK_SLOTS_PER_NODE: float(inputs.task_slots_per_node),
        }
        self._assigned: dict[str, Value] = {}
        self._places: dict[str, Position] = {}

    def run(self, statement: Statement) -> None:
        """Evaluate a statement and assign its value."""
        value = self._value(statement.code)
        if statement.target is None:
            return
        _check_type(statement.target, value, statement.position)
        self._assigned[statement.target] = value
        self._places[statement.target] = statement.position

    def result(self) -> AutoScaleResult:
        """What the assignments amount to."""
        dedicated = self._target(names.TARGET_DEDICATED)
        low_priority = self._target(names.TARGET_LOW_PRIORITY)
        deallocation = str(self._read(names.DEALLOCATION_OPTION))
        variables = {name: value for name, value in self._assigned.items() if name not in names.WRITABLE}
        results = _results(
            self._inputs.dedicated_in_force if dedicated is None else dedicated,
            self._inputs.low_priority_in_force if low_priority is None else low_priority,
            deallocation,
            variables,
        )
        return AutoScaleResult(dedicated, low_priority, deallocation, MappingProxyType(variables), results)

    def _target(self, name: str) -> int | None:
        assigned = self._assigned_name(name)
        if assigned is None:
            return None
        value = self._assigned[assigned]
        assert isinstance(value, float)
        if not 0 <= int(value) <= LARGEST_TARGET:
            problem = f"{assigned} is {value:g}; a target is a number from 0 to {LARGEST_TARGET}"
            raise AutoScaleFormulaError(problem, self._places[assigned], "runtime")
        return int(value)

    def _assigned_name(self, name: str) -> str | None:
        """Under which name a variable was assigned; the full name wins over its alias (documented)."""
        full = names.TARGET_ALIASES.get(name, name)
        aliases = [alias for alias, of in names.TARGET_ALIASES.items() if of == full]
        return next((found for found in (full, *aliases) if found in self._assigned), None)

    def _read(self, name: str) -> Value:
        assigned = self._assigned_name(name)
        return (
            self._given[names.TARGET_ALIASES.get(name, name)]
            if assigned is None
            else self._assigned[assigned]
        )

    def _value(self, code: tuple[Instruction, ...]) -> Value:
        """Run the instructions of one statement."""
        stack: list[Value] = []
        at = 0
        while at < len(code):
            instruction = code[at]
            at += 1
            try:
                match instruction:
                    case Jump(to):
                        at = to
                    case JumpIfZero(to):
                        at = at if _truth(stack.pop()) else to
                    case _:
                        stack.append(finite(self._step(instruction, stack)))
            except CannotEvaluate as problem:
                raise AutoScaleFormulaError(
                    str(problem), instruction.position, "runtime", problem.code
                ) from None
        return stack.pop()

    def _step(self, instruction: Instruction, stack: list[Value]) -> Value:
        """Take from the stack what an instruction needs and compute what it leaves there."""
        match instruction:
            case Push(value):
                return value
            case Load(name):
                return self._read(name)
            case Member(name):
                return _member(stack.pop(), name)
            case AskMetric(name, method, count):
                return METHODS[method].call(metric(name, self._inputs), _take(stack, count))
            case Call(function, count):
                return FUNCTIONS[function].call(_take(stack, count), self._inputs)
            case Unary(sign):
                return unary(sign, stack.pop())
            case Binary(sign):
                left, right = _take(stack, 2)
                return binary(left, sign, right)
            case Truth():
                return float(_truth(stack.pop()))
        raise AssertionError(instruction)


def _take(stack: list[Value], count: int) -> list[Value]:
    start = len(stack) - count
    taken = stack[start:]
    del stack[start:]
    return taken


def _truth(value: Value) -> bool:
    if not isinstance(value, float):
        raise CannotEvaluate(f"a condition is a double, not a {type_name(value)}")
    return value != 0


def _member(value: Value, name: str) -> float:
    if not isinstance(value, Timestamp):
        raise CannotEvaluate(f"only a timestamp has .{name}; this is a {type_name(value)}")
    date = value.as_datetime()
    # Monday is 1 (documented); that Sunday is 7 and not 0 is assumed, as programs in use do.
    return float(date.isoweekday() if name == "weekday" else getattr(date, name))


def _check_type(target: str, value: Value, position: Position) -> None:
    if target in names.TARGETS and not isinstance(value, float):
        problem = f"{target} needs a double, not a {type_name(value)}"
    elif target == names.DEALLOCATION_OPTION and value not in names.DEALLOCATION_OPTIONS:
        problem = f"{target} is one of {', '.join(names.DEALLOCATION_OPTIONS)}, not {text(value)}"
    else:
        return
    raise AutoScaleFormulaError(problem, position, "runtime")
