"""The line that stands before each message of an mbox (RFC 4155). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import attrs

DAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
MONTHS: Final = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip

_DATED = re.compile(
    rb"From (?:.* )?\s*(?:" + b"|".join(DAYS) + rb"),? +"
    rb"(?P<month>" + b"|".join(MONTHS) + rb") +(?P<day>\d{1,2}) +"
    rb"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
    rb"(?: +(?P<before>[+-]\d{4}|[A-Z]{1,5}))? +(?P<year>\d{4})"
    rb"(?: +(?P<after>[+-]\d{4}|[A-Z]{1,5}))?(?: remote from .*)?\s*"
)


@attrs.frozen(kw_only=True)
class FromLine:
    """What such a line says. received: None where it has no date that could be."""

    received: datetime | None = None


def parse_from(line: bytes, *, first: bool = False) -> FromLine | None:
    """Give what the line says, None when it does not begin a message.

    Only with a date it does: text has lines that begin with "From " as well. The ``first`` line of
    a file needs none.
    """
    match = _DATED.fullmatch(line)
    if match is not None:
        return FromLine(received=_date(match))
    return FromLine() if first and line.startswith(b"From ") else None


def _date(match: re.Match[bytes]) -> datetime | None:
    try:
        return datetime(
            int(match["year"]),
            MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            tzinfo=_zone(match["after"] or match["before"] or b""),
        )
    except ValueError:
        return None


def _zone(text: bytes) -> timezone:
    """Give the zone: UTC where none is told (RFC 4155), and for names, which mean little."""
    if not text.startswith((b"+", b"-")):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text.startswith(b"-") else minutes))


def format_from(when: datetime) -> bytes:
    """Write the line for a message that came at that time."""
    at = when.astimezone(UTC)
    day, month = DAYS[at.weekday()], MONTHS[at.month - 1]
    clock = f"{at.day:2d} {at:%H:%M:%S} {at.year:04d}".encode("ascii")
    return b"From MAILER-DAEMON " + day + b" " + month + b" " + clock + b"\n"
