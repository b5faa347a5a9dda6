"""What is wrong with a body, and where: turned into the service's error once the whole path is known."""

from typing import NoReturn

from batch_emulator.errors import (
    BatchError,
    InvalidPropertyValue,
    InvalidRequestBody,
    MissingRequiredProperty,
)

_LONGEST_SHOWN = 200

HIDDEN = object()
"""Stands for a value that must not be repeated, for it is or holds a secret."""


class Flaw(Exception):
    """A part of a body is refused.

    Raised where the part is looked at, without knowledge of what is around it; each level above adds its
    own step with `within`.
    """

    def __init__(self, error: type[BatchError], reason: str, value: object = None) -> None:
        """Start with an empty path."""
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.value = value
        self.steps: list[str | int] = []

    def within(self, step: str | int) -> "Flaw":
        """Add the member or the index that the flaw was found in."""
        self.steps.append(step)
        return self

    @property
    def path(self) -> str:
        """Where it is, as `startTask.resourceFiles[2].httpUrl`."""
        steps = reversed(self.steps)
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")

    def as_error(self) -> BatchError:
        """The error of the service.

        `PropertyName` is the last name of the path, as in recorded answers; the whole path stands in the
        reason.
        """
        name = next((step for step in self.steps if isinstance(step, str)), "")
        where = self.path
        if self.error is InvalidRequestBody:
            return InvalidRequestBody(Reason=f"{where}: {self.reason}." if where else f"{self.reason}.")
        if self.error is MissingRequiredProperty:
            return MissingRequiredProperty(PropertyName=name, Reason=f"{where}: {self.reason}.")
        return self.error(
            PropertyName=name, PropertyValue=_shown(self.value), Reason=f"{where}: {self.reason}."
        )


def _shown(value: object) -> str:
    if value is HIDDEN:
        return "(not shown)"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def invalid(member: str, reason: str, value: object = None) -> NoReturn:
    """Refuse the value of a member of the object at hand."""
    raise Flaw(InvalidPropertyValue, reason, value).within(member)


def missing(member: str, reason: str = "it is required") -> NoReturn:
    """Refuse the object at hand for what it lacks."""
    raise Flaw(MissingRequiredProperty, reason).within(member)
