"""The text of a message, decoded piece by piece, so that the biggest message can be looked through.

A piece is never long, whatever the message; a caller may do something else between two of them.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import TypeAlias

from referrald.mime import headers
from referrald.mime.decoding import plain
from referrald.mime.headers import Field
from referrald.mime.parts import Part

Passage: TypeAlias = Iterator[str]
"""Text that belongs together, in pieces: what is looked for may lie across two of them."""

_Raw: TypeAlias = Callable[[], Iterator[bytes]]


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
        yield _decoded(lambda: plain(message), message.type.parameter(b"charset"))


def _whole(part: Part) -> Iterator[Passage]:
    for field in part.fields:
        yield iter((field_line(field),))
    yield from passages(part)


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
