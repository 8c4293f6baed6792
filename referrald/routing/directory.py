"""Where a user's mail lives: a chain of backends behind a cache, with a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

import attrs
from twisted.internet.interfaces import IReactorTime

from referrald.interfaces import IReferralBackend, IWatchableBackend
from referrald.model import Home, Login
from referrald.routing.asking import ask
from referrald.routing.cache import Cache, Entry
from referrald.routing.chain import Chain
from referrald.routing.lifecycle import Lifecycle
from referrald.routing.lookups import Lookups
from referrald.routing.outages import BackendEvent, Outages
from referrald.routing.settings import DirectorySettings

HELD_KEPT = 1.0
"""Seconds that it is kept that a user is held, when nobody would tell that this is over."""


@attrs.frozen(kw_only=True)
class Lookup:
    """An answer with its history, for ``referralctl``.

    age: seconds since the backends said so; kept: how old it may become. stale: past its time, used
    because a backend is down. cached: known from before.
    """

    home: Home | None
    source: str
    age: float
    kept: float
    stale: bool
    cached: bool


@attrs.frozen(kw_only=True)
class Known:
    """A home that is known. age: seconds since a backend said so."""

    user: str
    home: Home
    age: float


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
        self._numbers = {name: number for number, (name, _) in enumerate(backends)}
        # That somebody was not known is no reason to turn them away later.
        self._cache = Cache[str, Home](
            size=settings.size,
            stale=settings.stale,
            seconds=self._seconds,
            limits=settings.limits([name for name, _ in backends]),
        )
        self._telling = {
            name for name, backend in backends if IWatchableBackend(backend, None) is not None
        }
        self._outages = Outages([name for name, _ in backends], self._seconds, on_event)
        chain = Chain[Login, str, Home](
            backends,
            key=attrgetter("user"),
            ask=ask,
            ttl=self._ttl,
            clock=clock,
            settings=settings,
            cache=self._cache,
            outages=self._outages,
        )
        self._lookups = Lookups(chain, self._cache, self._outages)
        self._lifecycle = Lifecycle(backends, self.forget)
        self.cached: Callable[[str], Entry[Home] | None] = self._cache.fresh

    async def start(self) -> None:
        """Start the backends and watch them; an exception of one stops the others again."""
        await self._lifecycle.start()

    async def stop(self) -> None:
        """Fail what is under way and stop the backends."""
        self._lookups.stop()
        await self._lifecycle.stop()

    def _ttl(self, home: Home) -> float | None:
        """Give how long an answer is kept; None is as usual."""
        if not home.held or home.source in self._telling:
            return home.ttl
        return HELD_KEPT if home.ttl is None else min(home.ttl, HELD_KEPT)

    async def home(self, login: Login) -> Home | None:
        """Give the home of ``login.user``, None when no backend knows one.

        Raises `Unavailable`. An answer from the cache is given without suspending.
        """
        entry = self.cached(login.user)
        if entry is None:
            entry = await self.find(login)
        return entry.answer

    async def find(self, login: Login) -> Entry[Home]:
        """Give the entry of ``login.user``; raises `Unavailable`."""
        return await self._lookups.find(login, login.user)

    async def explain(self, login: Login) -> Lookup:
        """Look a user up as for a login and tell where the answer is from; raises `Unavailable`."""
        known, before = self.cached(login.user), self._cache.stale(login.user)
        entry = known or await self.find(login)
        stale = known is None and entry is before
        return Lookup(
            home=entry.answer,
            source="" if entry.answer is None else entry.answer.source,
            age=self._seconds() - entry.answered,
            kept=max(entry.expires - entry.answered, 0.0),
            stale=stale,
            cached=stale or known is not None,
        )

    def forget(self, user: str | None) -> None:
        """Ask anew about a user whose entry is wrong now, or about everyone.

        When everything may have changed the old answers still serve while a backend is down.
        """
        if user is None:
            self._lookups.forget_all()
            self._outages.forgive()
        else:
            self._lookups.forget(user)

    def known(self) -> Iterator[Known]:
        """Give all homes that are known."""
        now = self._seconds()
        for user, entry in self._cache.items():
            if entry.answer is not None:
                yield Known(user=user, home=entry.answer, age=now - entry.answered)

    def adopt(self, known: Iterable[Known]) -> int:
        """Take over homes that were known before, for when their backends cannot be asked.

        Those of backends that are no longer there are left out. Says how many were taken over.
        """
        now, count = self._seconds(), 0
        for each in known:
            number = self._numbers.get(each.home.source)
            if number is None or self._cache.stale(each.user) is not None:
                continue
            entry = Entry(
                each.home, reach=number, turn=0, answered=now - each.age, keep=0,
                generation=self._cache.generation,
            )  # fmt: skip
            self._cache.put(each.user, entry)
            count += self._cache.stale(each.user) is entry
        return count

    def down(self) -> dict[str, str]:
        """Name the backends that are down, each with the cause."""
        return self._outages.down

    @property
    def entries(self) -> int:
        """The number of answers that are kept."""
        return len(self._cache)


__all__ = ["BackendEvent", "Directory", "DirectorySettings", "Entry", "Known", "Lookup"]
