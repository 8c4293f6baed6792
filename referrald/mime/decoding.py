"""Parts of messages without their transfer encoding, piece by piece (RFC 2045 section 6)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Final

from referrald.mime import headers
from referrald.mime.parts import Part

PIECE: Final = 32_768
"""Bytes that are decoded at a time."""

IDENTITY: Final = frozenset({b"", b"7bit", b"8bit", b"binary"})
CODED: Final = frozenset({b"base64", b"quoted-printable"})


def encoding(part: Part) -> bytes:
    """Name the transfer encoding, in lower case; none for what is made of parts itself."""
    if part.children or part.embedded is not None:
        # It has no encoding of its own (RFC 2045 section 6.4).
        return b""
    return (headers.token(part.field(b"content-transfer-encoding")) or b"").lower()


def is_known(part: Part) -> bool:
    """Say whether the transfer encoding of a part is one that can be undone."""
    return encoding(part) in IDENTITY | CODED


def plain(part: Part) -> Iterator[bytes]:
    """Yield the bytes of a part without their transfer encoding; an unknown one is left as it is.

    A piece is never long, whatever the part.
    """
    name = encoding(part)
    if name == b"base64":
        return _from_base64(part)
    if name == b"quoted-printable":
        return map(headers.from_quoted_printable, _lines(part))
    return _slices(part)


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
        piece = source[at:until]
        # The line end behind the last line belongs to what follows the part.
        yield piece if until < end else piece.rstrip(b" \t")
        at = until


def _from_base64(part: Part) -> Iterator[bytes]:
    """Decode as far as it goes, as `headers.from_base64` does."""
    rest = b""
    for piece in _slices(part):
        before, end, _ = piece.partition(b"=")
        rest += before.translate(None, headers.NOT_BASE64)
        if end:
            break
        whole = len(rest) - len(rest) % 4
        yield binascii.a2b_base64(rest[:whole])
        rest = rest[whole:]
    yield headers.from_base64(rest)
