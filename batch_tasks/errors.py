"""The errors a run can end with. Each says what happened, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError


class RunError(Exception):
    """What this pipeline has to say itself; trying the same again would not help."""


class AccountError(RunError):
    """The Azure account cannot be used as it is set."""


class InputError(RunError):
    """The input is refused, before anything was created. `problems` are sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(list(problems))
        self.problems = list(problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        listed = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems with the input:\n{listed}"


class PreFlightFailed(RunError):
    """The run cannot go well on this account; nothing was created. `problems` are sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(list(problems))
        self.problems = list(problems)

    def __str__(self) -> str:
        counted = "1 problem stands" if len(self.problems) == 1 else f"{len(self.problems)} problems stand"
        listed = "\n".join(f"  {number}. {text}" for number, text in enumerate(self.problems, start=1))
        return f"{counted} in the way; nothing was made:\n{listed}"


class ResourceBusy(RunError):
    """Something of the same name is still being deleted by Azure."""


class CleanUpFailed(RunError):
    """Something of the run could not be deleted."""


class RunClosing(RunError):
    """The run is being closed: a stage that still worked in a thread stops here."""


class SubmitFailed(RunError):
    """Batch refused tasks, or did not take them in time."""


def error_code(error: AzureError) -> str:
    """The service's own code of an error, such as `PoolExists`; "" when the answer held none."""
    code = getattr(error, "error_code", None)  # storage
    if code is None and isinstance(error, HttpResponseError) and error.error is not None:  # Batch
        code = error.error.code
    return str(getattr(code, "value", code) or "")


def code_of(error: AzureError) -> str:
    """Status and code of an error, for people: `403 AuthorizationFailed`."""
    status = getattr(error, "status_code", None)
    return " ".join(filter(None, (str(status or ""), error_code(error)))) or type(error).__name__


def is_refusal(error: BaseException) -> bool:
    """Whether Azure, or signing in to it, refused who we are or what we may do."""
    if isinstance(error, ClientAuthenticationError):
        return True
    return isinstance(error, HttpResponseError) and error.status_code in {401, 403}


def without_secrets(text: str) -> str:
    """The text with the signatures of signed URLs blotted out."""
    return re.sub(r"(?i)\b(sig=)[^&\s\"']+", r"\1...", text)
