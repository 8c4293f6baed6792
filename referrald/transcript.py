"""A session without a network: what a client that came over TLS would be answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from referrald.ops.failures import failure_of
from referrald.session.door import Door
from referrald.session.factory import SessionFactory

LOGOUT = b"transcript LOGOUT"
LAST = b"transcript "


class _Paper:
    """A transport that keeps what is written."""

    secure = True
    handshaking = False

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def loseConnection(self) -> None:
        if not self.closed.called:
            self.closed.callback(None)

    abortConnection = loseConnection

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 0)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 0)

    def pauseProducing(self) -> None:
        """Nothing comes by itself."""

    def resumeProducing(self) -> None:
        """Nothing comes by itself."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Paper is never full."""

    def unregisterProducer(self) -> None:
        """Paper is never full."""


async def transcript(door: Door, lines: Sequence[bytes]) -> bytes:
    """Give all that a session at ``door`` answers to ``lines``, greeting included."""
    # Whoever tries something out is not made to wait, nor counted.
    limits = attrs.evolve(door.limits, failure_delay=0.0, login_failures=len(lines) + 1)
    session = SessionFactory(attrs.evolve(door, limits=limits)).buildProtocol(None)
    paper = _Paper()
    session.makeConnection(paper)
    try:
        session.dataReceived(b"".join(line + b"\r\n" for line in (*lines, LOGOUT)))
        await paper.closed
    finally:
        session.connectionLost(failure_of(ConnectionError("the transcript is over")))
    said = b"".join(paper.written)
    return said[: said.rindex(b"* BYE")] if LAST in said else said
