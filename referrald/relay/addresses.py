"""Where a host is: its addresses, and which of several answers first.

What Twisted's endpoints do for names is done here with less ado: an address needs no resolver and
no thread, and what was found is remembered for a moment.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from errno import EINPROGRESS
from functools import lru_cache
from typing import Any

from twisted.internet import error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IResolutionReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from referrald.ops.failures import failure_of
from referrald.ops.hub import REACTORS

Address = tuple[socket.AddressFamily, tuple[Any, ...]]

STAGGER = 0.3
"""Seconds after which the next address of a name is tried beside the one before (RFC 8305)."""

KEPT_FOR = 5.0
"""Seconds that the addresses of a name are remembered."""

MOST_NAMES = 1000

NONBLOCKING = socket.SOCK_STREAM | getattr(socket, "SOCK_NONBLOCK", 0)


@lru_cache(maxsize=MOST_NAMES)
def is_address(host: str) -> bool:
    """Say whether a host is an address and no name."""
    return bool(isIPAddress(host) or isIPv6Address(host))


@lru_cache(maxsize=MOST_NAMES)
def literal(host: str, port: int) -> tuple[Address, ...]:
    """Give the one address of a host that is one; none for a name."""
    if isIPAddress(host):
        return ((socket.AF_INET, (host, port)),)
    if isIPv6Address(host):
        return ((socket.AF_INET6, (host, port, 0, 0)),)
    return ()


def connecting(family: socket.AddressFamily, address: tuple[Any, ...]) -> Any:
    """Begin to connect; raises a `ConnectError`."""
    try:
        # Of the class of which `socket.socket` is a dearer child, with nothing that is needed here.
        sock = socket.SocketType(family, NONBLOCKING)
    except OSError as fault:
        raise fault_of(fault.errno) from fault
    try:
        if NONBLOCKING == socket.SOCK_STREAM:
            sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrong = sock.connect_ex(address)
        if wrong not in (0, EINPROGRESS):
            raise fault_of(wrong)
    except BaseException:
        sock.close()
        raise
    return sock


def fault_of(number: int | None) -> Exception:
    """Give the error of Twisted's that says what the number does."""
    make: Callable[[Any], Exception] = error.getConnectError
    return make(OSError(number, os.strerror(number or 0)))


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


class Race:
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
                sock = connecting(family, address)
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
        self._tell(fault_of(wrong) if wrong else None)

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
