"""A small store in memory, for users who are served here and whose mail need not last.

It is lost when the process ends and is meant for demonstrations and tests; ``[serve] store =
"memory"`` asks for it by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from zope.interface import implementer

from referrald.errors import NoSuchMailbox
from referrald.interfaces import IMailAccount, IMailStore, IQuotas, IRights
from referrald.mailmodel import MailboxEntry, MailboxStatus, Namespaces, NewMessage, Placed, Quota
from referrald.store import room as cost
from referrald.store.contents import MemoryIncoming, whole
from referrald.store.folder import MemoryFolder
from referrald.store.mailbox import Draft, Mailbox
from referrald.store.names import DELIMITER, INBOX, checked, undelimited
from referrald.store.pausing import Pauses
from referrald.store.rights import ALL
from referrald.store.tree import Tree

WELCOME = """\
From: referrald <postmaster@localhost>\r
To: {user} <{user}@localhost>\r
Subject: {subject}\r
Date: {date}\r
Message-ID: <{number}.{user}@localhost>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=us-ascii\r
\r
{text}\r
"""
FIRST = ("Welcome home", "This mailbox lives in the memory of the server you logged in to.")
SECOND = ("Nothing is kept", "It is gone when the server stops; a store on disk would keep it.")


@implementer(IMailAccount, IQuotas, IRights)
class MemoryAccount:
    """One user's mailboxes. welcome: INBOX has messages of ours to begin with."""

    delimiter = DELIMITER
    append_limit = cost.ACCOUNT_BYTES
    resources = ("STORAGE",)

    def __init__(
        self,
        user: str,
        clock: Callable[[], float] = time.time,
        pauses: Pauses | None = None,
        *,
        welcome: bool = True,
    ) -> None:
        self.user = user
        self._clock = clock
        self._pauses = pauses or Pauses()
        self._own = Tree(INBOX, clock)
        self._subscriptions: set[str] = set()
        self._add_subscription(INBOX)
        if welcome:
            self._own.get(INBOX).add(self._welcome())

    def _welcome(self) -> list[Draft]:
        date = formatdate(self._clock(), usegmt=True)
        texts = [
            WELCOME.format(
                user=_plain(self.user), subject=subject, text=text, number=number, date=date
            )
            for number, (subject, text) in enumerate((FIRST, SECOND), 1)
        ]
        return [(text.encode("ascii"), (), self._now()) for text in texts]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)

    def _find(self, name: str) -> Mailbox:
        return self._own.get(name)

    def namespaces(self) -> Namespaces:
        """Give the prefixes of the namespaces: all is personal."""
        return Namespaces()

    async def entries(self) -> list[MailboxEntry]:
        """Name every mailbox."""
        return sorted(self._own.entries(), key=lambda entry: entry.name)

    async def subscriptions(self) -> frozenset[str]:
        """Name all that is subscribed."""
        return frozenset(self._subscriptions)

    # -- limits and rights -------------------------------------------------------------------

    async def quotas(self, name: str) -> Sequence[Quota]:
        """Give the one quota root of a mailbox."""
        return [self._quota()]

    async def quota(self, root: str) -> Quota | None:
        """Give the limit of the account, whose root has no name."""
        return None if root else self._quota()

    def _quota(self) -> Quota:
        room = self._own.room
        return Quota(root="", storage=(room.size - room.left, room.size))

    async def rights(self, name: str) -> str:
        """Give everything: it is all the user's own."""
        if name not in self._own:
            raise NoSuchMailbox(name)
        return ALL

    async def acl(self, name: str) -> Mapping[str, str]:
        """Give the letters by identifier."""
        return {self.user: await self.rights(name)}

    # -- mailboxes ---------------------------------------------------------------------------

    async def open(self, name: str, writable: bool) -> MemoryFolder:
        """Give the folder of that name."""
        return MemoryFolder(name, writable, self._find, self._now, self._pauses)

    async def status(self, name: str) -> MailboxStatus:
        """Count without opening."""
        return self._find(name).status()

    async def statuses(self, names: Sequence[str]) -> dict[str, MailboxStatus]:
        """Count many."""
        found = {}
        for name in names:
            with suppress(NoSuchMailbox):
                found[name] = self._find(name).status()
        return found

    async def incoming(self, name: str, size: int) -> MemoryIncoming:
        """Get ready to take a message."""
        return MemoryIncoming(size, self._find(name).room)

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Placed:
        """Put messages into a mailbox."""
        contents = whole(new.content for new in messages)
        mailbox = self._find(name)
        drafts = [
            (content, new.flags, self._arrival(new.received))
            for content, new in zip(contents, messages, strict=True)
        ]
        uids = mailbox.add(drafts)
        if uids:
            mailbox.tell()
        return Placed(uid_validity=mailbox.uid_validity, uids=uids)

    def _arrival(self, given: datetime | None) -> datetime:
        if given is None:
            return self._now()
        return given if given.tzinfo else given.replace(tzinfo=UTC)

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox and the levels above it."""
        plain = undelimited(name)
        self._own.create(plain, special_use)

    async def delete(self, name: str) -> None:
        """Remove a mailbox; what is below it stays."""
        for gone in self._own.delete(name):
            gone.tell()

    async def rename(self, old: str, new: str) -> None:
        """Give a mailbox and all below it a new name."""
        for touched in self._own.rename(old, undelimited(new)):
            touched.tell()

    async def subscribe(self, name: str) -> None:
        """Add a name to the subscriptions."""
        self._add_subscription(checked(undelimited(name)))

    def _add_subscription(self, name: str) -> None:
        if name not in self._subscriptions:
            self._own.room.take(cost.word(name))
            self._subscriptions.add(name)

    async def unsubscribe(self, name: str) -> None:
        """Take a name from the subscriptions."""
        plain = undelimited(name)
        if plain in self._subscriptions:
            self._subscriptions.remove(plain)
            self._own.room.give(cost.word(plain))


def _plain(user: str) -> str:
    """Make a user name fit for an address in a message of ours."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in user)


@implementer(IMailStore)
class MemoryStore:
    """The accounts of this process, made when first asked for.

    clock: gives the seconds since the epoch. reactor: where there is one, long searches let it have
    a turn now and then.
    """

    def __init__(self, clock: Callable[[], float] = time.time, reactor: Any = None) -> None:
        self._clock = clock
        self._pauses = Pauses(reactor)
        self._accounts: dict[str, MemoryAccount] = {}
        self._public = MemoryAccount("", clock, self._pauses, welcome=False)

    async def account(self, user: str) -> MemoryAccount:
        """Give the account of ``user``."""
        if user not in self._accounts:
            self._accounts[user] = MemoryAccount(user, self._clock, self._pauses)
        return self._accounts[user]

    async def existing(self, user: str) -> MemoryAccount | None:
        """Give the account of ``user`` if somebody has asked for it before."""
        return self._accounts.get(user)

    async def public(self) -> MemoryAccount:
        """Give the account whose mailboxes are public."""
        return self._public
