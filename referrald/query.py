"""What SEARCH asks for, as a tree of values that a store can answer. All are frozen.

A session turns message numbers, ``*`` and ``$`` into UIDs before a store sees them; text is decoded
from the charset of the command. Days are compared as they are written, without regard to zones
(RFC 3501 section 6.4.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, TypeAlias

import attrs

Compare: TypeAlias = Literal["<", "=", ">="]


@attrs.frozen
class All:
    """Every one of the parts matches; without parts it is every message."""

    parts: tuple[Query, ...] = ()


@attrs.frozen
class Either:
    """One of two matches."""

    first: Query
    second: Query


@attrs.frozen
class Not:
    """Does not match."""

    inner: Query


@attrs.frozen
class Uids:
    """Is one of these messages; ranges of UIDs, both ends included, ascending and apart."""

    ranges: tuple[tuple[int, int], ...]


@attrs.frozen
class Flag:
    """Has this flag or keyword, whatever its case."""

    name: str


@attrs.frozen
class Larger:
    """Has more bytes than this (RFC822.SIZE)."""

    size: int


@attrs.frozen
class Smaller:
    """Has fewer bytes than this (RFC822.SIZE)."""

    size: int


@attrs.frozen
class Received:
    """The day of the internal date compares so with a day."""

    compare: Compare
    day: date


@attrs.frozen
class Sent:
    """The day of the Date field compares so with a day; a message without one matches nothing."""

    compare: Compare
    day: date


@attrs.frozen
class Younger:
    """The internal date is at most that many seconds ago (RFC 5032)."""

    seconds: int


@attrs.frozen
class Older:
    """The internal date is at least that many seconds ago (RFC 5032)."""

    seconds: int


@attrs.frozen
class Changed:
    """Has this modification sequence or a higher one (RFC 7162 section 3.1.5)."""

    modseq: int


@attrs.frozen
class Header:
    """A field of this name has this text in it; with an empty text: there is such a field."""

    name: str
    text: str


@attrs.frozen
class Body:
    """The text behind the header has this in it, decoded; case does not matter."""

    text: str


@attrs.frozen
class Text:
    """Header or text has this in it, decoded; case does not matter."""

    text: str


Query: TypeAlias = (
    All
    | Either
    | Not
    | Uids
    | Flag
    | Larger
    | Smaller
    | Received
    | Sent
    | Younger
    | Older
    | Changed
    | Header
    | Body
    | Text
)


@attrs.frozen(kw_only=True)
class Found:
    """What a search has found. uids: ascending.

    modseq: the highest of theirs; 0 of none, and where the query does not ask for `Changed`.
    """

    uids: Sequence[int]
    modseq: int = 0
