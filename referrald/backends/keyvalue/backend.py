"""The backend over a key/value store, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from zope.interface import implementer

from referrald.backends.keyvalue.following import Follower
from referrald.backends.keyvalue.keys import key_of
from referrald.backends.keyvalue.writing import Changes, Writer
from referrald.backends.watching import Watchers
from referrald.interfaces import (
    ILifecycle,
    IReferralBackend,
    ITargets,
    IWatchableBackend,
    IWritableBackend,
)
from referrald.model import Home, LoggedChange, Login, Occasion, Server
from referrald.workers import WorkerPool


@implementer(IReferralBackend, IWatchableBackend, IWritableBackend, ITargets, ILifecycle)
class KeyValueBackend:
    """Looks each user up in the store, and follows what changes there.

    close: ends the connections that are kept.
    """

    def __init__(
        self, writer: Writer, pool: WorkerPool, reactor: Any, close: Callable[[], Any]
    ) -> None:
        self._writer = writer
        self._store = writer.store
        self._pool = pool
        self._close = close
        self._watchers = Watchers(self._store.name)
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
        key = key_of(self._writer.prefix, login.user)
        entry = None if key is None else await self._store.get(key)
        return None if entry is None else self._writer.values.read(login.user, entry.value)

    async def targets(self) -> Sequence[Server]:
        """Name the servers of all homes."""
        found: dict[Server, None] = {}
        async for known, _ in self._writer.pages():
            for home in known.homes.values():
                found.update(dict.fromkeys(home.servers))
        return tuple(found)

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
