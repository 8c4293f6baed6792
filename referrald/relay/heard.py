"""What a home server says while nobody is there yet whom it could be passed on to."""

from __future__ import annotations

from typing import Final

from referrald.wire.responses import Response

MOST: Final = 65_536
"""Bytes that are kept; a server that says more at a login has no ear for it."""

_OURS: Final = frozenset({b"CAPABILITY", b"ID", b"BYE", b"PREAUTH"})
"""Answers to what we have asked, and good-byes: the session says those itself."""


class Heard:
    """Keeps untagged data of a login for the client, in order: alerts above all."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._size = 0

    def take(self, response: Response) -> None:
        """Keep a response, unless it is for us."""
        if response.kind in _OURS:
            return
        if response.is_status and any(
            response.code(name) is not None for name in (b"CAPABILITY", b"REFERRAL")
        ):
            return
        data = _line(response)
        if self._size + len(data) <= MOST:
            self._size += len(data)
            self._kept.append(data)

    def take_answer(self, text: bytes) -> None:
        """Keep what the answer to the login says beside OK, where a person has to read it."""
        if text[:8].upper() == b"[ALERT] ":
            self.take(Response(b"*", (b"OK " + text,)))

    def forget(self) -> None:
        """Begin anew, with another server."""
        self._kept, self._size = [], 0

    def give(self) -> bytes:
        """Give what was kept since the last time."""
        said = b"".join(self._kept)
        self.forget()
        return said


def _line(response: Response) -> bytes:
    first, *rest = response.segments
    parts = [b"* ", first]
    for literal, text in zip(rest[::2], rest[1::2], strict=True):
        parts += [b"{%d}\r\n" % len(literal), literal, text]
    return b"".join([*parts, b"\r\n"])
