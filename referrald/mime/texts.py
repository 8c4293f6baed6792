"""The text of a message, decoded piece by piece, so that the biggest message can be looked through.

A piece is never long, whatever the message; a caller may do something else between two of them.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from referrald.mime import headers
from referrald.mime.headers import Field
from referrald.mime.parts import Part

PIECE: Final = 32_768
"""Bytes that are decoded at a time."""

Passage: TypeAlias = Iterator[str]
"""Text that belongs together, in pieces: what is looked for may lie across two of them."""

_Raw: TypeAlias = Callable[[], Iterator[bytes]]
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def field_line(field: Field) -> str:
    """Give a field as people read it, with its name (in lower case)."""
    return f"{headers.text(field.name)}: {headers.decoded(field.value)}"


def passages(message: Part) -> Iterator[Passage]:
    """Give the text behind the header, with the headers inside; images and the like have none."""
    if message.embedded is not None:
        yield from _whole(message.embedded)
    elif message.children:
        for child in message.children:
            yield from _whole(child)
    elif message.type.is_(b"text") or message.type.is_(b"message"):
        yield _decoded(_plain(message), message.type.parameter(b"charset"))


def _whole(part: Part) -> Iterator[Passage]:
    for field in part.fields:
        yield iter((field_line(field),))
    yield from passages(part)


# -- transfer encodings ----------------------------------------------------------------------


def _plain(part: Part) -> _Raw:
    """Give what yields the bytes of a part without their transfer encoding."""
    encoding = (headers.token(part.field(b"content-transfer-encoding")) or b"").lower()
    if encoding == b"base64":
        return lambda: _from_base64(part)
    if encoding == b"quoted-printable":
        return lambda: map(headers.from_quoted_printable, _lines(part))
    return lambda: _slices(part)


def _slices(part: Part) -> Iterator[bytes]:
    source, end = part.source, part.end
    for at in range(part.body_start, end, PIECE):
        yield source[at : min(at + PIECE, end)]


def _lines(part: Part) -> Iterator[bytes]:
    """Yield pieces that end with a line, or at least not inside ``=XX``."""
    source, at, end = part.source, part.body_start, part.end
    while at < end:
        until = min(at + PIECE, end)
        if until < end:
            line_end = source.rfind(b"\n", at, until)
            escape = source.rfind(b"=", until - 2, until)
            until = line_end + 1 if line_end >= 0 else escape if escape >= 0 else until
        yield source[at:until]
        at = until


def _from_base64(part: Part) -> Iterator[bytes]:
    """Decode as far as it goes, as `headers.from_base64` does."""
    rest = b""
    for piece in _slices(part):
        before, end, _ = piece.partition(b"=")
        rest += _NOT_BASE64.sub(b"", before)
        if end:
            break
        whole = len(rest) - len(rest) % 4
        yield binascii.a2b_base64(rest[:whole])
        rest = rest[whole:]
    yield headers.from_base64(rest)


# -- charsets --------------------------------------------------------------------------------


def _decoded(raw: _Raw, charset: bytes | None) -> Passage:
    """Decode text in a charset that may be unknown, missing or a lie, as `headers.text` does."""
    name = headers.codec(charset)
    if name is None:
        name = "utf-8" if _is_utf8(raw()) else "latin-1"
    decoder = codecs.getincrementaldecoder(name)("replace")
    try:
        for piece in raw():
            yield decoder.decode(piece)
        yield decoder.decode(b"", True)
    except UnicodeError:
        # Not even replacing helps where the byte order is unknown.
        yield from _decoded(raw, None)


def _is_utf8(pieces: Iterator[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True
