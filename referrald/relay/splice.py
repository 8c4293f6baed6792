"""The home server's end of a relayed session: bytes go through as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from referrald.model import Server
from referrald.relay.heard import Heard


class LoggedIn(Protocol):
    """A connection that is logged in: of the client library, or one that came the short way."""

    @property
    def offered(self) -> Sequence[str] | None:
        """What the server offers, in its own words and order."""
        ...

    def hand_over(self, protocol: Any) -> None:
        """Let another protocol go on with the connection."""
        ...

    async def logout(self) -> None:
        """Say good-bye and close; never raises."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Downstream(Protocol):
    """The client's session, as far as a splice needs it."""

    def relay_data(self, data: bytes) -> None:
        """Send what the home server said."""
        ...

    def relay_ended(self) -> None:
        """Take note that the home server has gone."""
        ...

    def relay_held(self, held: bool) -> None:
        """Read no more from the client for now, or read again."""
        ...


@implementer(IPushProducer)
class Splice:
    """Passes bytes between a session and a connection that is logged in.

    target: the server, for the log. server, user: where the login went first, and as whom.
    to_home, to_client: bytes so far. It is the producer of the home's transport: what that cannot
    send, the client is not read for.
    """

    transport: Any = None

    def __init__(
        self,
        connection: LoggedIn,
        target: str,
        server: Server,
        user: str,
        heard: Heard | None = None,
    ) -> None:
        self.target = target
        self.server = server
        self.user = user
        self._heard = heard
        self.capabilities = _listed(tuple(connection.offered or ()))
        self.to_home = self.to_client = 0
        # Let go of once it is handed over, with all that it knows: the password, for one.
        self._connection: LoggedIn | None = connection
        self._down: Downstream | None = None
        self._closed = False

    def attach(self, down: Downstream) -> None:
        """Begin: everything that comes from home goes to ``down`` from now on."""
        self._down = down
        early = b"" if self._heard is None else self._heard.give()
        if early:
            down.relay_data(early)
        connection, self._connection = self._connection, None
        assert connection is not None, "there is one until it is handed over"
        connection.hand_over(self)

    def early(self) -> bytes:
        """Give what home has said to the client since the login began, and not been asked for."""
        return b"" if self._heard is None else self._heard.give()

    def makeConnection(self, transport: Any) -> None:
        """Take the transport over."""
        self.transport = transport
        transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Pass on what the home server says."""
        self.to_client += len(data)
        if self._down is not None:
            self._down.relay_data(data)

    def connectionLost(self, reason: Any) -> None:
        """Let the session know, once."""
        # The transport has let go of its protocol: nothing can be taken back from it any more.
        self._closed = True
        down, self._down = self._down, None
        if down is not None:
            down.relay_ended()

    def write(self, data: bytes) -> None:
        """Pass on what the client says."""
        self.to_home += len(data)
        self.transport.write(data)

    def hold(self, held: bool) -> None:
        """Read no more from home while the client does not read, or read again."""
        act: Callable[[], None] = (
            self.transport.pauseProducing if held else self.transport.resumeProducing
        )
        if not self._closed:
            act()

    async def log_out(self) -> None:
        """Log out and close, before anything was attached; never raises."""
        self._closed = True
        if self._connection is not None:
            await self._connection.logout()

    def end_input(self) -> None:
        """Tell the home server that the client will say no more."""
        if not self._closed:
            self.transport.loseWriteConnection()

    def leave(self) -> None:
        """End the connection as `close` does, to a home server that has nothing to say."""
        transport = self.transport
        if self._closed or not hasattr(transport, "leave"):
            self.close()
            return
        self._down, self._closed = None, True
        transport.leave()

    def close(self) -> None:
        """End the connection to the home server; what was written is still sent."""
        self._down = None
        if not self._closed:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                return
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # -- as the producer of the home's transport -----------------------------------------------

    def pauseProducing(self) -> None:
        """Read the client no more: the home server does not take what it says."""
        if self._down is not None:
            self._down.relay_held(True)

    def resumeProducing(self) -> None:
        """Read the client again."""
        if self._down is not None:
            self._down.relay_held(False)

    def stopProducing(self) -> None:
        """Do nothing: `connectionLost` follows."""


@lru_cache(maxsize=256)
def _listed(offered: tuple[str, ...]) -> bytes:
    return " ".join(offered).encode("ascii", "replace")
