"""What the store in memory knows of its messages, for a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from referrald.mailmodel import StoredMessage
from referrald.mime.parts import parse
from referrald.store.describing import common_fields
from referrald.store.mailbox import Mailbox


class Shelf:
    """A mailbox as a `referrald.mime.matching.Source`."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def uids(self) -> list[int]:
        """Give the UIDs of all messages."""
        return [message.uid for message in self._mailbox.all()]

    def attributes(self, uids: Sequence[int]) -> list[StoredMessage]:
        """Tell what is known without reading."""
        return [message.stored() for message in self._mailbox.pick(uids)]

    def fields(self, uids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Give the common fields."""
        for message in self._mailbox.pick(uids):
            yield message.uid, common_fields(parse(message.content.replace(b"\0", b"\x80")))

    def header(self, uid: int) -> bytes | None:
        """Give a message, which has its header in it."""
        return self.content(uid)

    def content(self, uid: int) -> bytes | None:
        """Give a whole message."""
        return next((message.content for message in self._mailbox.pick([uid])), None)
