"""How long home servers take to say no, so that a user whom nobody knows waits as long."""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from hashlib import blake2b

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

FIRST_GUESS = 0.05
"""Seconds; serves until a home server has refused somebody."""

SERVERS_KEPT = 64
TIMES_KEPT = 16


class Refusals:
    """Remembers the last times of each home server; a pretended attempt takes one of them.

    A wrong password for a user who exists takes as long as the home server needs, from the first
    packet to the refusal. For one whom nobody knows, or whose home is here, there is no server to
    ask. Such a user is given one of the servers that have refused lately, always the same one as
    long as those servers are known, and waits for one of the last times that this one took, chosen
    by lot. So neither a mean that never varies nor times that vary too much tell who exists.

    most: the longest wait in seconds, whatever was measured.
    """

    def __init__(self, clock: IReactorTime, *, most: float) -> None:
        self._clock = clock
        self._most = most
        self._key = secrets.token_bytes(32)
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds(self) -> float:
        """Give the time."""
        return self._clock.seconds()

    def note(self, server: str, seconds: float) -> None:
        """Take note of how long a refusal took."""
        times = self._times.setdefault(server, deque(maxlen=TIMES_KEPT))
        times.append(seconds)
        self._times.move_to_end(server)
        if len(self._times) > SERVERS_KEPT:
            self._times.popitem(last=False)

    def expected(self, user: str) -> float:
        """Give how long an attempt for such a user would take, in seconds."""
        if not self._times:
            return min(FIRST_GUESS, self._most)
        name = user.encode("utf-8", "surrogatepass") + b"\0"
        server = min(self._times, key=lambda each: self._lot(name + each.encode("utf-8")))
        return min(secrets.choice(self._times[server]), self._most)

    async def pretend(self, user: str) -> None:
        """Wait as long as a refusal would take."""
        await deferLater(self._clock, self.expected(user))

    def _lot(self, text: bytes) -> bytes:
        return blake2b(text, digest_size=8, key=self._key).digest()
