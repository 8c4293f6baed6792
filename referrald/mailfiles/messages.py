"""Messages on their way from or to files: bytes as they are sent, flags, dates."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Final

import attrs

IN_MEMORY: Final = 1 << 20
"""Bytes of a message that are held in memory; what is longer goes to a temporary file."""

PIECE: Final = 1 << 16
"""Bytes that are looked at in one go."""

KEYWORD = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+')


class NotMail(Exception):
    """A file is not what it was taken for; the message says so in one line."""


@attrs.frozen(kw_only=True)
class FileMessage:
    """A message that was read, with CRLF at the ends of its lines.

    content: to be read from its beginning; good until the next message is asked for. received: None
    where the file does not say. where: what to call it in a line about it.
    """

    content: IO[bytes] = attrs.field(repr=False)
    size: int
    where: str
    flags: tuple[str, ...] = ()
    received: datetime | None = None


def spool() -> IO[bytes]:
    """Make room for one message."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Give lines with their ends; a very long one in several pieces, none of which parts a CRLF."""
    while piece := file.readline(PIECE):
        yield piece + (file.readline(1) if piece.endswith(b"\r") else b"")


def crlf(piece: bytes) -> bytes:
    """Give a piece of `pieces` the end of line that IMAP has."""
    if piece.endswith(b"\n") and not piece.endswith(b"\r\n"):
        return piece[:-1] + b"\r\n"
    return piece


def lf(piece: bytes) -> bytes:
    """Give a piece of `pieces` the end of line that files have.

    A line that ends with two CRs keeps both: with one of them, it would look like one without any.
    """
    return piece[:-2] + b"\n" if piece.endswith(b"\r\n") and piece[-3:-2] != b"\r" else piece


def is_blank(line: bytes) -> bool:
    """Say whether a line is empty."""
    return line in (b"\n", b"\r\n")


def possible(flags: Iterable[str]) -> tuple[str, ...]:
    """Leave out what is no flag, and what comes twice in another case."""
    found: dict[str, str] = {}
    for flag in flags:
        if KEYWORD.fullmatch(flag.removeprefix("\\")):
            found.setdefault(flag.lower(), flag)
    return tuple(found.values())
