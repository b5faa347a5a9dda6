"""Which names a formula may use where, and the errors if it uses others."""

from difflib import get_close_matches
from typing import NoReturn

from batch_emulator.autoscale import names
from batch_emulator.autoscale.errors import AutoScaleFormulaError
from batch_emulator.autoscale.functions import FUNCTIONS, Function
from batch_emulator.autoscale.lexer import Token
from batch_emulator.autoscale.samples import METHODS, Method


class Vocabulary:
    """The names of the service and those that the statements so far have assigned."""

    def __init__(self) -> None:
        self._assigned: set[str] = set()

    def assign(self, name: str) -> None:
        """Make a variable known to the statements below."""
        self._assigned.add(name)

    def check_target(self, word: Token) -> None:
        """Refuse to assign to what the service defines for reading only."""
        if word.text in names.CONSTANTS:
            _fail(word, f"{word.text} is a constant; it cannot be assigned")
        if word.text in names.METRICS or word.text in names.METRIC_ALIASES:
            _fail(word, f"{word.text} is read-only; only {', '.join(sorted(names.WRITABLE))} can be set")

    def variable(self, word: Token) -> str:
        """The variable of that name, whose value can be computed with."""
        name = names.METRIC_ALIASES.get(word.text, word.text)
        if name in self._assigned or name in names.WRITABLE or name in names.NUMBERS:
            return name
        if name in names.METRICS:
            problem = f"{name} has samples, not one value; write for example max({name}.GetSample(1))"
        elif name in FUNCTIONS:
            problem = f"{name} is a function; write {name}(...)"
        else:
            known = {*self._assigned, *names.WRITABLE, *names.METRICS, *names.CONSTANTS}
            problem = f"nothing above assigns the variable {name}{_did_you_mean(name, known)}"
        raise AutoScaleFormulaError(problem, word.position)

    def metric(self, word: Token) -> str | None:
        """The metric of that name, or None if it is none."""
        name = names.METRIC_ALIASES.get(word.text, word.text)
        return name if name in names.METRICS else None

    def function(self, word: Token) -> Function:
        """The function of that name."""
        if word.text not in FUNCTIONS:
            _fail(word, f"there is no function {word.text}{_did_you_mean(word.text, set(FUNCTIONS))}")
        return FUNCTIONS[word.text]

    def method(self, metric: str, word: Token) -> Method:
        """The method of that name."""
        if word.text not in METHODS:
            _fail(word, f"{metric} has no method {word.text}; its methods are {', '.join(METHODS)}")
        return METHODS[word.text]

    def check_member(self, word: Token) -> None:
        """Refuse what no timestamp has."""
        if word.text in METHODS:
            _fail(word, f"{word.text} is a method of metrics such as $PendingTasks; this is none")
        if word.text not in names.MEMBERS:
            _fail(word, f"{word} is no member; a timestamp has {', '.join(names.MEMBERS)}")


def check_count(word: Token, count: int, called: Function | Method) -> None:
    """Refuse too many or too few arguments of a function or method."""
    fewest, most = called.fewest, called.most
    if count < fewest or (most is not None and count > most):
        allowed = f"{fewest}" if fewest == most else f"{fewest} to {most}" if most else f"{fewest} or more"
        _fail(word, f"{word.text} takes {allowed} arguments, not {count}")


def _did_you_mean(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _fail(word: Token, problem: str) -> NoReturn:
    raise AutoScaleFormulaError(problem, word.position)
