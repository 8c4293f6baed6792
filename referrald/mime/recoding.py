"""Messages with binary parts, made such that they can be given back (RFC 3516, RFC 2045).

NUL may stand in a part whose Content-Transfer-Encoding is ``binary``, and no BODY[] can hold it:
such a part is written in base64. What needs no other form keeps its own, so that signatures stay
good. A message is read piece by piece; no more than the beginning of one part is held in memory.
"""

from __future__ import annotations

import base64
import re
from enum import Enum
from typing import Final

import attrs

from referrald.mime import headers
from referrald.mime.headers import MediaType

HOLD: Final = 512 * 1024
"""Bytes of a binary part that are held until it is known whether there is NUL; a longer one is
written in base64 in any case."""

MAX_HEADER: Final = 256 * 1024
MAX_LEVELS: Final = 50
MAX_BOUNDARY_LINE: Final = 1000
LF: Final = 0x0A
LINE: Final = 57
"""Bytes that a line of base64 stands for."""

_END = re.compile(rb"(--)?[ \t]*\r?\n?\Z")
_ENCODING = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n", re.IGNORECASE | re.MULTILINE
)
_IDENTITY: Final = (b"", b"7bit", b"8bit", b"binary")
_BASE64: Final = b"Content-Transfer-Encoding: base64\r\n"


class NulInText(ValueError):
    """There is NUL where no other encoding can hide it."""


class _In(Enum):
    HEADER = "a header"
    TEXT = "what is passed on as it is"
    HELD = "a binary part that may go on as it is"
    BASE64 = "a binary part that does not"


@attrs.frozen
class _Level:
    """A multipart that is open. default: the type of parts that say none."""

    marker: bytes
    default: MediaType


class Recoder:
    """Read a message by pieces and give it as it can be kept."""

    def __init__(self) -> None:
        # What has come and is not yet dealt with, from here on; whether that begins in a line.
        self._data = b""
        self._at = 0
        self._middle = False
        self._state = _In.HEADER
        self._default = headers.PLAIN
        self._levels: list[_Level] = []
        self._header = bytearray()
        self._held = bytearray()
        self._out: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; gives what can be written. Raises `NulInText`."""
        self._data = self._data[self._at :] + data
        self._at = 0
        while self._step():
            pass
        return self._given()

    def close(self) -> bytes:
        """Give the rest. Raises `NulInText`."""
        rest, self._data, self._at = self._data[self._at :], b"", 0
        if rest and not self._at_boundary(rest):
            self._take(rest)
        self._end_part(at_boundary=False)
        return self._given()

    def _given(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _step(self) -> bool:
        """Take something of what is there; False when more has to come."""
        data, at = self._data, self._at
        if self._state is not _In.HEADER:
            start = self._line_with_dashes()
            if start > at:
                self._at = start
                self._middle = data[start - 1] != LF
                self._take(data[at:start])
                return True
        end = data.find(b"\n", at) + 1
        if not end:
            return self._take_long()
        self._at, self._middle = end, False
        line = data[at:end]
        if not self._at_boundary(line):
            self._take(line)
        return True

    def _line_with_dashes(self) -> int:
        """Find the next line that may be a boundary: all before is none."""
        data, at = self._data, self._at
        if not self._levels:
            return len(data)
        if not self._middle and data.startswith(b"-", at):
            return at
        found = data.find(b"\n--", at) + 1
        return found or len(data) - data.endswith(b"\n-", at)

    def _take_long(self) -> bool:
        """Take the beginning of a line that is too long to be looked at whole."""
        data = self._data[self._at :]
        limit = MAX_HEADER if self._state is _In.HEADER else MAX_BOUNDARY_LINE
        if len(data) <= limit:
            return False
        self._at, self._middle = len(self._data), True
        self._take(data)
        return True

    # -- parts -------------------------------------------------------------------------------

    def _at_boundary(self, line: bytes) -> bool:
        """Go on to the next part, if a line says so."""
        if not line.startswith(b"--"):
            return False
        for at, level in enumerate(self._levels):
            end = line.startswith(level.marker) and _END.match(line, len(level.marker))
            if end:
                self._end_part(at_boundary=True)
                self._out.append(line)
                del self._levels[at if end[1] else at + 1 :]
                self._state = _In.TEXT if end[1] else _In.HEADER
                self._default = level.default
                return True
        return False

    def _take(self, data: bytes) -> None:
        if self._state is _In.HEADER:
            self._header += data
            if data in (b"\r\n", b"\n"):
                self._end_header()
            elif len(self._header) > MAX_HEADER:
                self._pass_header(_In.TEXT)
        elif self._state is _In.TEXT:
            self._pass(data)
        else:
            self._held += data
            if self._state is _In.BASE64:
                self._encode(len(self._held) - 2)
            elif len(self._held) > HOLD:
                self._begin_base64()

    def _end_header(self) -> None:
        known = headers.fields(bytes(self._header))
        kind = headers.media_type(headers.first(known, b"content-type"), self._default)
        encoding = headers.token(headers.first(known, b"content-transfer-encoding")) or b""
        boundary = kind.parameter(b"boundary")
        shallow = len(self._levels) < MAX_LEVELS
        if kind.is_(b"multipart") and boundary and shallow:
            digest = kind.is_(b"multipart", b"digest")
            default = headers.MESSAGE if digest else headers.PLAIN
            self._levels.append(_Level(b"--" + boundary, default))
            self._pass_header(_In.TEXT)
        elif kind.is_(b"message", b"rfc822") and encoding.lower() in _IDENTITY:
            self._pass_header(_In.HEADER)
            self._default = headers.PLAIN
        elif encoding.lower() == b"binary":
            self._state = _In.HELD
        else:
            self._pass_header(_In.TEXT)

    def _pass_header(self, state: _In) -> None:
        self._pass(bytes(self._header))
        self._header.clear()
        self._state = state

    def _pass(self, data: bytes) -> None:
        if b"\0" in data:
            raise NulInText
        self._out.append(data)

    def _end_part(self, *, at_boundary: bool) -> None:
        """Give what is held; the line end before a boundary is the boundary's."""
        if self._state is _In.HEADER:
            self._pass_header(_In.TEXT)
            return
        if self._state is _In.HELD and b"\0" not in self._held:
            self._pass(bytes(self._header + self._held))
        elif self._state is not _In.TEXT:
            if at_boundary:
                end = 2 if self._held.endswith(b"\r\n") else self._held.endswith(b"\n")
                del self._held[len(self._held) - end :]
            if self._state is _In.HELD:
                self._begin_base64()
            self._encode(len(self._held), last=True)
        self._header.clear()
        self._held.clear()
        self._state = _In.TEXT

    def _begin_base64(self) -> None:
        self._state = _In.BASE64
        self._pass(_ENCODING.sub(_BASE64, bytes(self._header), count=1))
        self._header.clear()

    def _encode(self, size: int, *, last: bool = False) -> None:
        """Write in base64 what makes whole lines, or all."""
        size = size if last else max(size // LINE, 0) * LINE
        if size:
            self._out.append(base64.encodebytes(self._held[:size]).replace(b"\n", b"\r\n"))
            del self._held[:size]
