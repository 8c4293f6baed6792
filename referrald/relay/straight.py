"""The usual login at a home server without detours: greeting, AUTHENTICATE PLAIN, OK.

Nearly every login of a relay goes like that, with the same words of the same server each time. What
goes another way, at whatever point, is taken over by the client library from its first byte: it
gets what the server has said, and is found to say what has been said already.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from referrald.client.replies import ConnectionEnded
from referrald.client.transport import NotReached, Opened, Reach, Trust, connect, establish
from referrald.errors import ReferraldError
from referrald.model import Security, Server
from referrald.relay.circles import NOWHERE, Calling
from referrald.relay.outgoing import timers_of
from referrald.wire.responses import BrokenResponse, ResponseReader

TAG = b"a1"
"""What the client library calls its first command."""

LAST = b"a2 "
"""What the last command is called, and its answer with it."""

LONGEST = 8192
"""Bytes of a greeting or an answer that are looked at here."""

SERVERS_KEPT = 1000


Offered = tuple[str, ...]


def command_for(user: str, login_as: str, password: str) -> bytes:
    """Give the line that logs in with a password; login_as: whose that is, if not the user's."""
    if not login_as or login_as == user:
        message = f"\0{user}\0{password}"
    else:
        message = f"{user}\0{login_as}\0{password}"
    encoded = b2a_base64(message.encode("utf-8", "surrogateescape"), newline=False)
    return b"%b AUTHENTICATE PLAIN %b\r\n" % (TAG, encoded)


class StraightLogin:
    """A connection to a home server on the way to being logged in.

    options: for TLS from the first byte, else None. patience: seconds for each answer. then: is
    called when it is known how the login went. offered: what the server offers after it; None when
    it went another way, and is to be taken over by `dial`. here: where the connection comes from.
    began: when, by the reactor's clock.
    """

    __slots__ = (
        "_asked", "_calling", "_clock", "_command", "_greeting", "_handed", "_held", "_leaving",
        "_lost", "_options", "_over", "_overdue", "_patience", "_token", "_until", "_wheel",
        "began", "here", "offered", "then", "transport",
    )  # fmt: skip

    transport: Any

    def __init__(self, command: bytes, options: Any, patience: float) -> None:
        self.offered: Offered | None = None
        self.here = NOWHERE
        self.then: Callable[[], None] | None = None
        self._command = command
        self._options = options
        self._patience = patience
        self._greeting = self._held = b""
        self._over = self._asked = self._overdue = self._handed = self._leaving = False
        self._lost: Failure | None = None
        self._clock: Any = None
        self._token: Any = None
        self._calling: Calling | None = None
        self.began = self._until = 0.0

    def begin(self, reactor: Any) -> None:
        """Begin, with a transport that is there."""
        self._clock, self._wheel = reactor, timers_of(reactor)
        self.began = reactor.seconds()
        if self._options is not None:
            self.transport.startTLS(self._options)
        self._token = self._wheel.add(self._patience, self._too_late)

    def call(self, calling: Calling) -> None:
        """Be known as one of those who call, until it is known how the login went."""
        self._calling = calling
        self.here = calling.add(self.transport)

    async def settled(self) -> None:
        """Wait until it is known how the login went; who gives that up breaks it off."""
        if not self._over:
            waiting: Deferred[None] = Deferred(lambda _: self.give_up())
            self.then = partial(waiting.callback, None)
            await waiting

    def check(self, server: Server) -> None:
        """Raise `NotReached`, or `ConnectionEnded`, when the server took too long."""
        if self._overdue:
            late = f"{server.host}:{server.port} did not answer within {self._patience:g} s"
            raise ConnectionEnded(late) if self._asked else NotReached(late)

    def makeConnection(self, transport: Any) -> None:
        """Take the transport."""
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        """Take what the server says: first its greeting, then the answer."""
        held = self._held = self._held + data if self._held else data
        if self._over:
            return
        if self._leaving:
            if LAST in held:
                self._settle()
            return
        if not held.endswith(b"\r\n") and len(held) < LONGEST:
            return
        if not self._asked and takes_plain(held, self._options is not None):
            self._greeting, self._held, self._asked = held, b"", True
            self._until = self._clock.seconds() + self._patience
            self.transport.write(self._command)
            return
        if self._asked:
            if held.startswith(b"* ") and b"\r\n" + TAG not in held and len(held) < LONGEST:
                return
            self.offered = logged_in(held)
            if self.offered is not None:
                self._held = b""
        self._settle()

    def connectionLost(self, reason: Failure) -> None:
        """Leave it to the library to say what that means."""
        self._lost = reason
        self._settle()

    def _too_late(self) -> None:
        left = self._until - self._clock.seconds()
        if left > 0:
            # The greeting was there in time: this is for the answer.
            self._token = self._wheel.add(left, self._too_late)
            return
        self._token, self._overdue = None, True
        self._settle()
        self.transport.abortConnection()

    def give_up(self) -> None:
        """Break it off; nobody is told."""
        self.then = None
        self._settle()
        self.transport.abortConnection()

    def _settle(self) -> None:
        if self._over:
            return
        self._over = True
        token, self._token = self._token, None
        if token is not None:
            self._wheel.cancel(token)
        if self._calling is not None:
            self._calling.discard(self.here)
        then, self.then = self.then, None
        if then is not None:
            then()

    # -- as a connection that is logged in, for a `Splice` -------------------------------------

    def hand_over(self, protocol: Any) -> None:
        """Let another protocol go on with the connection."""
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        if self._held or self._lost is not None:
            self.tell(protocol)

    async def logout(self) -> None:
        """Say good-bye, wait for the answer as long as for any other, and close; never raises."""
        if self._lost is None:
            self._leaving, self._over = True, False
            self._token = self._wheel.add(self._patience, self._settle)
            self.transport.write(LAST + b"LOGOUT\r\n")
            await self.settled()
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self.transport.loseConnection()

    # -- the other way -------------------------------------------------------------------------

    async def dial(
        self, reactor: Any, host: str, port: int, *, otherwise: Callable[..., Any], **how: Any
    ) -> Opened:
        """Stand in for `connect`, once: give this connection as one that has just been greeted."""
        if not self._handed:
            self._handed = True
            return await connect(reactor, host, port, **{**how, "reach": self._hand_back})
        opened: Opened = await otherwise(reactor, host, port, **how)
        return opened

    async def _hand_back(
        self, reactor: Any, host: str, port: int, protocol: Any, patience: float
    ) -> None:
        self.transport.protocol = protocol
        protocol.makeConnection(_Again(self, protocol))
        if self._asked:
            protocol.dataReceived(self._greeting)
        else:
            protocol.transport = self.transport
            self.tell(protocol)

    def said_again(self, data: bytes, protocol: Any) -> None:
        """Take what the library says first for what has been said."""
        protocol.transport = self.transport
        if data == self._command:
            self.tell(protocol)
        else:
            self.transport.abortConnection()

    def tell(self, protocol: Any) -> None:
        """Give all that has come and was not told yet."""
        if self._held:
            protocol.dataReceived(self._held)
        if self._lost is not None:
            protocol.connectionLost(self._lost)


class _Again:
    """The transport of a protocol that has yet to say what has been said already."""

    def __init__(self, straight: StraightLogin, protocol: Any) -> None:
        self._straight = straight
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        """Compare, and go on as it went."""
        self._straight.said_again(data, self._protocol)

    def startTLS(self, options: Any) -> None:
        """Do nothing: it has been begun."""

    def getHost(self) -> Any:
        """Give the address that the connection comes from."""
        return self._straight.transport.getHost()

    def loseConnection(self) -> None:
        """End the connection."""
        self._straight.transport.loseConnection()

    def abortConnection(self) -> None:
        """End the connection at once."""
        self._straight.transport.abortConnection()


class ShortWay:
    """Logs in straight at servers that are plain: ``plain`` says of one whether it is.

    plain: is asked with the server, and whether the client came by TLS; the answer is kept.
    """

    def __init__(
        self, reactor: Any, reach: Reach, trust: Trust, plain: Callable[[Server, bool], bool]
    ) -> None:
        self._reactor = reactor
        self._reach = reach
        self._at_once: Callable[..., bool] | None = getattr(reach, "at_once", None)
        self._trust = trust
        self._plain = plain
        self._known: tuple[dict[Server, bool], dict[Server, bool]] = ({}, {})

    def leads_to(self, server: Server, secure: bool) -> bool:
        """Say whether a server may be gone to, for a client that came by TLS or not."""
        known = self._known[secure]
        leads = known.get(server)
        if leads is None:
            if len(known) >= SERVERS_KEPT:
                known.clear()
            leads = known[server] = self._plain(server, secure)
        return leads

    def begin(self, server: Server, command: bytes, patience: float) -> StraightLogin | None:
        """Begin where there is nothing to wait for before, and nothing goes wrong at once."""
        if self._at_once is None:
            return None
        straight = self._login(server, command, patience)
        try:
            if not self._at_once(server.host, server.port, straight):
                return None
        except Exception:  # noqa: BLE001 - the long way finds the same, and says it
            return None
        straight.begin(self._reactor)
        return straight

    async def go(
        self, server: Server, command: bytes, patience: float, calling: Callable[[Any], None]
    ) -> StraightLogin:
        """Log in as far as it goes straight on; ``calling`` is told of the transport.

        Raises `NotReached`.
        """
        straight = self._login(server, command, patience)
        await establish(self._reach, self._reactor, server.host, server.port, straight, patience)
        calling(straight.transport)
        straight.begin(self._reactor)
        await straight.settled()
        return straight

    def _login(self, server: Server, command: bytes, patience: float) -> StraightLogin:
        options = self._trust.options(server.host) if server.security is Security.TLS else None
        return StraightLogin(command, options, patience)


@lru_cache(maxsize=256)
def takes_plain(greeting: bytes, secure: bool) -> bool:
    """Say whether a server that greets so takes a password at once: all that matters is there."""
    try:
        reader = ResponseReader()
        reader.feed(greeting)
        first = reader.next()
    except BrokenResponse:
        return False
    if first is None or reader.buffered or first.tag != b"*" or first.kind != b"OK":
        return False
    offered = (first.code(b"CAPABILITY") or b"").upper().split()
    return (
        b"AUTH=PLAIN" in offered
        and b"SASL-IR" in offered
        and (secure or b"STARTTLS" not in offered)
    )


@lru_cache(maxsize=256)
def logged_in(answer: bytes) -> Offered | None:
    """Read the answer to a login that went well; None for all others."""
    try:
        return _offered_after(answer)
    except ReferraldError:
        return None


def _offered_after(answer: bytes) -> Offered | None:
    """Take the capabilities out of an answer in which there is nothing else to take note of."""
    reader = ResponseReader()
    reader.feed(answer)
    listed: bytes | None = None
    while (response := reader.next()) is not None:
        if response.tag == TAG and response.kind == b"OK" and not reader.buffered:
            said = response.code(b"CAPABILITY")
            listed = listed if said is None else said
            clear = said is not None or not response.text.lstrip().startswith(b"[")
            return None if listed is None or not clear else _words(listed)
        if response.tag != b"*" or response.kind != b"CAPABILITY":
            return None
        listed = response.text
    return None


def _words(listed: bytes) -> Offered:
    return tuple(listed.decode("ascii", "replace").split())
