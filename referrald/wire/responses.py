"""What a server says, taken apart as it comes (RFC 3501 section 7); sans-IO, the client's side.

A response is handed out when it is whole, with its literals. What the text means is for whoever
asked; here only the frame counts, and that nobody's server can make us hold more than is allowed.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from referrald.errors import ReferraldError

_LITERAL = re.compile(rb"~?\{([0-9]{1,10})\+?\}\Z")
_HEAD = re.compile(rb"([^\s]+)(?: (.*))?\Z", re.DOTALL)
_CODE = re.compile(rb"\[([^\]\s\[]+)(?: ([^\]]*))?\]")
STATUSES: Final = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})


class BrokenResponse(ReferraldError):
    """A server sent something that is no response."""

    code = None
    public = "The other server's answer cannot be understood."


@attrs.frozen
class Response:
    """One response.

    tag: ``*`` for untagged data, ``+`` for a continuation request, else the command's tag.
    segments: the text behind it, then by turns a literal and the text that follows it.
    """

    tag: bytes
    segments: tuple[bytes, ...]

    @property
    def kind(self) -> bytes:
        """The first word in upper case: ``OK``, ``LIST``; of ``3 EXISTS`` the second."""
        first, _, rest = self.segments[0].partition(b" ")
        if first.isdigit():
            first = rest.partition(b" ")[0]
        return first.upper()

    @property
    def text(self) -> bytes:
        """What follows the first word, as far as the first literal."""
        return self.segments[0].partition(b" ")[2]

    @property
    def is_status(self) -> bool:
        """True for OK, NO, BAD, BYE and PREAUTH."""
        return self.segments[0].partition(b" ")[0].upper() in STATUSES

    def code(self, name: bytes) -> bytes | None:
        """Give the arguments of a response code of that (upper-case) name, None without it."""
        found = _CODE.match(self.text)
        if found is None or found[1].upper() != name:
            return None
        return found[2] or b""


class ResponseReader:
    """Assembles responses; line: bytes of a line, literal: of one literal."""

    def __init__(self, line: int = 65_536, literal: int = 64 * 1024 * 1024) -> None:
        self._line = line
        self._literal = literal
        self._data = bytearray()
        self._segments: list[bytes] = []
        self._missing = -1
        self._scanned = 0

    @property
    def buffered(self) -> int:
        """Bytes that have not become part of a response."""
        return len(self._data)

    def rest(self) -> bytes:
        """Take out what has not become part of a response."""
        return self._take(len(self._data))

    def feed(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next(self) -> Response | None:
        """Give the next response, None when more bytes are needed; raises `BrokenResponse`."""
        while True:
            if self._missing >= 0:
                if len(self._data) < self._missing:
                    return None
                self._segments.append(self._take(self._missing))
                self._missing = -1
            text = self._text()
            if text is None:
                return None
            literal = _LITERAL.search(text)
            self._segments.append(text if literal is None else text[: literal.start()])
            if literal is None:
                return self._whole()
            self._missing = int(literal[1])
            if self._missing > self._literal:
                raise BrokenResponse("a literal that is too long")

    def _text(self) -> bytes | None:
        end = self._data.find(b"\n", self._scanned)
        if (len(self._data) if end < 0 else end) > self._line:
            raise BrokenResponse("a line that is too long")
        if end < 0:
            self._scanned = len(self._data)
            return None
        line = self._take(end + 1)
        return line[:-1].removesuffix(b"\r")

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._scanned = 0
        return taken

    def _whole(self) -> Response:
        first, *rest = self._segments
        self._segments = []
        head = _HEAD.match(first)
        if head is None:
            raise BrokenResponse("an empty line")
        return Response(head[1], (head[2] or b"", *rest))
