"""Messages of the store in memory, on their way in and out."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from referrald.interfaces import IContent, IIncoming


@implementer(IIncoming)
class MemoryIncoming:
    """A message that is arriving."""

    def __init__(self) -> None:
        self._data = bytearray()

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._data += data

    def discard(self) -> None:
        """Forget it all."""
        self._data.clear()

    def take(self) -> bytes:
        """Give what has come, and forget it."""
        data = bytes(self._data)
        self._data.clear()
        return data


def whole(content: Any) -> bytes:
    """Give the bytes of a new message; one that has arrived is used up."""
    return content.take() if isinstance(content, MemoryIncoming) else bytes(content)


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
