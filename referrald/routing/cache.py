"""Answers of backends that are kept: fresh for a while, stale for longer, and not too many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Entry(Generic[Answer]):
    """What the backends said to a question.

    answer: None when no backend has anything to say, such as about a user that none knows.
    reach: the number of the last backend that was asked.
    turn: the number of the lookup, as a later one knows better; answered: when it was over.
    expires: until when this is fresh; ``shared`` is False for an answer to one asker only.
    generation: which state of the source it is from.
    memo: for the router, which keeps its decision with the answer. part: for the cache.
    """

    __slots__ = (
        "answer", "answered", "expires", "generation", "memo", "part", "reach", "shared", "turn",
    )  # fmt: skip

    def __init__(
        self,
        answer: Answer | None,
        *,
        reach: int,
        turn: int,
        answered: float,
        keep: float,
        generation: int,
        shared: bool = True,
    ) -> None:
        self.answer = answer
        self.reach = reach
        self.turn = turn
        self.answered = answered
        self.expires = answered + keep
        self.generation = generation
        self.shared = shared
        self.memo: Any = None
        self.part: OrderedDict[Any, None] | None = None


class Cache(Generic[Key, Answer]):
    """Entries by the key of a question; when it is full the one not used for longest goes.

    stale: how many seconds past its time an entry may be used while backends cannot be asked.
    stale_missing: that goes for entries without an answer as well. limits: how many entries there
    may be of a backend, by its number.
    """

    def __init__(
        self,
        *,
        size: int,
        stale: float,
        seconds: Callable[[], float],
        stale_missing: bool = False,
        limits: Mapping[int, int] | None = None,
    ) -> None:
        self.generation = 0
        self._size = size
        self._stale = stale
        self._seconds = seconds
        self._stale_missing = stale_missing
        # A plain dict would search for its first key longer and longer.
        self._entries: OrderedDict[Key, Entry[Answer]] = OrderedDict()
        self._limits = dict(limits or {})
        self._parts: dict[int, OrderedDict[Key, None]] = {
            number: OrderedDict() for number in self._limits
        }

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> list[tuple[Key, Entry[Answer]]]:
        """Give all entries, the one not used for longest first."""
        return [*self._entries.items()]

    def fresh(self, key: Key) -> Entry[Answer] | None:
        """Give the entry of ``key`` when there is one and it holds."""
        entry = self._entries.get(key)
        if entry is None or entry.expires <= self._seconds() or entry.generation != self.generation:
            return None
        self._entries.move_to_end(key)
        if entry.part is not None:
            entry.part.move_to_end(key)
        return entry

    def stale(self, key: Key) -> Entry[Answer] | None:
        """Give the entry of ``key`` that may be used while the backends cannot be asked."""
        entry = self._entries.get(key)
        if entry is None or (entry.answer is None and not self._stale_missing):
            return None
        return entry if self._seconds() < entry.expires + self._stale else None

    def put(self, key: Key, entry: Entry[Answer]) -> None:
        """Keep an answer in place of earlier ones; one that is not shared only displaces them."""
        old = self._entries.get(key)
        if old is not None and old.turn > entry.turn:
            return
        if not entry.shared:
            self.drop(key)
            return
        if old is not None and old.part is not None:
            del old.part[key]
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if self._parts:
            self._count(key, entry)
        if len(self._entries) > self._size:
            self.drop(next(iter(self._entries)))

    def _count(self, key: Key, entry: Entry[Answer]) -> None:
        """Keep an entry among those of its backend, when there may be only so many."""
        entry.part = self._parts.get(entry.reach)
        if entry.part is not None:
            entry.part[key] = None
            if len(entry.part) > self._limits[entry.reach]:
                self.drop(next(iter(entry.part)))

    def drop(self, key: Key) -> None:
        """Keep nothing about ``key``."""
        entry = self._entries.pop(key, None)
        if entry is not None and entry.part is not None:
            del entry.part[key]

    def expire(self) -> None:
        """Make all entries stale."""
        self.generation += 1


MailboxKey = tuple[str, str]
"""A user and the name of a mailbox."""


class MailboxCache(Cache[MailboxKey, Answer]):
    """Entries by user and mailbox, of which all those of a user can be found."""

    def __init__(
        self,
        *,
        size: int,
        stale: float,
        seconds: Callable[[], float],
        limits: Mapping[int, int] | None = None,
    ) -> None:
        super().__init__(size=size, stale=stale, seconds=seconds, stale_missing=True, limits=limits)
        self._names: dict[str, set[str]] = {}

    def put(self, key: MailboxKey, entry: Entry[Answer]) -> None:
        """Keep an answer as `Cache.put` does."""
        user, name = key
        self._names.setdefault(user, set()).add(name)
        super().put(key, entry)

    def drop(self, key: MailboxKey) -> None:
        """Keep nothing about ``key``."""
        super().drop(key)
        user, name = key
        names = self._names.get(user, set())
        names.discard(name)
        if not names:
            self._names.pop(user, None)

    def drop_user(self, user: str) -> None:
        """Keep nothing about any mailbox of ``user``."""
        for name in [*self._names.get(user, ())]:
            self.drop((user, name))
