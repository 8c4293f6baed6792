"""A message that arrives for somebody who takes whole messages only, held in memory."""

from __future__ import annotations

from zope.interface import implementer

from referrald.interfaces import IIncoming


@implementer(IIncoming)
class Held:
    """A message that is arriving."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pieces.append(data)

    def discard(self) -> None:
        """Forget it all."""
        self._pieces.clear()

    @property
    def value(self) -> bytes:
        """Give what has come."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""
