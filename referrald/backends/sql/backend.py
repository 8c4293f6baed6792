"""Backends over a database, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs
from zope.interface import alsoProvides, implementer

from referrald.backends.keeping import Keeping, Work
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.mailboxtables import MailboxTables
from referrald.backends.sql import writing
from referrald.backends.sql.connection import Connection, Database
from referrald.backends.sql.parameters import values_for
from referrald.backends.sql.queries import Queries, password_samples
from referrald.backends.sql.writing import SqlHomes
from referrald.errors import Unavailable
from referrald.interfaces import (
    ILifecycle,
    IMailboxReferralBackend,
    IPasswordSamples,
    IPasswordStore,
    IReferralBackend,
    IReloadable,
    ITargets,
    IWatchableBackend,
    IWritableBackend,
)
from referrald.mailmodel import MailboxLocation, RemoteMailbox
from referrald.model import (
    Home,
    HomeChange,
    LoggedChange,
    Login,
    Server,
    StoredPassword,
)

Changes = Sequence[HomeChange]


@implementer(IReferralBackend, ILifecycle, IReloadable)
class SqlBackend:
    """Answers by the operator's own queries; ``lowercase`` as in the options."""

    def __init__(self, database: Database, queries: Queries, lowercase: bool) -> None:
        self._database = database
        self._queries = queries
        self._lowercase = lowercase
        self._tables = MailboxTables()
        if database.watches:
            alsoProvides(self, IWatchableBackend)
        if queries.password:
            alsoProvides(self, IPasswordStore)
        if queries.targets:
            alsoProvides(self, ITargets)
        if queries.mailboxes:
            alsoProvides(self, IMailboxReferralBackend)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._database.name}>"

    async def start(self) -> None:
        """Open the database."""
        await self._database.start()

    async def stop(self) -> None:
        """Close it."""
        await self._database.stop()

    async def reload(self) -> None:
        """Look for changes now."""
        await self._database.look()

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Have changes told."""
        return self._database.watch(changed)

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user; raises `Unavailable` when its row is no good."""
        name = self._folded(login.user)
        rows = await self._rows(self._queries.home, name)
        home = self._queries.read_home(rows, name)
        if home is None or name == login.user:
            return home
        # A change is told by the name in lower case, so that no other form may be kept.
        return attrs.evolve(home, ttl=0)

    async def password(self, user: str) -> StoredPassword | None:
        """Give the stored password of a user."""
        name = self._folded(user)
        return self._queries.read_password(await self._rows(self._queries.password, name), name)

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is; raises `Unavailable` when a row of the user's is no good."""
        key = self._folded(user)
        table = await self._mailboxes(key)
        location = table.location(name, key, user)
        if location is None or key == user:
            return location
        # As for homes: no other form of the name may be kept.
        return attrs.evolve(location, ttl=0)

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name what is elsewhere and is no pattern; raises `Unavailable`."""
        key = self._folded(user)
        names = (await self._mailboxes(key)).names(key, user)
        if key == user:
            return names
        return [attrs.evolve(each, location=attrs.evolve(each.location, ttl=0)) for each in names]

    async def _mailboxes(self, name: str) -> MailboxTable:
        values = values_for(name)
        if values is None:
            return MailboxTable()

        def work(connection: Connection) -> MailboxTable:
            rows = connection.query(self._queries.mailboxes, values)
            return self._tables.table(rows, lambda: self._queries.read_mailboxes(rows, name))

        return await self._database.read(work)

    async def targets(self) -> Sequence[Server]:
        """Name the servers that are in the database."""
        return await self._database.read(self._queries.find_targets)

    async def _rows(self, query: str, name: str) -> Sequence[Any]:
        values = values_for(name)
        if values is None:
            return ()
        return await self._database.read(lambda connection: connection.query(query, values))

    def _folded(self, user: str) -> str:
        return user.lower() if self._lowercase else user


@implementer(IWritableBackend, IPasswordSamples)
class KeptBackend(SqlBackend, Keeping):
    """Keeps homes and passwords in tables of our own."""

    def __init__(self, database: Database, queries: Queries, lowercase: bool) -> None:
        super().__init__(database, queries, lowercase)
        self._samples: Sequence[StoredPassword] = ()
        database.keep(password_samples, self._adopt)

    def _adopt(self, samples: Sequence[StoredPassword]) -> None:
        self._samples = samples

    def password_samples(self) -> Sequence[StoredPassword]:
        """Give one password of each scheme, the most used first."""
        return self._samples

    async def export(self, after: str = "", limit: int = 10_000) -> Sequence[tuple[str, Home]]:
        """Give the users behind a name with their homes."""
        return await self._database.read(lambda it: writing.page(it, after, limit))

    async def history(self, user: str | None = None, limit: int = 100) -> Sequence[LoggedChange]:
        """Give the latest changes."""
        name = None if user is None else self._folded(user)
        return await self._database.read(lambda it: writing.history(it, name, limit))

    async def _change(self, work: Work) -> Changes:
        changes = await self._database.write(lambda it: work(SqlHomes(it)))
        # When it cannot be looked at just now, the change is done all the same.
        with suppress(Unavailable):
            await self._database.look()
        return changes
