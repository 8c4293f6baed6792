"""Messages of the store in memory, on their way in and out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from referrald.errors import NotPossible
from referrald.interfaces import IContent, IIncoming
from referrald.store.room import Room


@implementer(IIncoming)
class MemoryIncoming:
    """A message that is arriving; the room for all of it is taken at once.

    Raises `OverQuota` where there is not so much.
    """

    def __init__(self, size: int, room: Room) -> None:
        room.take(size)
        self._size = size
        self._room = room
        self._data: bytearray | None = bytearray()

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._data is None or len(self._data) + len(data) > self._size:
            raise NotPossible("more bytes of a message than were announced")
        self._data += data

    def discard(self) -> None:
        """Forget it all, and give back the room."""
        if self._data is not None:
            self._data = None
            self._room.give(self._size)

    def take(self) -> bytes | None:
        """Give what has come, and forget it; None where it has been used up."""
        data = None if self._data is None else bytes(self._data)
        self.discard()
        return data


def whole(contents: Iterable[Any]) -> list[bytes]:
    """Give the bytes of new messages; all of those that have arrived are used up.

    Raises `NotPossible` where one has been used up before.
    """
    found = [
        content.take() if isinstance(content, MemoryIncoming) else bytes(content)
        for content in contents
    ]
    there = [data for data in found if data is not None]
    if len(there) < len(found):
        raise NotPossible("a message that has arrived is used twice")
    return there


@implementer(IContent)
class MemoryContent:
    """A message that is being read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    async def read(self, start: int, length: int) -> bytes:
        """Give bytes."""
        return self._data[start : start + length]

    def close(self) -> None:
        """Let go of it."""
        self._data = b""
