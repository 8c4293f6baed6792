"""Whether a message matches a query, as far as is known of it: yes, no, or not known yet.

What is dear to find out is looked at only where what is cheap leaves the question open.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, TypeAlias

from referrald.mailmodel import COMMON_FIELDS, StoredMessage
from referrald.mime import headers
from referrald.mime.addresses import addresses
from referrald.mime.dates import parse_date
from referrald.mime.headers import Field
from referrald.query import (
    All,
    Body,
    Changed,
    Either,
    Flag,
    Header,
    Larger,
    Not,
    Older,
    Query,
    Received,
    Sent,
    Smaller,
    Text,
    Uids,
    Younger,
)

COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "=": operator.eq,
    ">=": operator.ge,
}


ADDRESSES: Final = frozenset({b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"})
"""Fields in which ENVELOPE finds addresses."""


class Need(IntEnum):
    """What has to be known of a message, from cheap to dear."""

    UID = 0
    ATTRIBUTES = 1
    FIELDS = 2
    HEADER = 3
    CONTENT = 4


class Known:
    """What is known of one message so far.

    attributes: all but its bytes. fields: of its header; ``whole`` when these are all of them, not
    just the common ones. seen: texts (folded) that have been found; ``read`` once that is all.
    """

    __slots__ = ("attributes", "fields", "read", "seen", "uid", "whole")

    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.attributes: StoredMessage | None = None
        self.fields: list[Field] | None = None
        self.whole = self.read = False
        self.seen: set[tuple[bool, str]] = set()

    def sees_fields(self, raw: bytes, *, whole: bool) -> None:
        """Take in the lines of the header, or of its common fields."""
        self.fields = headers.fields(raw)
        self.whole = whole


Test: TypeAlias = Callable[[Known], bool | None]


def need_of(leaf: Query) -> Need:
    """Tell what a query without parts has to know."""
    if isinstance(leaf, Uids):
        return Need.UID
    if isinstance(leaf, Body | Text):
        return Need.CONTENT if leaf.text else Need.UID
    if isinstance(leaf, Header):
        common = leaf.name.lower().encode("utf-8") in COMMON_FIELDS
        return Need.FIELDS if common else Need.HEADER
    return Need.FIELDS if isinstance(leaf, Sent) else Need.ATTRIBUTES


def leaves(query: Query) -> Iterator[Query]:
    """Yield the queries without parts that a query is made of."""
    if isinstance(query, All):
        for part in query.parts:
            yield from leaves(part)
    elif isinstance(query, Either):
        yield from leaves(query.first)
        yield from leaves(query.second)
    elif isinstance(query, Not):
        yield from leaves(query.inner)
    else:
        yield query


def cost(query: Query) -> Need:
    """Tell what it may take to answer a query."""
    return max(map(need_of, leaves(query)), default=Need.UID)


def test_of(query: Query, now: datetime) -> Test:
    """Make a query into a function; ``now`` is what ages are counted from."""
    if isinstance(query, All):
        return _all([test_of(part, now) for part in sorted(query.parts, key=cost)])
    if isinstance(query, Either):
        first, second = sorted((query.first, query.second), key=cost)
        return _either(test_of(first, now), test_of(second, now))
    if isinstance(query, Not):
        return _not(test_of(query.inner, now))
    make = _MAKERS.get(type(query))
    return _attributes(query, now) if make is None else make(query)


# -- three-valued logic ----------------------------------------------------------------------


def _all(tests: Iterable[Test]) -> Test:
    each = tuple(tests)
    if len(each) == 1:
        return each[0]

    def test(known: Known) -> bool | None:
        verdict: bool | None = True
        for one in each:
            found = one(known)
            if found is False:
                return False
            if found is None:
                verdict = None
        return verdict

    return test


def _either(first: Test, second: Test) -> Test:
    def test(known: Known) -> bool | None:
        one = first(known)
        if one:
            return True
        other = second(known)
        if other:
            return True
        return None if one is None or other is None else False

    return test


def _not(inner: Test) -> Test:
    def test(known: Known) -> bool | None:
        found = inner(known)
        return None if found is None else not found

    return test


# -- what is asked of a message --------------------------------------------------------------


def _uids(query: Uids) -> Test:
    ranges = query.ranges
    if len(ranges) == 1:
        ((low, high),) = ranges
        return lambda known: low <= known.uid <= high
    among = _Among(ranges)
    return lambda known: known.uid in among


class _Among:
    """Many ranges of UIDs; those asked for mostly come one after another."""

    def __init__(self, ranges: tuple[tuple[int, int], ...]) -> None:
        self._ranges = ranges
        self._at = 0

    def __contains__(self, uid: int) -> bool:
        ranges, at = self._ranges, self._at
        if at and uid <= ranges[at - 1][1]:
            at = 0
        while at < len(ranges) and ranges[at][1] < uid:
            at += 1
        self._at = at
        return at < len(ranges) and ranges[at][0] <= uid


def _attributes(query: Query, now: datetime) -> Test:
    about = _about_attributes(query, now)

    def test(known: Known) -> bool | None:
        return None if known.attributes is None else about(known.attributes)

    return test


def _about_attributes(query: Query, now: datetime) -> Callable[[StoredMessage], bool]:
    if isinstance(query, Younger | Older):
        return _age(query, now)
    if isinstance(query, Received):
        compare, day = COMPARE[query.compare], query.day
        return lambda message: compare(message.received.date(), day)
    return _ABOUT[type(query)](query)


def _age(query: Younger | Older, now: datetime) -> Callable[[StoredMessage], bool]:
    then = now - timedelta(seconds=query.seconds)
    if isinstance(query, Younger):
        return lambda message: message.received >= then
    return lambda message: message.received <= then


def _flag(query: Flag) -> Callable[[StoredMessage], bool]:
    name = query.name.lower()

    def test(message: StoredMessage) -> bool:
        return any(flag.lower() == name for flag in message.flags)

    return test


def _larger(query: Larger) -> Callable[[StoredMessage], bool]:
    size = query.size
    return lambda message: message.size > size


def _smaller(query: Smaller) -> Callable[[StoredMessage], bool]:
    size = query.size
    return lambda message: message.size < size


def _changed(query: Changed) -> Callable[[StoredMessage], bool]:
    modseq = query.modseq
    return lambda message: message.modseq >= modseq


_ABOUT: Final[dict[type, Callable[[Any], Callable[[StoredMessage], bool]]]] = {
    Flag: _flag,
    Larger: _larger,
    Smaller: _smaller,
    Changed: _changed,
}


def _header(query: Header) -> Test:
    name, text = query.name.lower().encode("utf-8"), query.text.casefold()
    common = name in COMMON_FIELDS

    def test(known: Known) -> bool | None:
        if known.fields is None or not (common or known.whole):
            return None
        named = (field.value for field in known.fields if field.name == name)
        return any(not text or any(text in each for each in shown(value)) for value in named)

    shown = _shown_addresses if name in ADDRESSES else _shown
    return test


def _shown(value: bytes) -> Iterator[str]:
    yield headers.decoded(value).casefold()


def _shown_addresses(value: bytes) -> Iterator[str]:
    """Give a field as it stands there, then as ENVELOPE has it (RFC 3501 section 6.4.4, FROM)."""
    yield from _shown(value)
    for each in addresses(value):
        if each.mailbox is not None and each.host is not None:
            yield headers.decoded(b"%b@%b" % (each.mailbox, each.host)).casefold()


def _sent(query: Sent) -> Test:
    compare = COMPARE[query.compare]

    def test(known: Known) -> bool | None:
        if known.fields is None:
            return None
        day = sent(known.fields)
        return day is not None and compare(day, query.day)

    return test


def sent(fields: Iterable[Field]) -> date | None:
    """Give the day of the Date field, as it is written there."""
    value = headers.first(fields, b"date")
    when = None if value is None else parse_date(headers.text(value))
    return None if when is None else when.date()


def _content(query: Body | Text) -> Test:
    text, in_header = query.text.casefold(), isinstance(query, Text)
    if not text:
        return lambda known: True
    places = ((False, text), (True, text)) if in_header else ((False, text),)

    def test(known: Known) -> bool | None:
        if any(place in known.seen for place in places):
            return True
        return False if known.read else None

    return test


_MAKERS: Final[dict[type, Callable[[Any], Test]]] = {
    Uids: _uids,
    Header: _header,
    Sent: _sent,
    Body: _content,
    Text: _content,
}
