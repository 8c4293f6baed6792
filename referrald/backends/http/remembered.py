"""Homes that a service has just said together with a password's check."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from referrald.model import Home


class Remembered:
    """Keeps homes for ``seconds``, of the last ``size`` users. clock: gives the time."""

    def __init__(self, clock: Callable[[], float], seconds: float, size: int = 10_000) -> None:
        self._clock = clock
        self._seconds = seconds
        self._size = size
        self._homes: OrderedDict[str, tuple[Home, float]] = OrderedDict()

    def put(self, user: str, home: Home) -> None:
        """Keep a home."""
        self._homes[user] = home, self._clock() + self._seconds
        self._homes.move_to_end(user)
        if len(self._homes) > self._size:
            self._homes.popitem(last=False)

    def get(self, user: str) -> Home | None:
        """Give the home of a user, None when it is too old or none is known."""
        home, until = self._homes.get(user, (None, 0.0))
        if home is not None and until <= self._clock():
            del self._homes[user]
            return None
        return home
