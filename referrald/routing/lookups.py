"""Answers from the cache, or from the backends, or from before while these are down."""

from __future__ import annotations

from typing import Generic

from referrald.errors import Unavailable
from referrald.routing.cache import Answer, Cache, Entry, Key
from referrald.routing.chain import Chain
from referrald.routing.inquiry import Question
from referrald.routing.outages import Outages


class Lookups(Generic[Question, Key, Answer]):
    """A chain of backends behind a cache."""

    def __init__(
        self,
        chain: Chain[Question, Key, Answer],
        cache: Cache[Key, Answer],
        outages: Outages,
    ) -> None:
        self._chain = chain
        self._cache = cache
        self._outages = outages

    async def find(self, question: Question, key: Key) -> Entry[Answer]:
        """Give the entry of a question, whose key is given as well; raises `Unavailable`."""
        entry = self._cache.fresh(key)
        if entry is not None:
            return entry
        stale = self._cache.stale(key)
        if stale is not None and stale.reach >= self._outages.first:
            if self._outages.may_probe():
                self._chain.begin(question)
            return self._cache.fresh(key) or stale
        try:
            return await self._chain.ask(question)
        except Unavailable:
            # Only now: it may have been forgotten meanwhile.
            stale = self._cache.stale(key)
            if stale is None:
                raise
            return stale

    def under_way(self) -> list[Key]:
        """Give the keys of what is being asked."""
        return self._chain.keys()

    def forget(self, key: Key) -> None:
        """Ask anew about something that is wrong now."""
        self._cache.drop(key)
        self._chain.forget(key)

    def forget_all(self) -> None:
        """Ask anew about everything; the old answers still serve while a backend is down."""
        self._cache.expire()
        self._chain.forget_all()

    def stop(self) -> None:
        """Fail what is under way."""
        self._chain.stop()
