"""A message as SEARCH looks at it: what costs something is found out when it is needed."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Any, Final

from referrald.mailmodel import StoredMessage
from referrald.mime import headers
from referrald.mime import parts as mime
from referrald.mime.dates import parse_date
from referrald.mime.parts import Part
from referrald.session import edge

NUMBERS: Final = 0
ATTRIBUTES: Final = 1
CONTENT: Final = 2
"""What a key has to know of a message, from cheap to dear."""


class Candidate:
    """One message that may match.

    number, uid: what the client calls it; count, last_uid: what ``*`` stands for in either.
    flags (in lower case), received and size are there from `ATTRIBUTES` on, the rest from
    `CONTENT`.
    """

    flags: frozenset[str]
    received: Any
    size: int

    def __init__(
        self,
        number: int,
        uid: int,
        count: int,
        last_uid: int,
        stored: StoredMessage | None = None,
        folder: Any = None,
    ) -> None:
        self.number = number
        self.uid = uid
        self.count = count
        self.last_uid = last_uid
        self._stored = stored
        self._folder = folder
        self._content = b""
        self._known = NUMBERS

    async def learn(self, cost: int) -> None:
        """Find out what keys of that cost look at."""
        if self._known < ATTRIBUTES <= cost:
            assert self._stored is not None, "a message, for all but its numbers"
            self.flags = frozenset(flag.lower() for flag in self._stored.flags)
            self.received = self._stored.received
            self.size = self._stored.size
            self._known = ATTRIBUTES
        if self._known < CONTENT <= cost:
            # Nothing is in a message that is gone.
            self._content = await self._folder.content(self.uid) or b""
            self._known = CONTENT

    @cached_property
    def arrived(self) -> date:
        """The day of the internal date, as it is written."""
        return edge.moment(self.received).date()

    @cached_property
    def parsed(self) -> Part:
        """The message taken apart."""
        return mime.parse(self._content)

    @cached_property
    def sent(self) -> date | None:
        """The date in the header, as it is written there."""
        value = self.parsed.field(b"date")
        when = None if value is None else parse_date(headers.text(value))
        return None if when is None else when.date()

    @cached_property
    def body(self) -> str:
        """All text behind the header, folded for comparison."""
        return "\n".join(_texts(self.parsed)).casefold()

    @cached_property
    def whole(self) -> str:
        """All text, folded for comparison."""
        return f"{_header_text(self.parsed).casefold()}\n{self.body}"

    def values(self, name: bytes) -> list[str]:
        """Give the values of the fields of that (lower-case) name, folded for comparison."""
        fields = self.parsed.fields
        return [headers.decoded(each.value).casefold() for each in fields if each.name == name]


def _header_text(part: Part) -> str:
    lines = (f"{headers.text(each.name)}: {headers.decoded(each.value)}" for each in part.fields)
    return "\n".join(lines)


def _texts(part: Part) -> Iterator[str]:
    """Yield the text of a part, with the headers inside; images and the like have none."""
    if part.embedded is not None:
        yield _header_text(part.embedded)
        yield from _texts(part.embedded)
    elif part.children:
        for child in part.children:
            yield _header_text(child)
            yield from _texts(child)
    elif part.type.is_(b"text") or part.type.is_(b"message"):
        yield headers.text(_plain(part), part.type.parameter(b"charset"))


def _plain(part: Part) -> bytes:
    """Undo the transfer encoding."""
    encoding = (headers.token(part.field(b"content-transfer-encoding")) or b"").lower()
    if encoding == b"base64":
        return headers.from_base64(part.body)
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(part.body)
    return part.body
