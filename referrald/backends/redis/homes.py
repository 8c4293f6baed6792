"""Backends over Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from zope.interface import alsoProvides, implementer

from referrald.backends.draft import checked_name
from referrald.backends.keeping import Keeping, Work
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.redis import writing
from referrald.backends.redis.clients import Client
from referrald.backends.redis.dictionary import Dictionary
from referrald.backends.redis.keys import Keys
from referrald.backends.redis.mailboxes import RedisMailboxes
from referrald.backends.redis.rows import AT_ONCE, Reading, hashes_of, users_after
from referrald.backends.redis.source import RedisSource
from referrald.backends.servers import Wrong
from referrald.backends.storedpasswords import stored_password
from referrald.errors import Unavailable
from referrald.interfaces import (
    ILifecycle,
    IMailboxReferralBackend,
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


@implementer(IReferralBackend, IPasswordStore, ILifecycle, IReloadable)
class RedisBackend:
    """What both layouts have in common; ``lowercase`` as in the options."""

    def __init__(self, source: RedisSource, lowercase: bool) -> None:
        self._source = source
        self._lowercase = lowercase
        if source.watches:
            alsoProvides(self, IWatchableBackend)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._source.name}>"

    async def start(self) -> None:
        """Connect."""
        await self._source.start()

    async def stop(self) -> None:
        """Let go of connections and threads."""
        await self._source.stop()

    async def reload(self) -> None:
        """Take it that anybody may have changed."""
        self._source.look()

    def watch(self, changed: Callable[[str | None], None]) -> Callable[[], None]:
        """Have changes told."""
        return self._source.watch(changed)

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user; raises `Unavailable` when what is there is no good."""
        name = self._known(login.user)
        if name is None:
            return None
        home = await self._source.read(lambda client: self._home(client, name))
        if home is None or name == login.user:
            return home
        # A change is told by the name in lower case, so that no other form may be kept.
        return attrs.evolve(home, ttl=0)

    async def password(self, user: str) -> StoredPassword | None:
        """Give the stored password of a user."""
        name = self._known(user)
        if name is None:
            return None
        return await self._source.read(lambda client: self._password(client, name))

    def _home(self, client: Client, name: str) -> Home | None:
        raise NotImplementedError

    def _password(self, client: Client, name: str) -> StoredPassword | None:
        raise NotImplementedError

    def _known(self, user: str) -> str | None:
        """Give the name of a user at the source, None for one that nobody can have."""
        name = self._folded(user)
        try:
            checked_name(name)
        except (Wrong, UnicodeError):
            return None
        return name

    def _folded(self, user: str) -> str:
        return user.lower() if self._lowercase else user


@implementer(IWritableBackend, ITargets)
class KeptBackend(RedisBackend, Keeping):
    """Keeps a hash for each user.

    scheme: of passwords that do not say. mailboxes: says which are elsewhere; None for none.
    """

    def __init__(
        self,
        source: RedisSource,
        lowercase: bool,
        *,
        keys: Keys,
        reading: Reading,
        scheme: str,
        mailboxes: RedisMailboxes | None = None,
    ) -> None:
        super().__init__(source, lowercase)
        self._elsewhere = mailboxes
        if mailboxes is not None:
            alsoProvides(self, IMailboxReferralBackend)
        self._keys = keys
        self._reading = reading
        self._scheme = scheme

    def _home(self, client: Client, name: str) -> Home | None:
        return self._reading.home(client.hgetall(self._keys.home(name)), name)

    def _password(self, client: Client, name: str) -> StoredPassword | None:
        return stored_password(client.get(self._keys.password(name)), self._scheme)

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is; raises `Unavailable` when a row of the user's is no good."""
        key = self._folded(user)
        location = (await self._mailboxes(user)).location(name, key, user)
        if location is None or key == user:
            return location
        # As for homes: no other form of the name may be kept.
        return attrs.evolve(location, ttl=0)

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Name what is elsewhere and is no pattern; raises `Unavailable`."""
        key = self._folded(user)
        names = (await self._mailboxes(user)).names(key, user)
        if key == user:
            return names
        return [attrs.evolve(each, location=attrs.evolve(each.location, ttl=0)) for each in names]

    async def _mailboxes(self, user: str) -> MailboxTable:
        name, elsewhere = self._known(user), self._elsewhere
        if name is None or elsewhere is None:
            return MailboxTable()
        return await self._source.read(lambda client: elsewhere.table(client, name))

    async def targets(self) -> Sequence[Server]:
        """Name the servers that users and mailboxes are on, by a look at all of them."""
        return await self._source.read(self._targets)

    def _targets(self, client: Client) -> list[Server]:
        found: dict[Server, None] = {}
        if self._elsewhere is not None:
            found.update(dict.fromkeys(self._elsewhere.servers(client)))
        after = ""
        while users := users_after(client, self._keys, after, AT_ONCE):
            after = users[-1]
            for user, reply in zip(users, hashes_of(client, self._keys, users), strict=True):
                try:
                    home = self._reading.home(reply, user)
                except Unavailable:
                    continue
                found.update(dict.fromkeys(home.servers if home else ()))
        return list(found)

    async def export(self, after: str = "", limit: int = 10_000) -> Sequence[tuple[str, Home]]:
        """Give the users behind a name with their homes."""
        keys, reading = self._keys, self._reading
        return await self._source.read(lambda it: writing.page(it, keys, reading, after, limit))

    async def history(self, user: str | None = None, limit: int = 100) -> Sequence[LoggedChange]:
        """Give the latest changes."""
        name = None if user is None else self._folded(user)
        return await self._source.read(lambda it: writing.history(it, self._keys, name, limit))

    async def _change(self, work: Work) -> Sequence[HomeChange]:
        return await self._source.write(
            lambda client: writing.do(client, self._keys, self._reading, work)
        )


class DictBackend(RedisBackend):
    """Reads what Dovecot's dict driver reads; another program writes it."""

    def __init__(self, source: RedisSource, lowercase: bool, dictionary: Dictionary) -> None:
        super().__init__(source, lowercase)
        self._dictionary = dictionary

    def _known(self, user: str) -> str | None:
        name = super()._known(user)
        return name if name is not None and self._dictionary.can_have(name) else None

    def _home(self, client: Client, name: str) -> Home | None:
        return self._dictionary.home(client.get(self._dictionary.key(name)), name)

    def _password(self, client: Client, name: str) -> StoredPassword | None:
        return self._dictionary.password(client.get(self._dictionary.key(name)), name)
