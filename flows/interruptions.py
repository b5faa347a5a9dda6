"""What a signal to the process of a run does: it ends the run, and never the clean-up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.exceptions import TerminationSignal

_POLITE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
_RAISED = (KeyboardInterrupt, SystemExit, TerminationSignal)
"""What becomes of a signal: by Python, by our commands, by Prefect."""


@contextmanager
def interruptions_come_through() -> Iterator[None]:
    """Where something within the block breaks because it is interrupted, the interruption comes out.

    Prefect that is interrupted while it begins a task run fails for want of that run: "Task run is not set"
    (seen with 3.8.8). A run that is cancelled just then would be Failed.
    """
    try:
        yield
    except Exception as error:
        before = error.__context__
        while before is not None:
            if isinstance(before, _RAISED):
                raise before from None
            before = before.__context__
        raise


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within the block nothing ends this process politely: a second signal, or the flow's timeout (SIGALRM),
    must not leave clean-up half done.

    Prefect kills a cancelled run 30 s after its first SIGTERM (measured), so what is within must be quick.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _POLITE}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
