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
        self._data = bytearray()
        self._scanned = 0
        self._missing = 0
        self._inside = False

    @property
    def inside(self) -> bool:
        """True when a response has been begun and not ended."""
        return self._inside

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next(self) -> Piece | None:
        """Give the next piece, None when more bytes are needed; raises `BrokenResponse`."""
        if self._missing:
            if not self._data:
                return None
            taken = self._take(min(self._missing, len(self._data)))
            self._missing -= len(taken)
            return Piece(taken, False, False)
        end = self._data.find(b"\n", self._scanned)
        if (len(self._data) if end < 0 else end) > self._line:
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

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._scanned = 0
        return taken
