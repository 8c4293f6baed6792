"""What a store tells of a message, found out from its bytes: ready to be sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from referrald.mailmodel import COMMON_FIELDS, Column
from referrald.mime.parts import Part, parse
from referrald.mime.structure import body_structure, envelope

MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

FROM_CONTENT: Final[frozenset[Column]] = frozenset({"envelope", "body", "structure", "fields"})
"""The columns that have to do with the bytes of a message."""


def date_time(when: datetime) -> bytes:
    """Write a date as INTERNALDATE has it, without the quotes (RFC 3501, ``date-time``)."""
    seconds = int((when.utcoffset() or timedelta()).total_seconds())
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    month = MONTHS[when.month - 1]
    return f"{when.day:02d}-{month}-{when.year:04d} {when:%H:%M:%S} {zone}".encode("ascii")


def describe(content: bytes, columns: Sequence[Column]) -> dict[Column, bytes]:
    """Give those of the columns that are found in the bytes of a message."""
    wanted = FROM_CONTENT.intersection(columns)
    if not wanted:
        return {}
    message = parse(content.replace(b"\0", b"\x80"))
    return {column: _described(message, column) for column in wanted}


def _described(message: Part, column: Column) -> bytes:
    if column == "envelope":
        return bytes(envelope(message))
    if column == "fields":
        return common_fields(message)
    return bytes(body_structure(message, column == "structure"))


_COMMON = re.compile(
    rb"^(?:%b)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?"
    % b"|".join(map(re.escape, sorted(COMMON_FIELDS))),
    re.IGNORECASE | re.MULTILINE,
)


def common_fields_in(header: bytes) -> bytes:
    """Give the same as `common_fields` for a message with that header."""
    return b"".join(_COMMON.findall(header))


def common_fields(message: Part) -> bytes:
    """Give the lines of the header fields in `COMMON_FIELDS`, as they stand in the message."""
    return b"".join(each.raw for each in message.fields if each.name in COMMON_FIELDS)
