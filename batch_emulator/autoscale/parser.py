"""From the text of a formula to its instructions; one method per rule of the grammar.

Names are checked here and not at evaluation: statements run in order and only once, so a variable that no
statement above has assigned is an error in every evaluation.
"""

import math

from batch_emulator.autoscale import names
from batch_emulator.autoscale.errors import AutoScaleFormulaError, Position
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
from batch_emulator.autoscale.lexer import Token, Words
from batch_emulator.autoscale.vocabulary import Vocabulary, check_count

MAX_LENGTH = 8192
"""Characters of a formula (documented as 8 KB, and as 8192 characters with the error code)."""
MAX_STATEMENTS = 100
"""Statements of a formula (documented)."""
MAX_DEPTH = 64
"""How deep expressions nest; deeper ones get an error that says so (the service's limit is not known)."""

TIGHTEST_LAST = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
LEVELS = {sign: level for level, signs in enumerate(TIGHTEST_LAST, start=1) for sign in signs}
"""How tightly operators bind: as in C, which all documented examples agree with (assumed)."""


def parse(formula: str) -> Formula:
    """Check the syntax and the names of a formula.

    Raises:
        AutoScaleFormulaError: kind "too_long" above 8192 characters, else "syntax".
    """
    if len(formula) > MAX_LENGTH:
        problem = f"the formula has {len(formula)} characters; at most {MAX_LENGTH} are allowed"
        raise AutoScaleFormulaError(problem, Position(1, 1), "too_long")
    return Formula(formula, _Parser(formula).statements())


class _Parser:
    """Reads words one after the other and writes the instructions of the statement it is in."""

    def __init__(self, formula: str) -> None:
        self._words = Words(formula)
        self._vocabulary = Vocabulary()
        self._code: list[Instruction] = []
        self._depth = 0

    def statements(self) -> tuple[Statement, ...]:
        """``statement (; statement)* ;?`` (the last semicolon can be left out: documented)."""
        words = self._words
        statements: list[Statement] = []
        while not words.at_end():
            if words.accept(";"):
                continue
            if len(statements) == MAX_STATEMENTS:
                words.fail(f"a formula has at most {MAX_STATEMENTS} statements")
            statements.append(self._statement())
            if not words.at_end():
                words.expect(";", "a ';' or an operator is missing")
        if not statements:
            words.fail("the formula has no statement")
        return tuple(statements)

    def _statement(self) -> Statement:
        """``name = expression``, or ``expression``."""
        self._code = []
        first = self._words.next
        if not self._words.assignment_follows():
            self._expression()
            return Statement(None, tuple(self._code), first.position)
        self._vocabulary.check_target(self._words.take())
        self._words.take()
        self._expression()
        self._vocabulary.assign(first.text)
        return Statement(first.text, tuple(self._code), first.position)

    def _expression(self) -> None:
        """``operation (? expression : operation)*``; a chain of choices nests no deeper for being long."""
        ends: list[int] = []
        self._operation(1)
        while (question := self._words.next).is_sign("?"):
            self._words.take()
            otherwise = self._emit(JumpIfZero(0, question.position))
            self._expression()
            ends.append(self._emit(Jump(0, question.position)))
            self._land(otherwise)
            self._words.expect(":", "a '?' needs two values and a ':' between them, which is missing")
            self._operation(1)
        for end in ends:
            self._land(end)

    def _operation(self, level: int) -> None:
        """``operand (operator operand)*``, with operators that bind as tightly as `level` or tighter."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._words.fail(f"expressions are nested more than {MAX_DEPTH} deep here")
        self._operand()
        while (sign := self._words.next).kind == "sign" and LEVELS.get(sign.text, 0) >= level:
            self._words.take()
            if sign.is_sign("&&"):
                self._and(sign.position)
            elif sign.is_sign("||"):
                self._or(sign.position)
            else:
                self._operation(LEVELS[sign.text] + 1)
                self._emit(Binary(sign.text, sign.position))
        self._depth -= 1

    def _and(self, position: Position) -> None:
        """``left ? right != 0 : 0``."""
        left_is_zero = self._emit(JumpIfZero(0, position))
        self._operation(LEVELS["&&"] + 1)
        self._emit(Truth(position))
        end = self._emit(Jump(0, position))
        self._land(left_is_zero)
        self._emit(Push(0.0, position))
        self._land(end)

    def _or(self, position: Position) -> None:
        """``left ? 1 : right != 0``."""
        left_is_zero = self._emit(JumpIfZero(0, position))
        self._emit(Push(1.0, position))
        end = self._emit(Jump(0, position))
        self._land(left_is_zero)
        self._operation(LEVELS["||"] + 1)
        self._emit(Truth(position))
        self._land(end)

    def _operand(self) -> None:
        """``(- | !)* primary (. member)*``."""
        signs: list[Token] = []
        while self._words.next.is_sign("-", "!"):
            signs.append(self._words.take())
        self._primary()
        while self._words.accept("."):
            member = self._words.take()
            self._vocabulary.check_member(member)
            self._emit(Member(member.text, member.position))
        for sign in reversed(signs):
            self._emit(Unary(sign.text, sign.position))

    def _primary(self) -> None:
        """A number, a string, a name, a call, or an expression in parentheses."""
        word = self._words.next
        if word.kind == "end" or (word.kind == "sign" and word.text != "("):
            self._words.fail(f"a value is missing before {word}")
        self._words.take()
        match word.kind:
            case "number":
                self._emit(Push(_number(word), word.position))
            case "string":
                self._emit(Push(word.text, word.position))
            case "name":
                self._name(word)
            case _:
                self._expression()
                self._words.expect(")", "a ')' or an operator is missing")

    def _name(self, word: Token) -> None:
        if self._words.accept("("):
            function = self._vocabulary.function(word)
            count = self._arguments()
            check_count(word, count, function)
            self._emit(Call(word.text, count, word.position))
        elif word.text in names.CONSTANTS:
            self._emit(Push(names.CONSTANTS[word.text], word.position))
        elif (metric := self._vocabulary.metric(word)) and self._words.accept("."):
            self._method(metric, word.position)
        else:
            self._emit(Load(self._vocabulary.variable(word), word.position))

    def _method(self, metric: str, position: Position) -> None:
        word = self._words.take()
        method = self._vocabulary.method(metric, word)
        self._words.expect("(", f"{word.text} is a method; a '(' is missing")
        count = self._arguments()
        check_count(word, count, method)
        self._emit(AskMetric(metric, word.text, count, position))

    def _arguments(self) -> int:
        """``(expression (, expression)*)? )``; returns how many there are."""
        if self._words.accept(")"):
            return 0
        self._expression()
        count = 1
        while self._words.accept(","):
            self._expression()
            count += 1
        self._words.expect(")", "a ')' or a ',' is missing")
        return count

    def _emit(self, instruction: Instruction) -> int:
        """Write an instruction; returns its index."""
        self._code.append(instruction)
        return len(self._code) - 1

    def _land(self, at: int) -> None:
        """Let the jump written there lead to the instruction that is written next."""
        jump = self._code[at]
        assert isinstance(jump, Jump | JumpIfZero)
        self._code[at] = type(jump)(len(self._code), jump.position)


def _number(word: Token) -> float:
    number = float(word.text)
    if not math.isfinite(number):
        raise AutoScaleFormulaError(f"the number {word.text} is too large", word.position)
    return number
