"""What the log of a run tells in Prefect: a story of a few lines, and of our own errors the sentence alone.

Prefect logs every error with its traceback, and at the end once more with the run's state. An error of ours
says what happened, where, and what to do; where in our code it was raised helps nobody. All others keep their
tracebacks. These are filters of `logging`, on the two loggers that Prefect documents for runs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from batch_tasks.errors import RunError

FAILED = "Failed: "
"""How the line begins that tells of an error of ours."""
_FLOW_RUNS, _TASK_RUNS = "prefect.flow_runs", "prefect.task_runs"
_ENDED_BY = re.compile(r"(Finished in state Failed)\(.(?:Flow|Task) run encountered an exception:? (\w+)")


def tell_errors_in_sentences() -> None:
    """From now on in this process. The end of a run is logged after its flow, so nothing takes this back."""
    for name in (_FLOW_RUNS, _TASK_RUNS):
        logging.getLogger(name).addFilter(_in_a_sentence)


@contextmanager
def only_the_story() -> Iterator[None]:
    """Leave out of the log what the states of the task runs show anyway: that each of them completed."""
    logger = logging.getLogger(_TASK_RUNS)
    logger.addFilter(_tells_more)
    try:
        yield
    finally:
        logger.removeFilter(_tells_more)


def _in_a_sentence(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, RunError):
        lines = [str(error), *getattr(error, "__notes__", ())]
        record.msg, record.args = FAILED + "\n".join(lines), ()
        record.exc_info = record.exc_text = None
    elif (ended := _ENDED_BY.match(record.getMessage())) and ended[2] in _names(RunError):
        record.msg, record.args = ended[1], ()  # the line before says by what
    return True


def _names(kind: type[RunError]) -> Iterator[str]:
    """Of this kind of error and of all kinds of it."""
    yield kind.__name__
    for narrower in kind.__subclasses__():
        yield from _names(narrower)


def _tells_more(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Finished in state Completed")
