"""Members that may have no value: such a member is absent, never null (seen in recorded traffic)."""

from batch_emulator.resources import Document
from batch_emulator.wire.values import timestamp


def present(document: Document) -> Document:
    """The document without members that are None or an empty list."""
    return {name: value for name, value in document.items() if value is not None and value != []}


def moment(time: float | None) -> str | None:
    """A time (seconds since the epoch) as the service writes it, or None."""
    return None if time is None else timestamp(time)
