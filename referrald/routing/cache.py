"""Answers of the directory that are kept: fresh for a while, stale for longer, and not too many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from referrald.model import Home


class Entry:
    """What the backends said about a user.

    home: None when no backend knows the user.
    reach: the number of the last backend that was asked.
    turn: the number of the lookup, as a later one knows better; answered: when it was over.
    expires: until when this is fresh; ``shared`` is False for an answer to one login only.
    generation: which state of the source it is from.
    memo: for the router, which keeps its decision with the answer.
    """

    __slots__ = (
        "answered", "expires", "generation", "home", "memo", "reach", "shared", "turn",
    )  # fmt: skip

    def __init__(
        self,
        home: Home | None,
        *,
        reach: int,
        turn: int,
        answered: float,
        keep: float,
        generation: int,
        shared: bool = True,
    ) -> None:
        self.home = home
        self.reach = reach
        self.turn = turn
        self.answered = answered
        self.expires = answered + keep
        self.generation = generation
        self.shared = shared
        self.memo: Any = None


class HomeCache:
    """Entries by user name; when it is full the one that was not used for longest goes."""

    def __init__(self, *, size: int, stale: float, seconds: Callable[[], float]) -> None:
        self.generation = 0
        self._size = size
        self._stale = stale
        self._seconds = seconds
        # A plain dict would search for its first key longer and longer.
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def fresh(self, user: str) -> Entry | None:
        """Give the entry of ``user`` when there is one and it holds."""
        entry = self._entries.get(user)
        if entry is None or entry.expires <= self._seconds() or entry.generation != self.generation:
            return None
        self._entries.move_to_end(user)
        return entry

    def stale(self, user: str) -> Entry | None:
        """Give the entry of ``user`` that may be used while the backends cannot be asked.

        That somebody was not known is no reason to turn them away later.
        """
        entry = self._entries.get(user)
        if entry is None or entry.home is None:
            return None
        return entry if self._seconds() < entry.expires + self._stale else None

    def put(self, user: str, entry: Entry) -> None:
        """Keep an answer in place of earlier ones; one that is not shared only displaces them."""
        old = self._entries.get(user)
        if old is not None and old.turn > entry.turn:
            return
        if not entry.shared:
            self._entries.pop(user, None)
            return
        self._entries[user] = entry
        self._entries.move_to_end(user)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, user: str | None) -> None:
        """Drop the entry of ``user``, or make all entries stale."""
        if user is None:
            self.generation += 1
        else:
            self._entries.pop(user, None)
