"""A connection to PostgreSQL that waits in the reactor for what is told with NOTIFY."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from referrald.backends.sql.pgconnection import PgConnection, failing
from referrald.errors import Unavailable

AT_A_TIME = 1_000
"""So many notifications are taken before others have their turn."""


@implementer(IReadDescriptor)
class Listener:
    """Reads whenever the socket has something; nothing in it blocks.

    told: called with the payloads that came together. lost: called once when it has ended.
    """

    def __init__(
        self,
        connection: PgConnection,
        reactor: Any,
        told: Callable[[list[str]], object],
        lost: Callable[[Unavailable], object],
    ) -> None:
        self._connection = connection
        self._reactor = reactor
        self._told = told
        self._lost = lost
        self._open = True
        # The library closes its own as soon as the server is gone, which the reactor must not see.
        self._number = os.dup(connection.raw.fileno())
        reactor.addReader(self)

    def fileno(self) -> int:
        """Give the number of the socket."""
        return self._number

    def logPrefix(self) -> str:
        """Name it in logs."""
        return "postgresql"

    def doRead(self) -> None:
        """Take what has come."""
        if not self._open:
            return
        payloads: list[str] = []
        try:
            with failing("the listening connection"):
                raw = self._connection.raw.pgconn
                raw.consume_input()
                while len(payloads) < AT_A_TIME and (notification := raw.notifies()):
                    payloads.append(notification.extra.decode("utf-8", "replace"))
        except Unavailable as error:
            self._end(error)
            return
        if payloads:
            self._told(payloads)
        if len(payloads) == AT_A_TIME:
            # What is left has been read already, so that the socket will not tell of it.
            self._reactor.callLater(0, self.doRead)

    def connectionLost(self, reason: Any) -> None:
        """Take notice that the reactor has given it up."""
        self._end(Unavailable("the listening connection has ended"))

    def _end(self, error: Unavailable) -> None:
        if self._open:
            self.close()
            self._lost(error)

    def close(self) -> None:
        """Listen no more."""
        if self._open:
            self._open = False
            self._reactor.removeReader(self)
            os.close(self._number)
            self._connection.close()
