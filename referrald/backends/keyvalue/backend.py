"""The backend over a key/value store, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from zope.interface import alsoProvides, implementer

from referrald.backends.keyvalue.following import Follower
from referrald.backends.keyvalue.keys import key_of
from referrald.backends.keyvalue.store import Entry
from referrald.backends.keyvalue.writing import Changes, Known, Writer
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.watching import Watchers
from referrald.interfaces import (
    ILifecycle,
    IMailboxReferralBackend,
    IReferralBackend,
    ITargets,
    IWatchableBackend,
    IWritableBackend,
)
from referrald.mailmodel import MailboxLocation, RemoteMailbox
from referrald.model import Home, LoggedChange, Login, Occasion, Server
from referrald.workers import WorkerPool

SHORT = 16_384
"""So long a value is read at once, and not in a thread."""


@implementer(IReferralBackend, IWatchableBackend, IWritableBackend, ITargets, ILifecycle)
class KeyValueBackend:
    """Looks each user up in the store, and follows what changes there.

    close: ends the connections that are kept. mailboxes: values say of single mailboxes as well
    where they are.
    """

    def __init__(
        self,
        writer: Writer,
        pool: WorkerPool,
        reactor: Any,
        close: Callable[[], Any],
        mailboxes: bool,
    ) -> None:
        self._writer = writer
        self._store = writer.store
        self._pool = pool
        self._close = close
        self._watchers = Watchers(self._store.name)
        if mailboxes:
            alsoProvides(self, IMailboxReferralBackend)
        self._follower = Follower(self._store, self._watchers, writer.prefix, reactor)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store.name}>"

    async def start(self) -> None:
        """Begin to follow changes; a store that is down is tried again and again."""
        await self._pool.start()
        await self._follower.start()

    async def stop(self) -> None:
        """Let go of everything."""
        self._watchers.clear()
        self._follower.stop()
        await self._pool.stop()
        await self._close()

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Have changes told."""
        return self._watchers.add(changed)

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user; raises `Unavailable` when its value is no good."""
        entry = await self._entry(login.user)
        return None if entry is None else self._writer.values.read(login.user, entry.value)

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox of a user is; raises `Unavailable` when the value is no good."""
        return (await self._mailboxes(user)).location(name, user, user)

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name what a user may see elsewhere."""
        return (await self._mailboxes(user)).names(user, user)

    async def _mailboxes(self, user: str) -> MailboxTable:
        entry = await self._entry(user)
        if entry is None:
            return MailboxTable()
        read = self._writer.values.mailboxes
        if len(entry.value) <= SHORT:
            return read(user, entry.value)
        return await self._pool.run(read, user, entry.value)

    async def _entry(self, user: str) -> Entry | None:
        key = key_of(self._writer.prefix, user)
        return None if key is None else await self._store.get(key)

    async def targets(self) -> Sequence[Server]:
        """Name the servers of all homes, and of mailboxes."""
        found: dict[Server, None] = {}
        async for known, _ in self._writer.pages():
            found.update(dict.fromkeys(await self._pool.run(self._servers, known)))
        return tuple(found)

    def _servers(self, known: Known) -> Sequence[Server]:
        found = [server for home in known.homes.values() for server in home.servers]
        if IMailboxReferralBackend.providedBy(self):
            for user, entry in known.entries.items():
                found += self._writer.values.mailboxes(user, entry.value).servers()
        return found

    async def set_home(self, homes: Mapping[str, Home], occasion: Occasion) -> Changes:
        """Give users homes."""
        return await self._writer.set_home(homes, occasion)

    async def hold(self, users: Sequence[str], occasion: Occasion) -> Changes:
        """Hold users."""
        return await self._held(users, True, occasion)

    async def release(self, users: Sequence[str], occasion: Occasion) -> Changes:
        """Let users go."""
        return await self._held(users, False, occasion)

    async def _held(self, users: Sequence[str], held: bool, occasion: Occasion) -> Changes:
        return await self._writer.each(users, lambda home: attrs.evolve(home, held=held), occasion)

    async def remove(self, users: Sequence[str], occasion: Occasion) -> Changes:
        """Forget users."""
        return await self._writer.each(users, lambda home: None, occasion)

    async def import_(self, homes: Mapping[str, Home], occasion: Occasion) -> Changes:
        """Know these users and no others."""
        return await self._writer.import_(homes, occasion)

    async def export(self, after: str = "", limit: int = 10_000) -> Sequence[tuple[str, Home]]:
        """Give users behind a name with their homes."""
        found: list[tuple[str, Home]] = []
        async for known, users in self._writer.pages(after, limit):
            found += [(user, known.homes[user]) for user in users]
            if len(found) >= limit:
                break
        return found[:limit]

    async def history(self, user: str | None = None, limit: int = 100) -> Sequence[LoggedChange]:
        """Give the latest changes made through referrald."""
        return await self._writer.log(user, limit)
