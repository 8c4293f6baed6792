"""Which servers are left alone for a while, because they could not be reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from referrald.model import Server


class Circuit:
    """Remembers failures; after ``rest`` seconds a server gets one more try."""

    def __init__(self, seconds: Callable[[], float], rest: float = 30.0) -> None:
        self._seconds = seconds
        self._rest = rest
        self._until: dict[Server, float] = {}

    def order(self, servers: Sequence[Server]) -> list[Server]:
        """Give the servers as they are to be tried: those that rest come last."""
        now = self._seconds()
        return sorted(servers, key=lambda server: self._until.get(server, 0.0) > now)

    def failed(self, server: Server) -> None:
        """Leave a server alone for a while."""
        self._until[server] = self._seconds() + self._rest

    def worked(self, server: Server) -> None:
        """Forget that a server ever failed."""
        self._until.pop(server, None)

    @property
    def resting(self) -> int:
        """How many servers are left alone at the moment."""
        now = self._seconds()
        return sum(until > now for until in self._until.values())
