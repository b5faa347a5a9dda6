"""Reading ``time("...")``: W3C date and time, or RFC 1123 (documented)."""

import re
from datetime import UTC, datetime, timedelta

from batch_emulator.autoscale.errors import CannotEvaluate
from batch_emulator.autoscale.values import Timestamp, moment

W3C = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?P<fraction>\.[0-9]{1,7})?)?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hours>[0-9]{2}):(?P<zone_minutes>[0-9]{2})))?)?)?"
)
RFC_1123 = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?P<day>[0-9]{1,2}) (?P<name>[A-Z][a-z]{2}) (?P<year>[0-9]{4}) "
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2}) GMT"
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read_timestamp(text: str) -> Timestamp:
    """Read a timestamp.

    A fraction of a second has at most seven digits: nine were refused by the service (seen in an issue of
    another program), seven are what the service writes itself.

    Raises:
        CannotEvaluate: if the text is neither format, or no date of the calendar.
    """
    fields = _fields(text)
    if fields is None:
        raise CannotEvaluate(
            f'"{text}" is not a time; write 2030-12-31T23:59:59Z or Tue, 31 Dec 2030 23:59:59 GMT '
            "(a time of day needs Z or an offset such as +01:00, fractions at most seven digits)"
        )
    try:
        date = datetime(
            int(fields["year"]),
            int(fields.get("month", 1)),
            int(fields.get("day", 1)),
            int(fields.get("hour", 0)),
            int(fields.get("minute", 0)),
            int(fields.get("second", 0)),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise CannotEvaluate(f'"{text}" is not a time: {error}') from None
    return moment(date.timestamp() + float(fields.get("fraction", 0)) - _offset(fields).total_seconds())


def _fields(text: str) -> dict[str, str] | None:
    if w3c := W3C.fullmatch(text):
        return {name: value for name, value in w3c.groupdict().items() if value}
    if (rfc := RFC_1123.fullmatch(text)) and rfc["name"] in MONTHS:
        return {**rfc.groupdict(), "month": str(MONTHS.index(rfc["name"]) + 1)}
    return None


def _offset(fields: dict[str, str]) -> timedelta:
    offset = timedelta(hours=int(fields.get("zone_hours", 0)), minutes=int(fields.get("zone_minutes", 0)))
    return -offset if fields.get("sign") == "-" else offset
