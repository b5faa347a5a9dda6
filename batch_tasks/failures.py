"""Whose fault a failure is, judged from what Batch says of a task and the node says of a file. Pure.

Batch's own category (user or server) is only a hint: for some codes the sources differ (documented texts and
SDK constants), so the code decides.
"""

from __future__ import annotations

from typing import Literal

FailureKind = Literal["user", "input", "output", "node", "preemption", "service"]

_INPUT = ("blob", "resource")
_OUTPUT = ("fileupload",)
_NODE = frozenset({"diskfull", "resourcedirectorycreatefailed", "resourcefilecreatefailed"})
_USER = ("failureexitcode", "command", "container", "maxinternalretrycountreached", "mountconfiguration")
_ENDED = frozenset({"taskended", "taskschedulingconstraintfailed"})


def failure_kind(failure: str, exit_code: int | None, *, told: bool = False) -> FailureKind:
    """Whose fault it is that a file failed.

    A task that was ended, by its time limit or by somebody, counts as the user's: another try would be ended
    as well.

    Args:
        failure: Batch's own `Code: message`, or "".
        exit_code: of the task's command; None when it did not run.
        told: whether the node told what became of the file: then its command has run.
    """
    code = failure.partition(":")[0].strip().lower()
    if code == "nodepreempted":
        return "preemption"
    if code.startswith(_OUTPUT):
        return "output"
    if code in _NODE or code.startswith("resourcefilewrite"):
        return "node"
    if code.startswith(_INPUT):
        return "input"
    if code in _ENDED or code.startswith(_USER) or exit_code is not None or told:
        return "user"
    return "service"
