"""Passwords that were right a moment ago, so that a client's next connection costs nothing."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b


class SuccessCache:
    """Maps a keyed hash of user and password to the user's name, for a while.

    Only successes are kept, and nothing from which a password could be found without the process's
    own key. When it is full the entry that was not used for longest goes. A ``size`` or ``seconds``
    of zero keeps nothing.
    """

    def __init__(self, *, seconds: float, size: int, clock: Callable[[], float]) -> None:
        self.generation = 0
        self._seconds = seconds
        self._size = size if seconds > 0 else 0
        self._clock = clock
        # Copying a keyed state is cheaper than keying a new one.
        self._keyed = blake2b(digest_size=16, key=secrets.token_bytes(32))
        self._entries: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._keys_of: dict[str, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def key(self, user: str, password: bytes) -> bytes:
        """Hash a name as the client gave it and a password; a kept name never holds a NUL."""
        state = self._keyed.copy()
        state.update(user.encode("utf-8", "surrogatepass") + b"\0" + password)
        return state.digest()

    def get(self, key: bytes) -> str | None:
        """Give the name for ``key`` when it is known and fresh."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: bytes, name: str, generation: int) -> None:
        """Keep a success, unless something was forgotten since ``generation`` was read.

        A check that was under way while the user's password changed has seen the old one.
        """
        if generation != self.generation or not self._size:
            return
        if key in self._entries:
            self._drop(key)
        elif len(self._entries) >= self._size:
            self._drop(next(iter(self._entries)))
        self._entries[key] = (name, self._clock() + self._seconds)
        self._keys_of.setdefault(name, set()).add(key)

    def forget(self, name: str | None) -> None:
        """Drop what is kept of one user, or everything."""
        self.generation += 1
        if name is None:
            self._entries.clear()
            self._keys_of.clear()
            return
        for key in tuple(self._keys_of.get(name, ())):
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        name, _ = self._entries.pop(key)
        keys = self._keys_of[name]
        keys.discard(key)
        if not keys:
            del self._keys_of[name]
