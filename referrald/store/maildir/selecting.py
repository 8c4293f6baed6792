"""Queries as conditions in SQL: whole where the index knows all, else what must be true."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any, Final, TypeAlias

from referrald.mailmodel import COMMON_FIELDS
from referrald.query import (
    All,
    Changed,
    Either,
    Flag,
    Header,
    Larger,
    Not,
    Older,
    Query,
    Received,
    Smaller,
    Uids,
    Younger,
)
from referrald.store.maildir.filenames import BITS

Condition: TypeAlias = tuple[str, tuple[Any, ...]]
RANGES: Final = 200
"""Ranges of UIDs that become one condition."""

DEPTH: Final = 300
"""Parentheses of a condition that SQLite takes without question; its limit is 1,000 levels."""

WORDS: Final = 4
"""Words of a text that are looked for, the longest ones."""

DAY: Final = 86_400
_BITS: Final = {name.lower(): bit for name, bit in BITS.items()}


def exactly(query: Query, now: datetime) -> Condition | None:
    """Give the condition that is true of the messages that match, None when there is none."""
    if isinstance(query, All):
        return _joined(" AND ", "1", [exactly(part, now) for part in query.parts])
    if isinstance(query, Either):
        return _joined(" OR ", "0", [exactly(query.first, now), exactly(query.second, now)])
    if isinstance(query, Not):
        inner = exactly(query.inner, now)
        return None if inner is None else _joined("", "", [(f"NOT ({inner[0]})", inner[1])])
    if isinstance(query, Younger | Older):
        then = now.timestamp() - query.seconds
        return (f"received {'>=' if isinstance(query, Younger) else '<='} ?", (then,))
    make = _MAKERS.get(type(query))
    return None if make is None else make(query)


def at_least(query: Query, now: datetime) -> Condition | None:
    """Give a condition that is true of all messages that match, and of few others."""
    whole = exactly(query, now)
    if whole is not None:
        return whole
    if isinstance(query, All):
        parts = [part for part in (at_least(part, now) for part in query.parts) if part]
        return _joined(" AND ", "1", parts) if parts else None
    if isinstance(query, Either):
        return _joined(" OR ", "0", [at_least(query.first, now), at_least(query.second, now)])
    return _field(query) if isinstance(query, Header) else None


def _joined(
    word: str, nothing: str, parts: list[Condition] | list[Condition | None]
) -> Condition | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    text = word.join(f"({part[0]})" for part in known) or nothing
    if text.count("(") > DEPTH:
        return None
    return text, tuple(value for part in known for value in part[1])


def _uids(query: Uids) -> Condition | None:
    if len(query.ranges) > RANGES:
        return None
    text = " OR ".join("uid BETWEEN ? AND ?" for _ in query.ranges) or "0"
    return text, tuple(min(end, 2**32) for ends in query.ranges for end in ends)


def _flag(query: Flag) -> Condition:
    name = query.name.lower()
    if name in _BITS:
        return "flags & ? <> 0", (_BITS[name],)
    return "instr(' ' || lower(keywords) || ' ', ?) > 0", (f" {name} ",)


def _received(query: Received) -> Condition:
    begin = int(datetime.combine(query.day, time(), UTC).timestamp())
    there = "received + zone * 60"
    if query.compare == "=":
        return f"{there} >= ? AND {there} < ?", (begin, begin + DAY)
    return f"{there} {query.compare} ?", (begin,)


def _field(query: Header) -> Condition | None:
    """Look for words in the fields as they stand there; encoded ones may have them too."""
    if query.name.lower().encode("utf-8") not in COMMON_FIELDS:
        return None
    text = query.text.casefold()
    if not text.isascii():
        return "plain IS NOT 1", ()
    words = sorted(text.split(), key=len, reverse=True)[:WORDS]
    # SQLite takes the character zero as an end.
    if not words or not all(word.isprintable() for word in words):
        return None
    there = " AND ".join(["instr(lower(CAST(fields AS TEXT)), ?) > 0"] * len(words))
    return f"plain IS NOT 1 OR ({there})", tuple(words)


_MAKERS: Final[dict[type, Callable[[Any], Condition | None]]] = {
    Uids: _uids,
    Flag: _flag,
    Larger: lambda query: ("size > ?", (min(query.size, 2**62),)),
    Smaller: lambda query: ("size < ?", (min(query.size, 2**62),)),
    Changed: lambda query: ("modseq >= ?", (min(query.modseq, 2**62),)),
    Received: _received,
}
