"""The simple types of the notation: functions that return a value as it is kept, or raise a Flaw."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from batch_emulator.errors import AutoScaleFormulaTooLong, InvalidPropertyValue, InvalidRequestBody
from batch_emulator.schema.flaw import HIDDEN, Flaw
from batch_emulator.wire import values

Check = Callable[[Any], Any]

_INT32 = 2**31
_INTEGER = re.compile(r"\s*-?[0-9]{1,10}\s*")
_LONGEST_COMMAND = 32768
_LONGEST_FORMULA = 8192
_SUBSCRIPTION = r"/subscriptions/(?!0{8}-(?:0{4}-){3}0{12}/)[^/\s]+/resourceGroups/[^/\s]+/providers"
_IMAGE = r"(?:images/[^/\s]+|galleries/[^/\s]+/images/[^/\s]+(?:/versions/[^/\s]+)?)"

_PATTERNS: Mapping[str, tuple[str, str]] = {
    "id": ("[A-Za-z0-9_-]{1,64}", "it must have 1 to 64 letters, digits, hyphens and underscores"),
    "prefix": ("[A-Za-z0-9_-]{1,20}", "it must have 1 to 20 letters, digits, hyphens and underscores"),
    "mode": ("[0-7]{3,5}", "it must be an octal file mode such as 0770"),
    "natname": (
        r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,75}[A-Za-z0-9_])?",
        "it must have at most 77 letters, digits, underscores, periods and hyphens",
    ),
    "subnet": (
        rf"(?i:{_SUBSCRIPTION}/Microsoft\.(?:Classic)?Network/virtualNetworks/[^/\s]+/subnets/[^/\s]+)",
        "it must be the resource id of a subnet in an existing subscription",
    ),
    "image": (
        rf"(?i:{_SUBSCRIPTION}/Microsoft\.Compute/{_IMAGE})",
        "it must be the resource id of a managed image or of an image in a Compute Gallery",
    ),
}


def boolean(value: Any) -> bool:
    """True or false; nothing else stands for them."""
    if value is True or value is False:
        return bool(value)
    raise Flaw(InvalidRequestBody, "true or false is expected")


def anything(value: Any) -> Any:
    """Whatever it is: settings that only a VM extension understands."""
    return value


def integer(low: int | None, high: int | None) -> Check:
    """A 32-bit integer in a range; callers send them as strings too, which are turned into integers."""
    least = -_INT32 if low is None else low
    most = _INT32 - 1 if high is None else high

    def check(value: Any) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if type(value) is not int:
            raise Flaw(InvalidRequestBody, "an integer is expected")
        if not least <= value <= most:
            raise Flaw(InvalidPropertyValue, f"it must be {_range(low, high)}", value)
        return value

    return check


def string(low: int | None, high: int | None) -> Check:
    """Text, with as many characters as the range allows."""
    least = low or 0

    def check(value: Any) -> str:
        text = _text(value)
        if len(text) < least:
            raise Flaw(InvalidPropertyValue, "it must not be empty", text)
        if high is not None and len(text) > high:
            raise Flaw(InvalidPropertyValue, f"it has {len(text)} characters and may have {high}", text)
        return text

    return check


def pattern(name: str) -> Check:
    """Text of a form that is known by name: `id`, `mode`..."""
    expression, reason = _PATTERNS[name]
    matches = re.compile(expression).fullmatch

    def check(value: Any) -> str:
        text = _text(value)
        if matches(text) is None:
            raise Flaw(InvalidPropertyValue, reason, text)
        return text

    return check


def command(value: Any) -> str:
    """A command line. The limit is the service's own, in its words "cannot be more than 32768 characters"."""
    text = _text(value)
    if not text.strip():
        raise Flaw(InvalidPropertyValue, "a command line must not be empty", text)
    if len(text) > _LONGEST_COMMAND:
        raise Flaw(
            InvalidPropertyValue,
            f"Total size of commandLine cannot be more than {_LONGEST_COMMAND} characters",
            text,
        )
    return text


def formula(value: Any) -> str:
    """An autoscale formula, of at most 8 KB; its syntax is not looked at here."""
    text = _text(value)
    if len(text) > _LONGEST_FORMULA:
        raise Flaw(
            AutoScaleFormulaTooLong, f"it has {len(text)} characters and may have {_LONGEST_FORMULA}", text
        )
    return text


def secret(value: Any) -> str:
    """Text that no message repeats."""
    try:
        return _text(value)
    except Flaw as flaw:
        flaw.value = HIDDEN
        raise


def url(value: Any) -> str:
    """An http(s) URL; it may hold a SAS, so that no message repeats it."""
    text = secret(value)
    if not text.lower().startswith(("https://", "http://")):
        raise Flaw(InvalidPropertyValue, "it must be a URL that begins with https:// or http://", HIDDEN)
    return text


def time(value: Any) -> str:
    """A time, kept in the form that the service writes."""
    text = _text(value)
    try:
        return values.timestamp(values.parse_timestamp(text))
    except (ValueError, OverflowError) as error:
        raise Flaw(InvalidPropertyValue, str(error), text) from None


def span(low: str | None, high: str | None) -> Check:
    """A duration in a range, kept in the form that the service echoes; without a range, not negative."""
    least = (values.parse_duration(low) or 0.0) if low else 0.0
    most = values.parse_duration(high) if high else None

    def check(value: Any) -> str:
        text = _text(value)
        try:
            seconds, kept = _canonical_duration(text)
        except ValueError as error:
            raise Flaw(InvalidPropertyValue, str(error), text) from None
        length = float("inf") if seconds is None else seconds
        if length < least or (most is not None and length > most):
            raise Flaw(InvalidPropertyValue, f"it must be {_range(low or 'PT0S', high)}", text)
        return kept

    return check


@lru_cache(maxsize=512)
def _canonical_duration(text: str) -> tuple[float | None, str]:
    seconds = values.parse_duration(text)
    return seconds, values.duration(seconds)


def choice(spellings: str) -> Check:
    """One of the values of an enumeration, in any case; kept as the service spells it."""
    known = {spelling.lower(): spelling for spelling in spellings.split()}

    def check(value: Any) -> str:
        text = _text(value)
        kept = known.get(text.lower())
        if kept is None:
            raise Flaw(InvalidPropertyValue, f"it must be one of {', '.join(known)}", text)
        return kept

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Flaw(InvalidRequestBody, "a string is expected")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Flaw(InvalidRequestBody, "half of a surrogate pair is no character") from None
    if "\0" in value:
        raise Flaw(InvalidPropertyValue, "it must not contain a NUL character", HIDDEN)
    return value


def _range(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"within {low} and {high}"
