"""A server's stream, taken apart as far as it takes to pass it on (RFC 3501 section 7); sans-IO.

Lines come out whole, so that one can be looked at and left out; what is in literals comes out in
whatever pieces it came in, so that a message of any size goes through without being held.
"""

from __future__ import annotations

import re

import attrs

from referrald.wire.responses import BrokenResponse

_LITERAL = re.compile(rb"~?\{([0-9]{1,19})\+?\}\r?\n\Z")


@attrs.frozen
class Piece:
    """A piece of a response.

    begins: it is the first of its response, and a whole line. ends: it is the last.
    """

    data: bytes
    begins: bool
    ends: bool


class Passage:
    """Takes in a stream; line: the most bytes that a line may have."""

    def __init__(self, line: int = 1024 * 1024) -> None:
        self._line = line
        # What has not come out yet is from ``_at`` on: large pieces are not copied.
        self._data = b""
        self._at = 0
        self._scanned = 0
        self._missing = 0
        self._inside = False

    @property
    def inside(self) -> bool:
        """True when a response has been begun and not ended."""
        return self._inside

    @property
    def missing(self) -> int:
        """Give how much of a literal is to come, where nothing else is left to take out."""
        return 0 if self._data else self._missing

    def skip(self, size: int) -> None:
        """Take note that so much of a literal has gone another way."""
        self._missing -= size

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        if not self._data:
            self._data = data
        else:
            self._data = self._data[self._at :] + data
            self._scanned = max(0, self._scanned - self._at)
            self._at = 0

    def next(self) -> Piece | None:
        """Give the next piece, None when more bytes are needed; raises `BrokenResponse`."""
        if self._missing:
            if not self._data:
                return None
            taken = self._take(min(self._at + self._missing, len(self._data)))
            self._missing -= len(taken)
            return Piece(taken, False, False)
        end = self._data.find(b"\n", max(self._scanned, self._at))
        if (len(self._data) if end < 0 else end) - self._at > self._line:
            raise BrokenResponse("a line that is too long")
        if end < 0:
            self._scanned = len(self._data)
            return None
        line = self._take(end + 1)
        literal = _LITERAL.search(line)
        begins, self._inside = not self._inside, literal is not None
        if literal is not None:
            self._missing = int(literal[1])
        return Piece(line, begins, literal is None)

    def _take(self, end: int) -> bytes:
        """Take out what is before a place."""
        data, at = self._data, self._at
        if end < len(data):
            self._at = end
            return data[at:end]
        self._data, self._at, self._scanned = b"", 0, 0
        return data[at:] if at else data
