"""Connections to home servers over the transport that sends at once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from errno import ECONNRESET, EPIPE
from functools import lru_cache
from typing import Any

from OpenSSL import SSL
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet import main
from twisted.internet.interfaces import IReactorFDSet
from twisted.python.failure import Failure

from referrald.client.transport import Trust
from referrald.ops.hub import REACTORS, hub_of
from referrald.ops.link import DONE, LINGER, MOST_READ, READ_ON, WOULD_BLOCK, Link
from referrald.ops.wheel import TimerWheel
from referrald.relay.addresses import (
    Race,
    connecting,
    fault_of,
    is_address,
    literal,
    names_of,
)
from referrald.relay.hometls import HomeTls

BUFFER = memoryview(bytearray(MOST_READ))
"""Where bytes lie between two links that pour; never longer than one turn."""

TURNS = 8
"""How often that is filled before everybody else gets a turn."""


class HomeLink(Link):
    """A connection to a home server, perhaps one that is still being made.

    What is written before it is there is sent when it is. ``startTLS`` makes us the client, as
    ``tls`` says; the certificate has to be good for ``host``.
    """

    __slots__ = ("_half", "_home_tls", "_host", "_into", "_linger_token", "_poured")

    def __init__(
        self,
        sock: socket.socket,
        protocol: Any,
        address: Any,
        host: str,
        reactor: Any,
        home_tls: HomeTls,
    ) -> None:
        self._host = host
        self._home_tls = home_tls
        self._half = False
        self._into: Any = None
        self._poured: Callable[[int], None] | None = None
        self._linger_token: Any = None
        super().__init__(sock, protocol, address, None, 0, reactor)

    def _broken(self, fault: OSError) -> Any:
        if fault.errno in (ECONNRESET, EPIPE):
            return main.CONNECTION_LOST
        return fault_of(fault.errno)

    def here(self) -> tuple[str, int]:
        """Give our address and port, with less ado than `getHost`."""
        name = self.socket.getsockname()
        return name[0], name[1]

    def there(self) -> tuple[str, int]:
        """Give the address and port at the other end, as the system has it."""
        name = self.socket.getpeername()
        return name[0], name[1]

    def pour(self, size: int, into: Any, poured: Callable[[int], None]) -> None:
        """Send what comes next to another link, past the protocols, which are told how much.

        What came in the clear is not looked at, nor made into objects on its way.
        """
        if self._tls is None:
            self._pour, self._into, self._poured = size, into, poured

    def _pour_on(self) -> Any:
        if self._closing:
            self._end_pouring()
        for _ in range(TURNS):
            if not self._pour or self._paused:
                break
            try:
                size = self.socket.recv_into(BUFFER, min(self._pour, len(BUFFER)))
            except OSError as fault:
                return None if fault.errno in WOULD_BLOCK else self._broken(fault)
            if not size:
                self._input_ended()
                return None
            self._pour_out(BUFFER[:size])
        # What ends the response has mostly come along with the literal.
        return None if self._pour or self._paused else READ_ON

    def _pour_out(self, data: memoryview) -> None:
        into, size, poured = self._into, len(data), self._poured
        assert poured is not None, "somebody is told"
        self._pour -= size
        if not self._pour:
            self._end_pouring()
        sent = into.send_now(data)
        poured(size)
        if sent < size:
            # It pauses us, by way of both protocols, when too much waits there.
            into.write(bytes(data[sent:]))

    def _end_pouring(self) -> None:
        self._pour, self._into, self._poured = 0, None, None

    def loseConnection(self) -> None:
        """Send what waits, then close; at once where nothing does."""
        if self._closing or self._queue or self.handshaking:
            super().loseConnection()
            return
        self._closing = True
        ended = self._shut_down()
        if ended is not None:
            self._lose_soon(ended)

    def leave(self) -> None:
        """Close without waiting for the other end; what waits to be sent is sent before."""
        if self._closing or self._queue or self.handshaking:
            self.loseConnection()
            return
        self._closing = True
        if self._tls is not None:
            with suppress(SSL.Error, OSError):
                self._tls.shutdown()
        self.connectionLost(DONE)

    def loseWriteConnection(self) -> None:
        """Tell the server that nothing more will be said, after what waits; it may go on."""
        self._half = True
        if not self._queue and not self.handshaking:
            self._end_output()

    def _end_output(self) -> None:
        with suppress(SSL.Error, OSError):
            if self._tls is not None:
                self._tls.shutdown()
            self.socket.shutdown(socket.SHUT_WR)

    def doWrite(self) -> Any:
        """Send what waits."""
        ended = super().doWrite()
        if self._half and ended is None and not self._queue and not self._closing:
            self._end_output()
        return ended

    def _await_end(self) -> None:
        self._linger_token = timers_of(self.reactor).add(LINGER, self._linger_over)

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell the protocol, once."""
        if self._into is not None:
            self._end_pouring()
        token, self._linger_token = self._linger_token, None
        if token is not None:
            timers_of(self.reactor).cancel(token)
        Link.connectionLost(self, reason)

    def _begin_tls(self, holder: Any) -> None:
        # What the creator of connections would make runs through memory.
        self._asks = True
        self._tls = SSL.Connection(self._home_tls.context, self.socket)
        if not is_address(self._host):
            self._tls.set_tlsext_host_name(self._host.encode("ascii"))
        self._tls.set_connect_state()
        self.secure = self.handshaking = True
        ended = self._shake_hands()
        if ended is not None:
            self._closing = True
            self._lose_soon(ended)

    def _objection(self) -> Exception | None:
        try:
            check = verify_ip_address if is_address(self._host) else verify_hostname
            check(self._tls, self._host)
        except Exception as fault:  # noqa: BLE001 - whatever it is, this is not the server
            return fault
        return None

    def _unshaken(self, fault: Exception) -> Any:
        return fault


def reach_for(reactor: Any, trust: Trust) -> HomeReach | None:
    """Give what makes connections, or None where the reactor polls no file descriptors."""
    return HomeReach(reactor, trust) if IReactorFDSet.providedBy(reactor) else None


class HomeReach:
    """Makes connections to home servers; what `connect` takes as ``reach``."""

    def __init__(self, reactor: Any, trust: Trust) -> None:
        self._reactor = reactor
        self._hub = hub_of(reactor)
        self._tls = HomeTls(trust)

    async def __call__(
        self, reactor: Any, host: str, port: int, protocol: Any, patience: float
    ) -> None:
        """Connect a protocol to a host; raises what went wrong, such as a `ConnectError`.

        With one address the protocol has its transport before the connection is there, and is told
        when it fails. patience: seconds for finding the addresses and, of several, one that
        answers.
        """
        if self.at_once(host, port, protocol):
            return
        addresses = await names_of(self._reactor).find(host, port, patience)
        if len(addresses) > 1:
            sock, address = await Race(self._reactor, addresses, patience).won()
            self._link(sock, address, host, protocol)
        else:
            ((family, address),) = addresses
            self._link(connecting(family, address), address, host, protocol)

    def at_once(self, host: str, port: int, protocol: Any) -> bool:
        """Do the same, or give False where that would have to wait for something."""
        addresses = literal(host, port) or names_of(self._reactor).known(host, port)
        if len(addresses) != 1:
            return False
        ((family, address),) = addresses
        self._link(connecting(family, address), address, host, protocol)
        return True

    def _link(self, sock: socket.socket, address: Any, host: str, protocol: Any) -> None:
        protocol.makeConnection(HomeLink(sock, protocol, address, host, self._hub, self._tls))


@lru_cache(maxsize=REACTORS)
def timers_of(reactor: Any) -> TimerWheel:
    """Give the wheel for the time limits of connections, nearly all of which never come."""
    return TimerWheel(reactor)


def let_timers_rest(reactor: Any) -> None:
    """Leave no timer behind that nobody waits for; those of other services go on."""
    for clock in (reactor, hub_of(reactor)):
        timers_of(clock).rest()
