"""Makes sessions for one listener, and keeps those that live so that they can be told to end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from referrald.session.door import Door
from referrald.session.server import ReferralServer

STOPPING = "The server is going down, please come back later."


class SessionFactory(ServerFactory):
    """Build a `ReferralServer` for each connection, at the door of the moment."""

    noisy = False
    protocol: Callable[[Door], ReferralServer] = ReferralServer

    def __init__(self, door: Door) -> None:
        self.door = door
        self.sessions: set[ReferralServer] = set()
        self.prefix = secrets.token_hex(2)
        self._made = 0
        self._emptied: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make a session."""
        session = self.protocol(self.door)
        session.factory = self
        self._made += 1
        session.number = self._made
        return session

    def use(self, door: Door) -> None:
        """Go over to another door, sessions included: what is behind the old one ends."""
        self.door = door
        for session in self.sessions:
            session.door = door

    def joined(self, session: ReferralServer) -> None:
        """Remember a session that has begun."""
        self.sessions.add(session)

    def left(self, session: ReferralServer) -> None:
        """Forget a session that has ended."""
        self.sessions.discard(session)
        if self._emptied is not None and not self.sessions:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    async def dismiss(self, clock: Any, seconds: float) -> int:
        """Send every session ``BYE`` and wait for them to go; cut off those that stay.

        Gives the number that had to be cut off after ``seconds``.
        """
        for session in list(self.sessions):
            session.say_bye(STOPPING)
        if self.sessions:
            self._emptied = Deferred()
            waiting = self._emptied
            call = clock.callLater(seconds, waiting.cancel)
            waiting.addErrback(lambda failure: None)
            await waiting
            if call.active():
                call.cancel()
        stubborn = list(self.sessions)
        for session in stubborn:
            session.transport.abortConnection()
        return len(stubborn)
