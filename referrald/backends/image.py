"""A table that never changes, as one file that is mapped into memory.

A million users cost the process that looks one up no more than the pages that it touches, and
nothing that the garbage collector would have to walk through. The file is local, of this machine's
byte order, and has no name; `referrald.backends.imagewriter` makes it::

    header   magic, salt, number of slots, number of records, where slots and notes are
    homes    length, JSON; each different home once
    records  line, home, lengths, flags, length of the key; then key, user, password
    slots    open addressing: the upper half of a hash beside the record's place; 0 is free
    notes    JSON: whatever there is only one of
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple

from referrald.backends import homes
from referrald.model import Home

HEADER = struct.Struct("=8s16sQQQQQ")
RECORD = struct.Struct("=IIHHBH")
KEY_SIZE = struct.Struct("=H")
LENGTH = struct.Struct("=I")
KEY_AT = RECORD.size - KEY_SIZE.size
MAGIC = b"homes 1\n"
ALIGN = 8

USER = b"u"
DOMAIN = b"d"

HAS_USER = 1
USER_IS_TEMPLATE = 2
HAS_PASSWORD = 4

LONGEST_KEY = 255
HOMES_KEPT = 1_000


class Record(NamedTuple):
    """One entry: where its home stands, the name to use there, a password; absent is None."""

    line: int
    home: int
    key: bytes
    user: bytes | None
    is_template: bool
    password: bytes | None

    def __repr__(self) -> str:
        return f"<Record {self.key!r} of line {self.line}>"


def hash_of(key: bytes, salt: bytes) -> int:
    """Hash a key with its space in front; salted, so that nobody can make keys that collide."""
    return int.from_bytes(blake2b(key, digest_size=8, salt=salt).digest(), "little")


class Image:
    """Looks up records in an image; raises ValueError for a file that is none."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) < HEADER.size:
            raise ValueError("too short for an image")
        magic, self.salt, slots, self.count, at_slots, at_notes, end = HEADER.unpack_from(self._map)
        if magic != MAGIC or end != len(self._map):
            raise ValueError("not a complete image")
        self._mask = slots - 1
        self._slots = memoryview(self._map)[at_slots : at_slots + 8 * slots].cast("Q")
        self.notes: dict[str, Any] = json.loads(self._map[at_notes:end])
        self._homes: dict[int, Home] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._slots.release()
        self._map.close()
        self.file.close()

    def find(self, space: bytes, name: str) -> Record | None:
        """Give the record of ``name``; any text may be asked for."""
        place = self.seek(space, name)
        return None if place is None else self.record(place)

    def seek(self, space: bytes, name: str) -> int | None:
        """Say where the record of ``name`` begins."""
        key = space + name.encode("utf-8", "surrogatepass")
        return None if len(key) > LONGEST_KEY + 1 else self.place(key)

    def entry(self, place: int) -> tuple[int, bytes | None, bool]:
        """Read of a record what every lookup needs: home, name there, if that is a template."""
        _, home, user_size, _, flags, key_size = RECORD.unpack_from(self._map, place)
        if not flags & HAS_USER:
            return home, None, False
        start = place + RECORD.size + key_size
        user = self._map[start : start + user_size]
        return home, user, bool(flags & USER_IS_TEMPLATE)

    def place(self, key: bytes) -> int | None:
        """Say where the record of a key, with its space in front, begins."""
        hashed = hash_of(key, self.salt)
        tag = hashed >> 32
        index = hashed & self._mask
        # The length stands in front of the key, so that both are compared at once.
        wanted = KEY_SIZE.pack(len(key)) + key
        while slot := self._slots[index]:
            if slot >> 32 == tag:
                place: int = (slot & 0xFFFFFFFF) * ALIGN
                start = place + KEY_AT
                if self._map[start : start + len(wanted)] == wanted:
                    return place
            index = (index + 1) & self._mask
        return None

    def key(self, place: int) -> bytes:
        """Give the key of a record, with its space in front."""
        start = place + RECORD.size
        (length,) = KEY_SIZE.unpack_from(self._map, place + KEY_AT)
        return self._map[start : start + length]

    def record(self, place: int) -> Record:
        """Read the record at a place."""
        line, home, user_size, password_size, flags, key_size = RECORD.unpack_from(self._map, place)
        start = place + RECORD.size
        end = start + key_size
        user_end = end + user_size
        return Record(
            line,
            home,
            self._map[start:end],
            self._map[end:user_end] if flags & HAS_USER else None,
            bool(flags & USER_IS_TEMPLATE),
            self._map[user_end : user_end + password_size] if flags & HAS_PASSWORD else None,
        )

    def body(self, place: int) -> tuple[int, bytes]:
        """Give a record for comparing: its home, and all the rest of it but the line."""
        _, home, user_size, password_size, _, key_size = RECORD.unpack_from(self._map, place)
        end = place + RECORD.size + key_size + user_size + password_size
        return home, self._map[place + 2 * LENGTH.size : end]

    def home(self, reference: int) -> Home:
        """Give the home that a record or a note refers to; the same object as long as possible."""
        known = self._homes.get(reference)
        if known is None:
            if len(self._homes) >= HOMES_KEPT:
                self._homes.clear()
            known = self._homes[reference] = homes.decode(self.home_bytes(reference))
        return known

    def home_bytes(self, reference: int) -> bytes:
        """Give a home as it is written in the image."""
        start = reference * ALIGN + LENGTH.size
        (length,) = LENGTH.unpack_from(self._map, reference * ALIGN)
        return self._map[start : start + length]

    def places(self) -> Iterator[int]:
        """Say where every record begins, in no particular order; slow in a large image."""
        for slot in self._slots:
            if slot:
                yield (slot & 0xFFFFFFFF) * ALIGN
