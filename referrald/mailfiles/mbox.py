"""An mbox, read and written message by message; only lines are looked at, no Content-Length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Final, Literal

from referrald.mailfiles.fromline import FromLine, format_from, parse_from
from referrald.mailfiles.messages import FileMessage, NotMail, crlf, is_blank, lf, pieces, spool
from referrald.mailfiles.status import StatusFilter, status_fields

Quoting = Literal["mboxrd", "mboxo", "none"]

QUOTED: Final = {
    "mboxrd": re.compile(rb">+From "),
    "mboxo": re.compile(rb">From "),
    "none": re.compile(rb"(?!)"),
}
"""Lines from which a ``>`` is taken, by what has put it there."""

_TO_QUOTE = re.compile(rb">*From ")


def read_mbox(file: IO[bytes], quoting: Quoting = "mboxrd") -> Iterator[FileMessage]:
    """Give the messages of an mbox; raises `NotMail` where it is none.

    A message begins with a "From " line that has a date and stands behind an empty line.
    """
    number, message, blank, starts = 0, None, True, True
    for piece in pieces(file):
        line = parse_from(piece, first=message is None) if blank and starts else None
        if line is not None:
            if message is not None:
                yield from message.finished(number)
            message, number, blank = _Message(line, quoting), number + 1, False
        elif message is not None:
            message.take(piece, starts=starts)
            blank = starts and is_blank(piece)
        elif piece.strip():
            raise NotMail('no mbox: it does not begin with "From "')
        starts = piece.endswith(b"\n")
    if message is not None:
        yield from message.finished(number)


class _Message:
    """A message that is being put together."""

    def __init__(self, line: FromLine, quoting: Quoting) -> None:
        self._received = line.received
        self._quoted = QUOTED[quoting]
        self._status = StatusFilter()
        self._spool = spool()
        self._held = b""

    def take(self, piece: bytes, *, starts: bool) -> None:
        """Take the next line, or a further piece of it."""
        self._spool.write(self._held)
        self._held = b""
        if self._status.in_header:
            if self._status.passes(piece, starts=starts):
                self._write(piece, starts)
        elif starts and is_blank(piece):
            # The last one belongs to the mbox.
            self._held = b"\r\n"
        else:
            self._write(piece, starts)

    def _write(self, piece: bytes, starts: bool) -> None:
        if starts and self._quoted.match(piece):
            piece = piece[1:]
        self._spool.write(crlf(piece))

    def finished(self, number: int) -> Iterator[FileMessage]:
        """Give the message, and let go of it afterwards."""
        with self._spool as content:
            size = content.tell()
            content.seek(0)
            if not self._status.internal:
                yield FileMessage(
                    content=content,
                    size=size,
                    where=f"message {number}",
                    flags=self._status.flags,
                    received=self._received,
                )


def as_mbox(content: Iterable[bytes], received: datetime, flags: Iterable[str]) -> Iterator[bytes]:
    """Write one message, given as `pieces` does, in the form mboxrd with all that is known of it.

    It gets the end of line of files, and one at its end if it has none.
    """
    yield format_from(received)
    status, fields, starts, last = StatusFilter(), status_fields(flags), True, b"\n"
    for piece in content:
        if not status.in_header or status.passes(piece, starts=starts):
            if not status.in_header:
                yield fields
                fields = b""
            yield b">" if starts and _TO_QUOTE.match(piece) else b""
            yield lf(piece)
            last = piece[-1:]
        starts = piece.endswith(b"\n")
    # A CR at the very end stays one: with LF alone behind it, it could end the header.
    yield {b"\n": b"", b"\r": b"\r\n"}.get(last, b"\n") + fields + b"\n"
