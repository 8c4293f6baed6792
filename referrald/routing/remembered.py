"""What each backend of a chain has said, where backends have cache settings of their own.

The answer of a chain may have to be found again because one backend's word no longer holds, while
that of another still does: only the one is asked anew then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Generic

from referrald.routing.cache import Answer, Cache, Entry, Key
from referrald.routing.settings import DirectorySettings


class Remembered(Generic[Key, Answer]):
    """Answers of backends, each by its number in the chain.

    ttl: gives how long an answer may be kept: None is as usual. apart: False where no backend is to
    have a cache of its own; the times hold all the same.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: DirectorySettings,
        *,
        ttl: Callable[[Answer], float | None],
        seconds: Callable[[], float],
        apart: bool = True,
    ) -> None:
        self._settings = settings
        self._own = [settings.own.get(name) for name in names]
        self._ttl = ttl
        # Of one backend the chain's own answers are all that there is to keep.
        wanted = apart and len(names) > 1 and any(self._own)
        self._caches = [
            Cache[Key, Answer](size=self._size(number), stale=0, seconds=seconds)
            for number in range(len(names) if wanted else 0)
        ]

    def _size(self, number: int) -> int:
        own = self._own[number]
        return self._settings.size if own is None or own.size is None else own.size

    def fresh(self, number: int, key: Key) -> Entry[Answer] | None:
        """Give what a backend said, while that holds."""
        return self._caches[number].fresh(key) if self._caches else None

    def put(self, number: int, key: Key, entry: Entry[Answer]) -> None:
        """Keep what a backend said."""
        if self._caches:
            self._caches[number].put(key, entry)

    def keep(self, number: int, answer: Answer | None) -> float:
        """Say for how many seconds the answer of a backend is kept."""
        own = self._own[number] if self._own else None
        if answer is None:
            known = None if own is None else own.missing
            return self._settings.missing if known is None else known
        ttl = self._ttl(answer)
        if ttl is None:
            ttl = None if own is None else own.found
        return self._settings.found if ttl is None else ttl

    def passing(self, number: int) -> float:
        """Say for how many seconds "not here" of a backend holds when a later one knows more.

        Without a word of its own that is for ever: it will tell when it has changed.
        """
        own = self._own[number]
        return math.inf if own is None or own.missing is None else own.missing

    def forget(self, key: Key) -> None:
        """Keep nothing about ``key``."""
        for cache in self._caches:
            cache.drop(key)

    def forget_all(self) -> None:
        """Let nothing hold any more."""
        for cache in self._caches:
            cache.expire()
