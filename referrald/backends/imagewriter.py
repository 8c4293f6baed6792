"""Writes an image, in one pass and little memory."""

from __future__ import annotations

import json
import os
from array import array
from typing import Any, BinaryIO

from referrald.backends import homes
from referrald.backends.image import (
    ALIGN,
    HAS_PASSWORD,
    HAS_USER,
    HEADER,
    LENGTH,
    MAGIC,
    RECORD,
    USER_IS_TEMPLATE,
    hash_of,
)
from referrald.model import Home, Server

LARGEST = ALIGN << 32
"""Bytes that an image can have before its last record."""


RECENT = 10_000


class TooLarge(ValueError):
    """There is more than an image can hold."""


class ImageWriter:
    """Takes homes and records, then finishes the file.

    Keys may come twice; which did is told by `finish`, and the image is of no use then.

    servers: every server that a home has, in order of their coming.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._salt = os.urandom(16)
        self._at = 0
        self._hashes = array("Q")
        self._places = array("I")
        self._homes: dict[bytes, int] = {}
        self._recent: dict[int, tuple[Home, int]] = {}
        self.servers: dict[Server, None] = {}
        self._write(bytes(HEADER.size))

    def home(self, home: Home) -> int:
        """Keep a home, each different one once, and give what refers to it."""
        recent = self._recent.get(id(home))
        if recent is not None:
            return recent[1]
        if len(self._recent) >= RECENT:
            self._recent.clear()
        reference = self._reference(home)
        self._recent[id(home)] = home, reference
        return reference

    def _reference(self, home: Home) -> int:
        data = homes.encode(home)
        known = self._homes.get(data)
        if known is None:
            known = self._homes[data] = self._at // ALIGN
            self.servers.update(dict.fromkeys(home.servers))
            self._write(LENGTH.pack(len(data)) + data)
        return known

    def add(
        self,
        space: bytes,
        key: bytes,
        home: int,
        *,
        line: int = 0,
        user: bytes | None = None,
        is_template: bool = False,
        password: bytes | None = None,
    ) -> None:
        """Write the record of a key within a space; lengths are for the caller to limit."""
        flags = (
            (0 if user is None else HAS_USER)
            | (USER_IS_TEMPLATE if is_template else 0)
            | (0 if password is None else HAS_PASSWORD)
        )
        user, password, key = user or b"", password or b"", space + key
        self._hashes.append(hash_of(key, self._salt))
        self._places.append(self._at // ALIGN)
        head = RECORD.pack(line, home, len(user), len(password), flags, len(key))
        self._write(b"".join((head, key, user, password)))

    def finish(self, notes: dict[str, Any]) -> list[tuple[bytes, int, int]]:
        """Complete the file; gives every key that came twice, with the lines of both records."""
        twice: list[tuple[bytes, int, int]] = []
        self._file.flush()
        slots = self._fill(twice)
        at_slots = self._at
        self._write(slots.tobytes())
        at_notes = self._at
        data = json.dumps(notes).encode("ascii")
        self._file.write(data)
        end = at_notes + len(data)
        self._file.seek(0)
        self._file.write(
            HEADER.pack(MAGIC, self._salt, len(slots), len(self._hashes), at_slots, at_notes, end)
        )
        self._file.flush()
        return twice

    def _write(self, data: bytes) -> None:
        padding = -len(data) % ALIGN
        self._file.write(data + bytes(padding) if padding else data)
        self._at += len(data) + padding
        if self._at > LARGEST:
            raise TooLarge("more than 32 GiB")

    def _fill(self, twice: list[tuple[bytes, int, int]]) -> array[int]:
        """Give every record its slot; at most half of the slots are used."""
        mask = (1 << (2 * len(self._hashes)).bit_length()) - 1
        slots = array("Q", bytes(8 * (mask + 1)))
        for hashed, place in zip(self._hashes, self._places, strict=True):
            tag = hashed >> 32
            index = hashed & mask
            while slot := slots[index]:
                if slot >> 32 == tag and (same := self._same(slot & 0xFFFFFFFF, place)):
                    twice.append(same)
                    break
                index = (index + 1) & mask
            else:
                slots[index] = tag << 32 | place
        return slots

    def _same(self, one: int, other: int) -> tuple[bytes, int, int] | None:
        """Compare the keys of two records whose hashes look the same."""
        (first, line), (second, later) = self._read(one), self._read(other)
        return (first, line, later) if first == second else None

    def _read(self, place: int) -> tuple[bytes, int]:
        descriptor, start = self._file.fileno(), place * ALIGN
        line, *_, length = RECORD.unpack(os.pread(descriptor, RECORD.size, start))
        return os.pread(descriptor, length, start + RECORD.size), line
