"""Dates as mail has them (RFC 5322 section 3.3), read with patience."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import Final

MAX_LENGTH: Final = 200
"""Characters of a date that are looked at."""


def parse_date(text: str) -> datetime | None:
    """Read a date in one of the forms that mail uses; None for anything else."""
    try:
        parsed = parsedate_tz(text[:MAX_LENGTH])
        if parsed is None:
            return None
        offset = timedelta(seconds=parsed[9] or 0)
        return datetime(*parsed[:6], tzinfo=timezone(offset))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
