"""Values of the service's enums, compared without case.

The SDK matches enum values case-sensitively, while the service says `Success` where the enum says `success`
(seen in recorded traffic): such values arrive as plain strings, others as enum members.
"""

from __future__ import annotations

from enum import Enum


def wire_value(value: str | Enum | None) -> str:
    """An enum member or a string as the service spells it, in lower case; "" for None."""
    return str(value.value if isinstance(value, Enum) else value or "").lower()
