"""Where single mailboxes are: a chain of backends behind a cache, with a deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from twisted.internet.interfaces import IReactorTime

from referrald.interfaces import IMailboxReferralBackend
from referrald.mailmodel import MailboxLocation, RemoteMailbox
from referrald.routing.cache import Entry, MailboxCache, MailboxKey
from referrald.routing.chain import Chain
from referrald.routing.lists import (
    NOTHING_LISTED,
    ListCache,
    ListChain,
    Listing,
    MailboxList,
    SharedLists,
)
from referrald.routing.locating import ask_list, ask_mailbox, checked_list
from referrald.routing.lookups import Lookups
from referrald.routing.outages import BackendEvent, Outages
from referrald.routing.settings import DirectorySettings


class Locations:
    """Asks the backends that know of mailboxes; the first that has something to say wins.

    A backend that fails ends the question. While one is down, answers known from before are used
    without waiting for it; that nobody had anything to say about a name is such an answer too, for
    a mailbox that was here is best looked for here.

    any: there is such a backend. delimiter: stands between the levels of names.
    cached: gives the `Entry` of a user and a name when it is fresh.
    """

    def __init__(
        self,
        backends: Sequence[tuple[str, Any]],
        *,
        clock: IReactorTime,
        settings: DirectorySettings | None = None,
        on_event: Callable[[BackendEvent], None] = lambda event: None,
        delimiter: str = "/",
    ) -> None:
        knowing = [
            (name, adapted)
            for name, backend in backends
            if (adapted := IMailboxReferralBackend(backend, None)) is not None
        ]
        settings = settings or DirectorySettings()
        self.any = bool(knowing)
        self.delimiter = delimiter
        # A backend that is down is so for single mailboxes and for lists.
        self._outages = Outages([name for name, _ in knowing], clock.seconds, on_event)
        self._cache = MailboxCache[MailboxLocation](
            size=settings.size,
            stale=settings.stale,
            seconds=clock.seconds,
            limits=settings.limits([name for name, _ in knowing]),
        )
        self._single = Lookups(
            Chain[MailboxKey, MailboxKey, MailboxLocation](
                knowing,
                key=_itself,
                ask=ask_mailbox,
                ttl=attrgetter("ttl"),
                clock=clock,
                settings=settings,
                cache=self._cache,
                outages=self._outages,
                apart=False,
            ),
            self._cache,
            self._outages,
        )
        self._shared = SharedLists()
        lists = ListCache(size=settings.size, stale=settings.stale, seconds=clock.seconds)
        self._lists = Lookups(
            ListChain(
                knowing,
                key=_itself,
                ask=self._ask_list,
                ttl=attrgetter("ttl"),
                clock=clock,
                settings=settings,
                cache=lists,
                outages=self._outages,
                apart=False,
            ),
            lists,
            self._outages,
        )
        self.cached: Callable[[MailboxKey], Entry[MailboxLocation] | None] = self._cache.fresh

    async def locate(self, user: str, name: str) -> MailboxLocation | None:
        """Say where a mailbox is, None when no backend has anything to say.

        Raises `Unavailable`. An answer from the cache is given without suspending.
        """
        if not self.any:
            return None
        entry = self.cached((user, name))
        if entry is None:
            entry = await self.find(user, name)
        return entry.answer

    async def find(self, user: str, name: str) -> Entry[MailboxLocation]:
        """Give the entry of a mailbox; raises `Unavailable`."""
        key = (user, name)
        return await self._single.find(key, key)

    async def remote(self, user: str) -> tuple[RemoteMailbox, ...]:
        """Name all that backends list for ``user``, by name; raises `Unavailable`."""
        return (await self.listed(user)).entries

    async def listed(self, user: str) -> MailboxList:
        """Give the same, made ready for looking names up."""
        if not self.any:
            return NOTHING_LISTED
        return (await self._lists.find(user, user)).answer or NOTHING_LISTED

    async def _ask_list(self, name: str, backend: Any, user: str) -> MailboxList:
        given = await ask_list(backend, user)
        known = self._shared.get(name, given)
        if known is None:
            known = MailboxList([Listing(checked_list(name, given), self.delimiter)])
            self._shared.put(name, given, known)
        return known

    def forget(self, user: str | None) -> None:
        """Ask anew about a user's mailboxes, which are wrong now, or about everything.

        When everything may have changed the old answers still serve while a backend is down.
        """
        if user is None:
            self._shared.clear()
            self._single.forget_all()
            self._lists.forget_all()
            self._outages.forgive()
            return
        self._lists.forget(user)
        self._cache.drop_user(user)
        for key in self._single.under_way():
            if key[0] == user:
                self._single.forget(key)

    def stop(self) -> None:
        """Fail what is under way."""
        self._single.stop()
        self._lists.stop()

    def down(self) -> dict[str, str]:
        """Name the backends that are down, each with the cause."""
        return self._outages.down

    @property
    def entries(self) -> int:
        """The number of answers about single mailboxes that are kept."""
        return len(self._cache)


def _itself(question: Any) -> Any:
    return question
