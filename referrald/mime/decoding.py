"""Parts of messages without their transfer encoding, as bytes (RFC 2045 section 6, RFC 3516)."""

from __future__ import annotations

from typing import Final

from referrald.mime import headers
from referrald.mime.parts import Part

IDENTITY: Final = frozenset({b"", b"7bit", b"8bit", b"binary"})


def decoded(part: Part, source: bytes) -> bytes | None:
    """Give the body of a part decoded; None for an encoding that nobody knows.

    What is made of parts itself has no encoding of its own (RFC 2045 section 6.4). source: the
    message, which may differ from that of ``part`` in bytes, not in places.
    """
    body = source[part.body_start : part.end]
    name = (headers.token(part.field(b"content-transfer-encoding")) or b"").lower()
    if part.children or part.embedded is not None or name in IDENTITY:
        return body
    if name == b"base64":
        return headers.from_base64(body)
    if name == b"quoted-printable":
        return headers.from_quoted_printable(body.rstrip(b" \t"))
    return None
