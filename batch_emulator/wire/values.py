"""Times, durations and ETags: as the service writes them, and as callers do."""

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS_AT_EPOCH = 621_355_968_000_000_000
"""1970 in the unit of the service's ETags: tenths of a microsecond since the year 1."""

UNLIMITED = "P10675199DT2H48M5.4775807S"
"""How the service writes "no limit" (seen in recorded traffic)."""
_UNLIMITED_SECONDS = 10675199 * 86400 + 2 * 3600 + 48 * 60 + 5.4775807
_UNLIMITED_SLACK = 0.001
"""Clients that read and write back the unlimited duration round it to microseconds."""

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?([Zz]|[+-]\d\d:\d\d)?)?", re.ASCII
)
_NUMBER = r"(\d{1,12}(?:[.,]\d{1,12})?)"
_DURATION = re.compile(
    rf"(-)?P(?=[\dT])(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.ASCII,
)
_UNITS = (365 * 86400, 30 * 86400, 7 * 86400, 86400, 3600, 60, 1)


@lru_cache(maxsize=4096)
def timestamp(epoch: float, *, trim: bool = True) -> str:
    """A time of day as `2022-09-06T23:45:29.9954813Z`: UTC, up to seven digits, trailing zeros cut.

    Args:
        epoch: seconds since 1970.
        trim: False keeps all seven digits, as the texts of errors do (both seen in recorded traffic).
    """
    whole = math.floor(epoch)
    ticks = round((epoch - whole) * 10_000_000)
    moment = _EPOCH + timedelta(seconds=whole + ticks // 10_000_000)
    fraction = f".{ticks % 10_000_000:07d}"
    if trim:
        fraction = fraction.rstrip("0").rstrip(".")
    return moment.isoformat()[:19] + fraction + "Z"


def parse_timestamp(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time; without a zone it is UTC, without a time it is midnight.

    Raises:
        ValueError: it is not such a time.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("it is not a time such as 2025-01-31T12:00:00Z")
    year, month, day, hour, minute, second, fraction, zone = match.groups(default="")
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        tzinfo=_zone(zone),
    )
    since = moment - _EPOCH
    return since.days * 86400 + since.seconds + (float(f"0.{fraction}") if fraction else 0.0)


def _zone(text: str) -> timezone:
    if text in {"", "Z", "z"}:
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def http_date(epoch: float) -> str:
    """A time for a header, as `Tue, 06 Sep 2022 23:45:30 GMT`; fractions of a second are dropped."""
    return formatdate(math.floor(epoch), usegmt=True)


def parse_http_date(text: str) -> float:
    """Seconds since 1970 of a header's time, in any of the forms HTTP allows.

    Raises:
        ValueError: it is not such a time.
    """
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError("it is not a time such as Fri, 31 Jan 2025 12:00:00 GMT") from None


def duration(seconds: float | None) -> str:
    """A duration as the service echoes it: `PT15M`, `P7D`, `P1DT2H`, `PT0S`; None is the unlimited one."""
    if seconds is None:
        return UNLIMITED
    ticks = round(abs(seconds) * 10_000_000)
    whole, rest = divmod(ticks, 10_000_000)
    days, whole = divmod(whole, 86400)
    hours, whole = divmod(whole, 3600)
    minutes, whole = divmod(whole, 60)
    last = f"{whole}.{rest:07d}".rstrip("0").rstrip(".") if rest else str(whole)
    date = f"{days}D" if days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    time += f"{last}S" if last != "0" else ""
    if not date and not time:
        return "PT0S"
    return ("-" if seconds < 0 else "") + "P" + date + (f"T{time}" if time else "")


def parse_duration(text: str) -> float | None:
    """Seconds of any ISO 8601 duration (`PT10M00S`, `P1W`, `PT0.5S`); None if it is the unlimited one.

    A month counts 30 days and a year 365, as they do in .NET.

    Raises:
        ValueError: it is not a duration, or it is longer than the unlimited one.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("it is not an ISO 8601 duration such as PT15M or P7D")
    sign, *numbers = match.groups()
    seconds = sum(
        float(number.replace(",", ".")) * unit
        for number, unit in zip(numbers, _UNITS, strict=True)
        if number is not None
    )
    if seconds > _UNLIMITED_SECONDS + _UNLIMITED_SLACK:
        raise ValueError(f"it is longer than the longest duration, {UNLIMITED}")
    if seconds >= _UNLIMITED_SECONDS - _UNLIMITED_SLACK and not sign:
        return None
    return -seconds if sign else seconds


def etag(epoch_ns: int) -> str:
    """The ETag of a resource last changed at this time, as `0x8DA9061E1BED87D`.

    Recorded ETags are the time of the change (`lastModified`) in hexadecimal ticks. They are not quoted.

    Args:
        epoch_ns: nanoseconds since 1970.
    """
    return f"0x{_TICKS_AT_EPOCH + epoch_ns // 100:X}"


def same_etag(sent: str, have: str) -> bool:
    """Whether a condition header names this ETag: quoted or not, weak or not, in a list, or as `*`."""
    wanted = _bare(have)
    return any(bare in {"*", wanted} for bare in map(_bare, sent.split(",")))


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')
