"""What can be wrong with a formula, and where in its text."""

from typing import Literal, NamedTuple

EVALUATION_ERROR = "AutoScalingFormulaEvaluationError"
INSUFFICIENT_SAMPLES = "InsufficientSampleData"

SUMMARIES = {
    INSUFFICIENT_SAMPLES: "Autoscale evaluation failed due to insufficient sample data",  # documented
    EVALUATION_ERROR: "The autoscale formula could not be evaluated",  # assumed
}

Kind = Literal["syntax", "too_long", "runtime"]


class Position(NamedTuple):
    """A place in the text of a formula; both numbers count from 1."""

    line: int
    column: int


class AutoScaleFormulaError(Exception):
    """A formula that cannot be parsed or evaluated; the text reads ``Line 1, Col 37: what is wrong``.

    Attributes:
        kind: "too_long" and "syntax" come from `parse` and refuse the request; "runtime" comes from
            `evaluate` and belongs in ``autoScaleRun.error``.
        code: the code of ``autoScaleRun.error``: "InsufficientSampleData" (documented) or
            "AutoScalingFormulaEvaluationError" (asserted by the tests of the service's SDKs, also for a
            formula with a syntax error that is only evaluated).
        summary: the message of ``autoScaleRun.error``; the text of this exception is the value of its
            name-value pair "Message" (documented).
        problem: what is wrong, without the place.
        position: the place.
    """

    def __init__(
        self, problem: str, position: Position, kind: Kind = "syntax", code: str = EVALUATION_ERROR
    ) -> None:
        super().__init__(f"Line {position.line}, Col {position.column}: {problem}")
        self.problem = problem
        self.position = position
        self.kind: Kind = kind
        self.code = code
        self.summary = SUMMARIES[code]


class CannotEvaluate(Exception):
    """Raised where values are computed and no place in the text is known; `evaluate` adds the place."""

    code = EVALUATION_ERROR


class InsufficientSampleData(CannotEvaluate):
    """Fewer samples are there than the formula wants."""

    code = INSUFFICIENT_SAMPLES
