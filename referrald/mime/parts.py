"""The parts of a message, as ranges of its bytes (RFC 2045, RFC 2046, RFC 3501 section 6.4.5).

A part is looked into only when somebody asks, nothing is decoded or rewritten, and no bytes make it
raise: what cannot be a multipart is shown as one part of plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Literal

import attrs

from referrald.mime import headers
from referrald.mime.headers import Field, MediaType

MAX_DEPTH: Final = 50
"""Levels of parts in parts; what is deeper is shown as opaque data."""

MAX_PARTS: Final = 1000
"""Parts of one message that are told of; those beyond are left out."""

_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)").match

Text = Literal["", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"]


@attrs.frozen(kw_only=True)
class Section:
    """What stands in the brackets of ``BODY[…]``; ``names`` belong to HEADER.FIELDS."""

    path: tuple[int, ...] = ()
    text: Text = ""
    names: tuple[bytes, ...] = ()


class Budget:
    """Counts the parts of one message."""

    def __init__(self, parts: int = MAX_PARTS) -> None:
        self.left = parts

    def take(self) -> bool:
        """Take one; False when all are taken."""
        self.left -= 1
        return self.left >= 0


class Part:
    """A message or a part of one: a header, and a body that may hold further parts."""

    def __init__(
        self,
        source: bytes,
        start: int,
        end: int,
        *,
        default: MediaType = headers.PLAIN,
        depth: int = 0,
        budget: Budget | None = None,
    ) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.default = default
        self.depth = depth
        self.budget = budget or Budget()

    @cached_property
    def body_start(self) -> int:
        """Where the body begins, behind the empty line.

        Without an empty line all is header, unless it does not even look like one.
        """
        source, start, end = self.source, self.start, self.end
        for line_end in (b"\r\n", b"\n"):
            if source.startswith(line_end, start, end):
                return start + len(line_end)
        found = source.find(b"\n\r\n", start, end)
        bare = source.find(b"\n\n", start, end if found < 0 else found + 1)
        if bare >= 0:
            return bare + 2
        if found >= 0:
            return found + 3
        # A line longer than that is no header line (RFC 5322 section 2.1.1).
        looks = headers.begins_header(source[start : min(end, start + 1000)])
        return end if looks else start

    @property
    def header(self) -> bytes:
        """The header with its closing empty line, as it is."""
        return self.source[self.start : self.body_start]

    @property
    def body(self) -> bytes:
        """All behind the header, as it is."""
        return self.source[self.body_start : self.end]

    @property
    def content(self) -> bytes:
        """Header and body."""
        return self.source[self.start : self.end]

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.end - self.body_start

    @property
    def lines(self) -> int:
        """Line ends in the body."""
        return self.source.count(b"\n", self.body_start, self.end)

    @cached_property
    def fields(self) -> list[Field]:
        """The header's fields."""
        return headers.fields(self.header)

    def field(self, name: bytes) -> bytes | None:
        """Give the value of the first field of that (lower-case) name."""
        return headers.first(self.fields, name)

    @cached_property
    def declared(self) -> MediaType:
        """The media type that the header tells."""
        return headers.media_type(self.field(b"content-type"), self.default)

    @cached_property
    def type(self) -> MediaType:
        """The media type that the part is treated as."""
        declared = self.declared
        if self.depth >= MAX_DEPTH and (self._multipart or declared.is_(b"message")):
            return headers.OPAQUE
        return declared

    @property
    def _multipart(self) -> bool:
        return self.declared.is_(b"multipart")

    @cached_property
    def children(self) -> tuple[Part, ...]:
        """The parts of a multipart: one at least; none of anything else."""
        if not self.type.is_(b"multipart"):
            return ()
        digest = self.type.is_(b"multipart", b"digest")
        default = headers.MESSAGE if digest else headers.PLAIN
        ranges = list(self._ranges())
        if ranges:
            return tuple(self._inner(start, end, default) for start, end in ranges)
        return (_Headless(self),)

    @cached_property
    def embedded(self) -> Part | None:
        """The message inside a ``message/rfc822``."""
        if not self.type.is_(b"message", b"rfc822"):
            return None
        return self._inner(self.body_start, self.end, headers.PLAIN)

    def _inner(self, start: int, end: int, default: MediaType) -> Part:
        depth, budget = self.depth + 1, self.budget
        return Part(self.source, start, end, default=default, depth=depth, budget=budget)

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Yield where the parts begin and end; the line end before a boundary is the boundary's."""
        boundary = self.type.parameter(b"boundary")
        if not boundary:
            return
        begin: int | None = None
        for at, after, last in self._boundaries(b"--" + boundary):
            if begin is not None:
                yield begin, max(begin, self._before_line_end(at))
            begin = None if last or not self.budget.take() else after
            if begin is None:
                return
        if begin is not None:
            yield begin, self.end

    def _boundaries(self, marker: bytes) -> Iterator[tuple[int, int, bool]]:
        source, end = self.source, self.end
        at = source.find(marker, self.body_start, end)
        while at >= 0:
            after = at + len(marker)
            if at == self.body_start or source[at - 1] == 0x0A:
                match = _AFTER_BOUNDARY(source, after, end)
                if match is not None:
                    yield at, match.end(), match[1] is not None
            at = source.find(marker, after, end)

    def _before_line_end(self, at: int) -> int:
        return at - 2 if self.source.endswith(b"\r\n", self.start, at) else at - 1


class _Headless(Part):
    """What a multipart without any boundary is shown to contain: all of it, as text."""

    def __init__(self, outer: Part) -> None:
        super().__init__(outer.source, outer.body_start, outer.end, depth=outer.depth + 1)

    @cached_property
    def body_start(self) -> int:
        """There is no header."""
        return self.start


def parse(source: bytes) -> Part:
    """Take a whole message; nothing is looked into yet."""
    return Part(source, 0, len(source))


def part_at(message: Part, path: tuple[int, ...]) -> Part | None:
    """Find the part of a number such as 2.1; None where there is none."""
    parts = _numbered(message)
    found: Part | None = None
    for number in path:
        if not 1 <= number <= len(parts):
            return None
        found = parts[number - 1]
        parts = found.children if found.embedded is None else _numbered(found.embedded)
    return found


def _numbered(message: Part) -> tuple[Part, ...]:
    # A message that is no multipart has one part, which is its body.
    return message.children or (message,)


def section(message: Part, wanted: Section) -> bytes | None:
    """Give the bytes of a section, None where the message has no such thing."""
    if wanted.text.startswith("HEADER.FIELDS"):
        owner = _owner(message, wanted.path)
        return None if owner is None else _subset(owner, wanted)
    found = span(message, wanted)
    return None if found is None else message.source[slice(*found)]


def span(message: Part, wanted: Section) -> tuple[int, int] | None:
    """Say where a section begins and ends; None where there is no such thing.

    Chosen header fields need not stand together: they have no span.
    """
    text = wanted.text
    part = part_at(message, wanted.path) if wanted.path else None
    if part is not None and text == "":
        return part.body_start, part.end
    if part is not None and text == "MIME":
        return part.start, part.body_start
    owner = _owner(message, wanted.path)
    if owner is None:
        return None
    if text == "":
        return (owner.start, owner.end) if not wanted.path else None
    if text == "TEXT":
        return owner.body_start, owner.end
    return (owner.start, owner.body_start) if text == "HEADER" else None


def _owner(message: Part, path: tuple[int, ...]) -> Part | None:
    """Give the message whose header and text are meant: the whole, or one inside it."""
    if not path:
        return message
    part = part_at(message, path)
    return None if part is None else part.embedded


def _subset(message: Part, wanted: Section) -> bytes:
    names = {name.lower() for name in wanted.names}
    without = wanted.text == "HEADER.FIELDS.NOT"
    kept = [field.raw for field in message.fields if (field.name in names) is not without]
    chosen = b"".join(kept)
    if chosen and not chosen.endswith(b"\n"):
        chosen += b"\r\n"
    # The empty line belongs to every header fetch but that of a message without one.
    has_gap = message.header.endswith((b"\n\r\n", b"\n\n")) or message.header in (b"\r\n", b"\n")
    return chosen + b"\r\n" if has_gap else chosen
