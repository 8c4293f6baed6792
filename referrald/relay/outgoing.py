"""Connections to home servers over the transport that sends at once.

What Twisted's endpoints do for a name with many addresses is done here with less ado: an address
needs no resolver and no thread, and a home that has one is not waited for before it greets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from errno import ECONNRESET, EINPROGRESS, EPIPE
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet import error, main
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IResolutionReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald.client.transport import Reach
from referrald.ops.failures import failure_of
from referrald.ops.hub import REACTORS, hub_of
from referrald.ops.link import DONE, LINGER, Link
from referrald.ops.wheel import TimerWheel

Address = tuple[socket.AddressFamily, tuple[Any, ...]]

STAGGER = 0.3
"""Seconds after which the next address of a name is tried beside the one before (RFC 8305)."""

KEPT_FOR = 5.0
"""Seconds that the addresses of a name are remembered."""

NONBLOCKING = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)

MOST_NAMES = 1000

_contexts: WeakKeyDictionary[Any, SSL.Context] = WeakKeyDictionary()


class _NothingToNegotiate:
    """Stands for the protocol that a TLS connection is made for: it asks for no ALPN."""

    wrappedFactory: Any = None

    @property
    def factory(self) -> Any:
        """Give what would be asked."""
        return self


class HomeLink(Link):
    """A connection to a home server, perhaps one that is still being made.

    What is written before it is there is sent when it is. ``startTLS`` makes us the client; the
    certificate has to be good for ``host``.
    """

    __slots__ = ("_half", "_host", "_linger_token")

    def __init__(
        self, sock: socket.socket, protocol: Any, address: Any, host: str, reactor: Any
    ) -> None:
        self._host = host
        self._half = False
        self._linger_token: Any = None
        super().__init__(sock, protocol, address, None, 0, reactor)

    def _broken(self, fault: OSError) -> Any:
        if fault.errno in (ECONNRESET, EPIPE):
            return main.CONNECTION_LOST
        return _fault(fault.errno)

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
        token, self._linger_token = self._linger_token, None
        if token is not None:
            timers_of(self.reactor).cancel(token)
        super().connectionLost(reason)

    def _begin_tls(self, holder: Any) -> None:
        named = not _is_address(self._host)
        context = _contexts.get(holder)
        if context is None:
            # The creator's own connection runs through memory; what counts is its context.
            connection = holder.clientConnectionForTLS(_NothingToNegotiate())
            context = _contexts[holder] = connection.get_context()
        self._asks = True
        self._tls = SSL.Connection(context, self.socket)
        self._tls.set_verify(SSL.VERIFY_PEER)
        if named:
            self._tls.set_tlsext_host_name(self._host.encode("ascii"))
        self._tls.set_connect_state()
        self.secure = self.handshaking = True
        ended = self._shake_hands()
        if ended is not None:
            self._closing = True
            self._lose_soon(ended)

    def _objection(self) -> Exception | None:
        try:
            check = verify_ip_address if _is_address(self._host) else verify_hostname
            check(self._tls, self._host)
        except Exception as fault:  # noqa: BLE001 - whatever it is, this is not the server
            return fault
        return None

    def _unshaken(self, fault: Exception) -> Any:
        return fault


@lru_cache(maxsize=MOST_NAMES)
def _is_address(host: str) -> bool:
    return bool(isIPAddress(host) or isIPv6Address(host))


def reach_for(reactor: Any) -> Reach | None:
    """Give `reach`, or None where the reactor polls no file descriptors."""
    return reach if IReactorFDSet.providedBy(reactor) else None


async def reach(reactor: Any, host: str, port: int, protocol: Any, patience: float) -> None:
    """Connect a protocol to a host; raises what went wrong, such as `ConnectionRefusedError`.

    With one address the protocol has its transport before the connection is there, and is told
    when it fails. patience: seconds for finding the addresses and, of several, one that answers.
    """
    if reach_at_once(reactor, host, port, protocol):
        return
    addresses = await names_of(reactor).find(host, port, patience)
    if len(addresses) > 1:
        sock, address = await _Race(reactor, addresses, patience).won()
        protocol.makeConnection(HomeLink(sock, protocol, address, host, hub_of(reactor)))
    else:
        _link(reactor, host, addresses[0], protocol)


def reach_at_once(reactor: Any, host: str, port: int, protocol: Any) -> bool:
    """Do as `reach` does, or give False where that would have to wait for something."""
    addresses = _literal(host, port) or names_of(reactor).known(host, port)
    if len(addresses) != 1:
        return False
    _link(reactor, host, addresses[0], protocol)
    return True


def _link(reactor: Any, host: str, to: Address, protocol: Any) -> None:
    family, address = to
    sock = _connecting(family, address)
    protocol.makeConnection(HomeLink(sock, protocol, address, host, hub_of(reactor)))


@lru_cache(maxsize=MOST_NAMES)
def _literal(host: str, port: int) -> tuple[Address, ...]:
    if isIPAddress(host):
        return ((socket.AF_INET, (host, port)),)
    if isIPv6Address(host):
        return ((socket.AF_INET6, (host, port, 0, 0)),)
    return ()


def _connecting(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """Begin to connect; raises a `ConnectError`."""
    try:
        sock = socket.socket(family, NONBLOCKING)
    except OSError as fault:
        raise _fault(fault.errno) from fault
    try:
        if NONBLOCKING == socket.SOCK_STREAM:
            sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrong = sock.connect_ex(address)
        if wrong not in (0, EINPROGRESS):
            raise _fault(wrong)
    except BaseException:
        sock.close()
        raise
    return sock


def _fault(number: int | None) -> Exception:
    """Give the error of Twisted's that says what the number does."""
    make: Callable[[Any], Exception] = error.getConnectError
    return make(OSError(number, os.strerror(number or 0)))


# -- names ---------------------------------------------------------------------------------------


@lru_cache(maxsize=REACTORS)
def timers_of(reactor: Any) -> TimerWheel:
    """Give the wheel for the time limits of connections, nearly all of which never come."""
    return TimerWheel(reactor)


@lru_cache(maxsize=REACTORS)
def names_of(reactor: Any) -> Names:
    """Give the addresses that are remembered for a reactor."""
    return Names(reactor)


class Names:
    """Addresses of names, as the reactor's resolver finds them; remembered for a moment."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._known: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}

    def known(self, host: str, port: int) -> tuple[Address, ...]:
        """Give the addresses of a host that was asked for lately; none where it was not."""
        until, addresses = self._known.get((host, port), (0.0, ()))
        return addresses if self._reactor.seconds() < until else ()

    async def find(self, host: str, port: int, patience: float) -> tuple[Address, ...]:
        """Give the addresses of a host; raises `DNSLookupError` or `TimeoutError`."""
        now = self._reactor.seconds()
        addresses = self.known(host, port)
        if addresses:
            return addresses
        looked_up: Deferred[tuple[Address, ...]] = Deferred()
        looked_up.addTimeout(patience, self._reactor, _too_slow)
        resolver = self._reactor.nameResolver
        resolver.resolveHostName(_Receiver(port, looked_up), host, port)
        addresses = await looked_up
        if not addresses:
            raise error.DNSLookupError(f"no address found for {host}")
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        self._known[host, port] = (now + KEPT_FOR, addresses)
        return addresses


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects what the resolver finds."""

    def __init__(self, port: int, done: Deferred[tuple[Address, ...]]) -> None:
        self._port = port
        self._done = done
        self._found: dict[Address, None] = {}

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        """Do nothing: it cannot be taken back."""

    def addressResolved(self, address: Any) -> None:
        """Keep an address, once."""
        if isIPv6Address(address.host):
            scope = getattr(address, "scopeID", 0) or 0
            found: Address = (socket.AF_INET6, (address.host, self._port, 0, scope))
        else:
            found = (socket.AF_INET, (address.host, self._port))
        self._found[found] = None

    def resolutionComplete(self) -> None:
        """Give all, unless nobody waits any more."""
        if not self._done.called:
            self._done.callback(tuple(self._found))


def _too_slow(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        raise TimeoutError(f"no answer within {seconds:g} s")
    return result


# -- several addresses ---------------------------------------------------------------------------


class _Race:
    """Tries addresses one after another, each a moment after the one before; the first one wins."""

    def __init__(self, reactor: Any, addresses: tuple[Address, ...], patience: float) -> None:
        self._reactor = reactor
        self._left = list(addresses)
        self._patience = patience
        self._running: set[_Attempt] = set()
        self._fault: Exception = OSError("no address")
        self._next: Any = None
        self._done: Deferred[tuple[socket.socket, Any]] = Deferred(lambda _: None)

    async def won(self) -> tuple[socket.socket, Any]:
        """Give the first socket that is connected, and where to; raises the last fault."""
        self._done.addTimeout(self._patience, self._reactor, _too_slow)
        self._begin()
        try:
            return await self._done
        finally:
            if self._next is not None:
                self._next.cancel()
            for attempt in list(self._running):
                attempt.give_up()

    def _begin(self) -> None:
        self._next = None
        while self._left:
            family, address = self._left.pop(0)
            try:
                sock = _connecting(family, address)
            except error.ConnectError as fault:
                self._fault = fault
                continue
            self._running.add(_Attempt(self._reactor, sock, address, self._decided))
            if self._left:
                self._next = self._reactor.callLater(STAGGER, self._begin)
            return
        if not self._running and not self._done.called:
            self._done.errback(failure_of(self._fault))

    def _decided(self, attempt: _Attempt, fault: Exception | None) -> None:
        self._running.discard(attempt)
        if self._done.called:
            attempt.sock.close()
        elif fault is None:
            self._done.callback((attempt.sock, attempt.address))
        else:
            attempt.sock.close()
            self._fault = fault
            if self._next is not None:
                self._next.cancel()
            self._begin()


class _Attempt:
    """A socket that is being connected: writable once that is decided."""

    def __init__(
        self,
        reactor: Any,
        sock: socket.socket,
        address: Any,
        decided: Callable[[_Attempt, Exception | None], None],
    ) -> None:
        self.sock = sock
        self.address = address
        self._reactor = reactor
        self._decided: Callable[[_Attempt, Exception | None], None] | None = decided
        reactor.addWriter(self)

    def fileno(self) -> int:
        """Give the file descriptor."""
        return self.sock.fileno()

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "relay"

    def doWrite(self) -> None:
        """See what came of it."""
        wrong = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._tell(_fault(wrong) if wrong else None)

    def connectionLost(self, reason: Failure) -> None:
        """Take a hang-up for what it is."""
        self.doWrite()

    def _tell(self, fault: Exception | None) -> None:
        self._reactor.removeWriter(self)
        decided, self._decided = self._decided, None
        if decided is not None:
            decided(self, fault)

    def give_up(self) -> None:
        """Close: another one was first."""
        self._decided = None
        self._reactor.removeWriter(self)
        self.sock.close()
