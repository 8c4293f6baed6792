"""What a file tells at the first look, for which nothing of its message is taken apart."""

from __future__ import annotations

import os
from typing import Final

import attrs

from referrald.mime.parts import Part
from referrald.store.describing import common_fields_in
from referrald.store.maildir.contents import BareNewlines, turned

HEAD: Final = 65_536
"""Bytes at the start of a file in which its header is looked for."""

PIECE: Final = 262_144
"""Bytes of a file that are read at a time."""


@attrs.frozen
class Glance:
    """What has been seen. stored, size: bytes on disk, and as sent. received: seconds since 1970.

    fields: the lines of the common header fields; None where the file was not opened, or its header
    is a very long one.
    """

    stored: int
    size: int
    received: int
    fields: bytes | None


def glance(path: str, told: tuple[int, int] | None) -> Glance:
    """Look at a file. told: what its name says of its sizes, both as stored and as sent."""
    if told is not None:
        found = os.stat(path)
        if told[0] == found.st_size:
            return Glance(found.st_size, told[1], int(found.st_mtime), None)
    handle = os.open(path, os.O_RDONLY)
    try:
        found = os.fstat(handle)
        # Room that is not needed is not asked for: that costs more than to read.
        first = piece = os.read(handle, min(PIECE, found.st_size + 1))
        bare = BareNewlines()
        while piece:
            bare.take(piece)
            piece = os.read(handle, PIECE) if len(piece) == PIECE else b""
    finally:
        os.close(handle)
    fields = common(first[:HEAD], whole=found.st_size <= HEAD)
    return Glance(found.st_size, found.st_size + bare.count, int(found.st_mtime), fields)


def headed(path: str) -> bytes | None:
    """Give the lines of the common header fields; None where the header is a very long one.

    Raises `FileNotFoundError`.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size
        return common(os.read(handle, min(HEAD, size + 1)), whole=size <= HEAD)
    finally:
        os.close(handle)


def common(head: bytes, *, whole: bool) -> bytes | None:
    """Find the common header fields in the beginning of a file, as they are sent."""
    end = head.find(b"\n\r\n")
    bare = head.find(b"\n\n", 0, None if end < 0 else end)
    end = (end if bare < 0 else bare) + 1
    if not end or head.startswith((b"\r\n", b"\n")):
        if not whole:
            return None
        end = Part(head, 0, len(head)).body_start
    header = turned(head[:end])
    return common_fields_in(header.replace(b"\0", b"\x80") if b"\0" in header else header)


def is_plain(fields: bytes) -> bool:
    """Say whether nothing in fields is encoded, so that they can be searched as they stand."""
    return fields.isascii() and b"=?" not in fields and b"\0" not in fields
