"""The body of an answer, as it comes; whoever waits no more ends the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss


class Body(Protocol):
    """Gives pieces to ``take``; an error that it raises is how `done` ends."""

    transport: Any

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self.done: Deferred[None] = Deferred(lambda _: self._end())

    def dataReceived(self, data: bytes) -> None:
        """Take a piece."""
        if self.done.called:
            return
        try:
            self._take(data)
        except Exception:  # noqa: BLE001 - whatever it is goes to who waits for it
            self.done.errback(Failure())  # type: ignore[no-untyped-call]
            self._end()

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Take notice of the end; an answer whose length nobody knew is whole then."""
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # type: ignore[no-untyped-call]
            self.done.callback(None)
        else:
            self.done.errback(reason)


def collect(response: Any, take: Callable[[bytes], object]) -> Deferred[None]:
    """Have the body of a response taken piece by piece; cancelling it ends the connection."""
    body = Body(take)
    response.deliverBody(body)
    return body.done
