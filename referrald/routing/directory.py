"""Where a user's mail lives: a chain of backends behind a cache, with a deadline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime

from referrald.errors import Unavailable
from referrald.interfaces import IReferralBackend
from referrald.model import Home, Login
from referrald.routing.cache import Entry, HomeCache
from referrald.routing.chain import Chain
from referrald.routing.lifecycle import Lifecycle
from referrald.routing.outages import BackendEvent, Outages

PROBE_INTERVAL: Final = 1.0
"""Seconds between attempts to reach a backend that is down, on behalf of nobody who waits."""


@attrs.frozen(kw_only=True)
class DirectorySettings:
    """Times in seconds.

    deadline: for a whole lookup. found, missing: how long answers are kept. stale: how long past
    its time a home is used while a backend is down. size: how many answers are kept.
    """

    deadline: float = 2.0
    found: float = 60.0
    missing: float = 10.0
    stale: float = 3600.0
    size: int = 100_000


@attrs.frozen(kw_only=True)
class Lookup:
    """An answer with its history, for ``referralctl``.

    age: seconds since the backends said so. stale: past its time, used because a backend is down.
    cached: known from before.
    """

    home: Home | None
    source: str
    age: float
    stale: bool
    cached: bool


class Directory:
    """Asks backends in turn; the first that knows the user wins.

    A backend that fails ends the lookup: who is asked after it must not decide in its place. While
    one is down, homes known from before are used without waiting for it.

    cached: gives the `Entry` of a user when it is fresh; for who wants to keep something with it.
    """

    def __init__(
        self,
        backends: Sequence[tuple[str, IReferralBackend]],
        *,
        clock: IReactorTime,
        settings: DirectorySettings | None = None,
        on_event: Callable[[BackendEvent], None] = lambda event: None,
    ) -> None:
        self._seconds: Callable[[], float] = clock.seconds
        settings = settings or DirectorySettings()
        self._cache = HomeCache(size=settings.size, stale=settings.stale, seconds=self._seconds)
        self._outages = Outages([name for name, _ in backends], self._seconds, on_event)
        self._chain = Chain(
            backends,
            clock=clock,
            deadline=settings.deadline,
            keep=partial(_keep, settings),
            cache=self._cache,
            outages=self._outages,
        )
        self._lifecycle = Lifecycle(backends, self.forget)
        self._next_probe = -math.inf
        self.cached: Callable[[str], Entry | None] = self._cache.fresh

    async def start(self) -> None:
        """Start the backends and watch them; an exception of one stops the others again."""
        await self._lifecycle.start()

    async def stop(self) -> None:
        """Fail what is under way and stop the backends."""
        self._chain.stop()
        await self._lifecycle.stop()

    async def home(self, login: Login) -> Home | None:
        """Give the home of ``login.user``, None when no backend knows one.

        Raises `Unavailable`. An answer from the cache is given without suspending.
        """
        entry = self.cached(login.user)
        if entry is None:
            entry = await self.find(login)
        return entry.home

    async def find(self, login: Login) -> Entry:
        """Give the entry of ``login.user``; raises `Unavailable`."""
        user = login.user
        entry = self.cached(user)
        if entry is not None:
            return entry
        stale = self._cache.stale(user)
        if stale is not None and stale.reach >= self._outages.first:
            self._probe(login)
            return self.cached(user) or stale
        try:
            return await self._chain.ask(login)
        except Unavailable:
            # Only now: it may have been forgotten meanwhile.
            stale = self._cache.stale(user)
            if stale is None:
                raise
            return stale

    def _probe(self, login: Login) -> None:
        """See whether the backends are back, once in a while."""
        now = self._seconds()
        if now >= self._next_probe:
            self._next_probe = now + PROBE_INTERVAL
            self._chain.begin(login)

    async def explain(self, login: Login) -> Lookup:
        """Look a user up as for a login and tell where the answer is from; raises `Unavailable`."""
        known, before = self.cached(login.user), self._cache.stale(login.user)
        entry = known or await self.find(login)
        stale = known is None and entry is before
        return Lookup(
            home=entry.home,
            source="" if entry.home is None else entry.home.source,
            age=self._seconds() - entry.answered,
            stale=stale,
            cached=stale or known is not None,
        )

    def forget(self, user: str | None) -> None:
        """Ask anew about a user whose entry is wrong now, or about everyone.

        When everything may have changed the old answers still serve while a backend is down.
        """
        self._cache.forget(user)
        self._chain.forget(user)
        if user is None:
            self._outages.forgive()

    def down(self) -> dict[str, str]:
        """Name the backends that are down, each with the cause."""
        return self._outages.down

    @property
    def entries(self) -> int:
        """The number of answers that are kept."""
        return len(self._cache)


def _keep(settings: DirectorySettings, home: Home | None) -> float:
    """Tell for how long an answer is fresh."""
    if home is None:
        return settings.missing
    return settings.found if home.ttl is None else home.ttl


__all__ = ["BackendEvent", "Directory", "DirectorySettings", "Entry", "Lookup"]
