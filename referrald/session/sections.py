"""What FETCH sends of a message's bytes: no more is read of it than that takes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar, cast

import attrs

from referrald.errors import Unavailable
from referrald.interfaces import IApart
from referrald.mime import parts as mime
from referrald.mime.decoding import is_known, plain
from referrald.mime.parts import Part, Section
from referrald.session.fetching import Item
from referrald.wire.response import Code, StatusError, Wire, literal, no, nstring, number

Result = TypeVar("Result")
Pieces = Callable[[], AsyncIterator[bytes]]

HEAD: Final = 32_768
"""Bytes at the start of a message in which its header is looked for."""

PIECE: Final = 65_536
"""Bytes of a message that are read at a time."""

SMALL: Final = 131_072
"""Bytes that are soon looked through, and that may be in memory at a time."""

UNKNOWN_CTE: Final = no("A part has an unknown transfer encoding.", Code("UNKNOWN-CTE"))
_WHOLE: Final = Section()
_HEADERS: Final = frozenset({"HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT"})


@attrs.frozen
class Span:
    """Bytes of a message that are read when they are sent."""

    start: int
    end: int


@attrs.frozen
class Streamed:
    """Bytes that are decoded when they are sent. binary: NUL is among them."""

    size: int
    binary: bool
    pieces: Pieces


Value = Wire | Span | Streamed


def clean(data: bytes) -> bytes:
    """Give bytes that a literal may hold: it takes no NUL, and the size must stay."""
    return data.replace(b"\0", b"\x80") if b"\0" in data else data


class Reader:
    """A message that is being fetched; it is read and parsed once, if at all.

    breathe: lets others have a turn, if it is time.
    """

    def __init__(self, content: Any, breathe: Callable[[], Awaitable[None]]) -> None:
        self.content = content
        self._breathe = breathe
        self._apart: Any = IApart(content, None)
        self._raw = b""
        self._head: Part | None = None
        self._parsed: Part | None = None

    async def values(self, items: Sequence[Item]) -> list[tuple[bytes, Value]]:
        """Find out what items come to; nothing that can be refused is left for later."""
        return [(item.label, await self._value(item)) for item in items]

    async def _value(self, item: Item) -> Value:
        assert item.section is not None, "others are told without the message"
        if item.binary:
            return await self._binary(item, item.section)
        return _cut(await self._section(item.section), item.partial)

    async def _section(self, wanted: Section) -> Span | bytes | None:
        if wanted == _WHOLE:
            return Span(0, self.content.size)
        if not wanted.path and wanted.text == "TEXT":
            return Span((await self._with_header()).body_start, self.content.size)
        if not wanted.path and wanted.text in _HEADERS:
            return mime.section(await self._with_header(), wanted)
        message = await self._whole()
        if wanted.text.startswith("HEADER.FIELDS"):
            return await self._run(mime.section, message, wanted)
        found = await self._run(mime.span, message, wanted)
        return None if found is None else Span(*found)

    async def _with_header(self) -> Part:
        """Give the message, or a beginning of it that has the whole header."""
        if self._parsed is not None:
            return self._parsed
        if self._head is None:
            data = clean(await self.content.read(0, HEAD))
            if not _has_header(data):
                return await self._whole()
            self._head = mime.parse(data)
        return self._head

    async def _whole(self) -> Part:
        if self._parsed is None:
            self._raw = await self.content.read(0, self.content.size)
            self._parsed = mime.parse(await self._run(clean, self._raw))
        return self._parsed

    async def _run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Take a step with a message: in a thread where it is large and there is one."""
        if self._apart is not None and self.content.size > SMALL:
            return cast("Result", await self._apart.run(work, *arguments))
        result = work(*arguments)
        await self._breathe()
        return result

    # -- without transfer encodings ----------------------------------------------------------

    async def _binary(self, item: Item, wanted: Section) -> Value:
        """Give a part without its transfer encoding (RFC 3516 section 4.2)."""
        if wanted.path:
            await self._whole()
            part = await self._run(mime.part_at, mime.parse(self._raw), wanted.path)
            if part is None:
                return number(0) if item.binary == "BINARY.SIZE" else nstring(None)
            if not await self._run(is_known, part):
                raise StatusError(UNKNOWN_CTE)
            pieces = partial(self._decoded, part)
        else:
            pieces = partial(read, self.content, Span(0, self.content.size))
        if item.binary == "BINARY.SIZE":
            return number(sum([len(piece) async for piece in pieces()]))
        return await _measured(partial(_between, pieces, *_ends(item.partial)))

    async def _decoded(self, part: Part) -> AsyncIterator[bytes]:
        """Decode a part, some bytes at a time."""
        pieces = await self._run(plain, part)
        while (piece := await self._run(next, pieces, None)) is not None:
            yield piece


async def _between(pieces: Pieces, start: int, end: int) -> AsyncIterator[bytes]:
    """Leave out what comes before ``start`` and from ``end`` on."""
    at = 0
    async for piece in pieces():
        if at >= end:
            return
        cut = piece[max(0, start - at) : end - at]
        at += len(piece)
        if cut:
            yield cut


def _ends(wanted: tuple[int, int] | None) -> tuple[int, int]:
    return (0, sys.maxsize) if wanted is None else (wanted[0], sum(wanted))


async def _measured(pieces: Pieces) -> Value:
    """Give what is decoded: at once where it is short, else it is decoded again when it is sent."""
    size, binary = 0, False
    short: list[bytes] = []
    async for piece in pieces():
        size, binary = size + len(piece), binary or b"\0" in piece
        if size <= SMALL:
            short.append(piece)
    if size <= SMALL:
        return literal(b"".join(short), binary=binary)
    return Streamed(size, binary, pieces)


def _has_header(data: bytes) -> bool:
    return b"\n\r\n" in data or b"\n\n" in data or data.startswith((b"\r\n", b"\n"))


def _cut(found: Span | bytes | None, partial: tuple[int, int] | None) -> Value:
    if found is None:
        return nstring(None)
    if isinstance(found, bytes):
        return literal(found if partial is None else found[partial[0] : sum(partial)])
    if partial is None:
        return found
    start = min(found.start + partial[0], found.end)
    return Span(start, min(start + partial[1], found.end))


# -- sending ---------------------------------------------------------------------------------


async def response(
    opening: bytes, values: Iterable[tuple[bytes, Value]], content: Any
) -> AsyncIterator[bytes]:
    """Yield the pieces of a FETCH response; ``opening`` is what stands before the values."""
    text = opening
    for label, value in values:
        text += b"%b%b " % (b"" if text.endswith(b"(") else b" ", label)
        if isinstance(value, Span):
            text += b"{%d}\r\n" % (value.end - value.start)
            async for piece in read(content, value):
                yield text + clean(piece)
                text = b""
        elif isinstance(value, Streamed):
            text += b"%b{%d}\r\n" % (b"~" if value.binary else b"", value.size)
            async for piece in value.pieces():
                yield text + piece
                text = b""
        else:
            text += value
    yield text + b")\r\n"


async def read(content: Any, wanted: Span) -> AsyncIterator[bytes]:
    """Yield bytes of a message as they are."""
    at = wanted.start
    while at < wanted.end:
        data = await content.read(at, min(PIECE, wanted.end - at))
        if not data:
            raise Unavailable("a message is shorter than its size")
        at += len(data)
        yield data
