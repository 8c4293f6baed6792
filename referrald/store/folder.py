"""An open mailbox of the store in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from zope.interface import implementer

from referrald.errors import NoPermission, NoSuchMailbox
from referrald.interfaces import IMailFolder, IRecents
from referrald.mailmodel import Changes, Column, FolderState, Placed, Stored, StoredMessage
from referrald.mime import matching
from referrald.query import Found, Query
from referrald.store.contents import MemoryContent
from referrald.store.describing import FROM_CONTENT, date_time, describe
from referrald.store.mailbox import Mailbox, Message
from referrald.store.pausing import Pauses
from referrald.store.searched import Shelf


@implementer(IMailFolder, IRecents)
class MemoryFolder:
    """A mailbox as it was found under a name; it ends when the name means another, or none.

    find: gives the mailbox of a name, or raises `NoSuchMailbox`. now: gives the time.
    pauses: how it lets others have a turn.
    """

    def __init__(
        self,
        name: str,
        writable: bool,
        find: Callable[[str], Mailbox],
        now: Callable[[], datetime],
        pauses: Pauses,
    ) -> None:
        self.name = name
        self.writable = writable
        self._find = find
        self._now = now
        self._pauses = pauses
        self._mailbox = find(name)
        self._ends: list[Callable[[], None]] = []

    def _here(self, *, change: bool = False) -> Mailbox:
        """Give the mailbox, if it still has this name and, for a change, may be changed."""
        if self._find(self.name) is not self._mailbox:
            raise NoSuchMailbox(self.name)
        if change and not self.writable:
            raise NoPermission(self.name, public="This mailbox is open for reading only.")
        return self._mailbox

    async def state(self) -> FolderState:
        """Tell all that SELECT needs."""
        return self._here().state()

    async def recent_from(self, last: int) -> int:
        """Give the first UID of which nobody was told; they are now, up to ``last``."""
        mailbox = self._here()
        first = mailbox.first_recent
        if self.writable:
            mailbox.first_recent = max(first, last + 1)
        return first

    async def changes(self, since: int) -> Changes:
        """Tell what has happened since the state with that ``modseq``."""
        return self._here().changes(since)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after every change, at once; gives what ends that."""
        end = self._mailbox.watch(changed)
        self._ends.append(end)
        return end

    async def fetch(self, uids: Sequence[int]) -> list[StoredMessage]:
        """Tell of messages what is known without reading them."""
        return [message.stored() for message in self._here().pick(uids)]

    async def content(self, uid: int) -> bytes | None:
        """Give a whole message, None when it is gone."""
        return next((message.content for message in self._here().pick([uid])), None)

    async def rows(self, uids: Sequence[int], columns: Sequence[Column]) -> list[Any]:
        """Give for each message a tuple of its UID and the columns."""
        messages = self._here().pick(uids)
        if FROM_CONTENT.isdisjoint(columns):
            return _plain_rows(messages, columns)
        return [_row(message, columns) for message in messages]

    async def read(self, uid: int) -> MemoryContent | None:
        """Open a message for reading, None when it is gone."""
        content = await self.content(uid)
        return None if content is None else MemoryContent(content)

    async def search(self, query: Query) -> Found:
        """Find messages."""
        shelf = Shelf(self._here())
        return await self._pauses.between(matching.steps(query, shelf, now=self._now()))

    async def store(
        self,
        uids: Sequence[int],
        flags: Sequence[str],
        mode: int,
        unchanged_since: int | None = None,
    ) -> Stored:
        """Add (mode 1), remove (-1) or set (0) flags."""
        mailbox = self._here(change=True)
        messages = mailbox.pick(uids)
        since = mailbox.modseq if unchanged_since is None else unchanged_since
        others = tuple(message.uid for message in messages if message.modseq > since)
        if mailbox.store([each for each in messages if each.modseq <= since], flags, mode):
            mailbox.tell()
        return Stored(
            flags={message.uid: message.flags for message in messages},
            modseqs={message.uid: message.modseq for message in messages},
            unchanged=others,
        )

    async def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove messages marked ``\\Deleted``."""
        mailbox = self._here(change=True)
        some = mailbox.all() if uids is None else mailbox.pick(uids)
        marked = [message for message in some if "\\Deleted" in message.flags]
        mailbox.remove(marked)
        if marked:
            mailbox.tell()
        return [message.uid for message in marked]

    async def copy(self, uids: Sequence[int], target: str) -> Placed:
        """Copy messages into a mailbox of the account."""
        messages = self._here().pick(uids)
        into = self._find(target)
        placed = Placed(
            uids=into.add([message.draft for message in messages]),
            uid_validity=into.uid_validity,
            sources=tuple(message.uid for message in messages),
        )
        if messages:
            into.tell()
        return placed

    async def move(self, uids: Sequence[int], target: str) -> Placed:
        """Move messages into a mailbox of the account."""
        mailbox = self._here(change=True)
        into = self._find(target)
        placed = mailbox.move(mailbox.pick(uids), into)
        if placed.uids:
            for touched in {id(box): box for box in (mailbox, into)}.values():
                touched.tell()
        return placed

    async def close(self) -> None:
        """Let go of it: watches that were not ended are."""
        for end in self._ends:
            end()
        self._ends.clear()


_PLAIN: Final[dict[Column, Callable[[Message], Any]]] = {
    "flags": lambda message: " ".join(message.flags).encode("ascii"),
    "modseq": lambda message: message.modseq,
    "size": lambda message: len(message.content),
    "received": lambda message: date_time(message.received),
}


def _plain_rows(messages: Sequence[Message], columns: Sequence[Column]) -> list[Any]:
    """Give rows that have nothing of the messages' bytes; very many may be asked for."""
    found = [list(map(_PLAIN[column], messages)) for column in columns]
    return list(zip((message.uid for message in messages), *found, strict=True))


def _row(message: Message, columns: Sequence[Column]) -> tuple[Any, ...]:
    found = describe(message.content, columns)
    return (message.uid, *(found[c] if c in found else _PLAIN[c](message) for c in columns))
