"""Messages on their way in and out of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

from zope.interface import implementer

from referrald.errors import NotPossible, Unavailable
from referrald.interfaces import IApart, IContent, IIncoming
from referrald.store.maildir.index import translated

PIECE = 65536


class BareNewlines:
    """Counts the line ends without CR in the pieces of a file."""

    def __init__(self) -> None:
        self.count = 0
        self._last = b""

    def take(self, piece: bytes) -> None:
        """Look at the next piece."""
        self.count += piece.count(b"\n") - piece.count(b"\r\n")
        self.count -= self._last == b"\r" and piece[:1] == b"\n"
        self._last = piece[-1:]


def turned(piece: bytes) -> bytes:
    """Write CR LF where a line ends with LF alone."""
    return piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Reader:
    """Reads a file as it is sent: with CR LF where its lines end with LF alone.

    turn: whether lines have to be turned at all.
    """

    def __init__(self, path: str, size: int, *, turn: bool) -> None:
        self.size = size
        self.turn = turn
        self._file: int | None = os.open(path, os.O_RDONLY)
        self._lock = Lock()  # A number that is closed may be another file's the next moment.
        self._offset, self._at, self._rest, self._last = 0, 0, b"", b""

    def read(self, start: int, length: int) -> bytes:
        """Give bytes; cheap as long as each piece begins where the one before ended."""
        with self._lock:
            if self._file is None:
                raise Unavailable("the message is closed")
            return self._turned(start, length) if self.turn else self._all(start, length)

    def _turned(self, start: int, length: int) -> bytes:
        if start < self._at:
            self._offset, self._at, self._rest, self._last = 0, 0, b"", b""
        while self._at + len(self._rest) < start + length and self._more():
            skip = min(max(0, start - self._at), len(self._rest))
            self._rest, self._at = self._rest[skip:], self._at + skip
        skip = min(max(0, start - self._at), len(self._rest))
        self._rest, self._at = self._rest[skip:], self._at + skip
        piece = self._rest[:length]
        self._rest, self._at = self._rest[len(piece) :], self._at + len(piece)
        return piece

    def _all(self, start: int, length: int) -> bytes:
        assert self._file is not None  # Seen by `read`.
        pieces = []
        while length > 0 and (piece := os.pread(self._file, length, start)):
            pieces.append(piece)
            start, length = start + len(piece), length - len(piece)
        return b"".join(pieces)

    def _more(self) -> bool:
        """Turn the next piece of the file."""
        assert self._file is not None  # Seen by `read`.
        piece = os.pread(self._file, PIECE, self._offset)
        self._offset += len(piece)
        if piece:
            sent = turned(piece)
            if self._last == b"\r" and piece[:1] == b"\n":
                sent = sent[1:]
            self._last = piece[-1:]
            self._rest += sent
        return bool(piece)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()


@implementer(IContent, IApart)
class MaildirContent:
    """A message that is being read."""

    def __init__(self, reader: Reader, pool: Any) -> None:
        self._reader = reader
        self._pool = pool
        self.size = reader.size

    async def read(self, start: int, length: int) -> bytes:
        """Give bytes."""
        try:
            piece: bytes = await self._pool.run(self._reader.read, start, length)
        except OSError as error:
            raise translated(error, "a message") from error
        return piece

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something with the message in a thread."""
        return await self._pool.run(work, *arguments)

    def close(self) -> None:
        """Let go of it."""
        self._reader.close()


@implementer(IIncoming)
class MaildirIncoming:
    """A message of ``announced`` bytes that is arriving in the ``tmp`` of its mailbox."""

    def __init__(self, path: str, announced: int, pool: Any) -> None:
        self.path = path
        self.size = 0
        self._announced = announced
        self._pool = pool
        self._lock = Lock()
        self._buffer = bytearray()
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    async def write(self, data: bytes) -> None:
        """Take the next bytes; they go to the file by large pieces."""
        if self._file is None or self.size + len(data) > self._announced:
            raise NotPossible("more bytes of a message than were announced")
        self._buffer += data
        self.size += len(data)
        if len(self._buffer) >= PIECE:
            try:
                await self._pool.run(self._flush)
            except OSError as error:
                raise translated(error, self.path) from error

    def _flush(self) -> None:
        with self._lock:
            if self._file is None:
                raise NotPossible("a message that has arrived is used twice")
            pieces, self._buffer = self._buffer, bytearray()
            rest = memoryview(pieces)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def take(self) -> str:
        """Finish the file and give its path; it is used up then. For a thread.

        Raises `NotPossible` where it was used up or discarded before.
        """
        self._flush()
        self._close()
        return self.path

    def _close(self) -> bool:
        with self._lock:
            handle, self._file = self._file, None
            if handle is not None:
                os.close(handle)
        return handle is not None

    def discard(self) -> None:
        """Forget it all; nothing happens where it has been used up."""
        if self._close():
            with suppress(OSError):
                os.unlink(self.path)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.discard()
