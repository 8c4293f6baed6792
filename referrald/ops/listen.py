"""From endpoint strings to open ports with our transport."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.tcp import Port
from twisted.protocols.tls import TLSMemoryBIOFactory

from referrald.ops.hub import hub_of
from referrald.ops.link import Link

MOST_AT_ONCE = 64
"""Connections taken before those that are there get their turn."""


class Listening:
    """An open port."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self._paused = False

    @property
    def address(self) -> Any:
        """Where it listens."""
        return self.port.getHost()

    def pause(self) -> None:
        """Leave new connections waiting in the kernel's queue."""
        if not self._paused and hasattr(self.port, "stopReading"):
            self._paused = True
            self.port.stopReading()

    def resume(self) -> None:
        """Accept connections."""
        if self._paused:
            self._paused = False
            self.port.startReading()

    async def stop(self) -> None:
        """Close the port; connections that came through it live on."""
        await maybeDeferred(self.port.stopListening)


class Acceptor:
    """What a TCP port does when connections wait: takes them, with less ado than Twisted's own way.

    ``buildProtocol`` gets no address: whoever wants to know asks the transport. Trouble, such as
    no file descriptors left, is left to Twisted.
    """

    def __init__(self, port: Any, tls: Any, report: Callable[[str, str], None] | None) -> None:
        self._port = port
        self._tls = tls
        self._report = report
        self._otherwise = port.doRead
        self._hub = hub_of(port.reactor)
        self._at_once = 1
        self._kind = (int(port.socket.family), int(port.socket.type), port.socket.proto)
        # Twisted's own way, should it be needed, makes the same transports.
        port.transport = partial(Link, tls=tls, report=report)
        # Links get their turns from the hub, and so does what makes them.
        port.stopReading()
        port.reactor = self._hub
        port.startReading()

    def __call__(self) -> None:
        """Take connections, about as many as the last time, until none waits."""
        port = self._port
        for taken in range(self._at_once):
            if not port.connected:
                return
            try:
                # What `accept` of the socket does, which looks its own kind up each time.
                descriptor, client = port.socket._accept()
                accepted: Any = socket.SocketType(*self._kind, descriptor)
            except BlockingIOError:
                self._at_once = max(taken, 1)
                return
            except OSError:
                self._otherwise()
                return
            protocol = port.factory.buildProtocol(None)
            link = Link(
                accepted, protocol, client, port, 0, self._hub, tls=self._tls, report=self._report
            )
            protocol.makeConnection(link)
        self._at_once = min(self._at_once * 2, MOST_AT_ONCE)


async def listen(
    reactor: Any,
    endpoint: str,
    factory: Any,
    *,
    tls: Any = None,
    implicit: bool = False,
    report: Callable[[str, str], None] | None = None,
) -> Listening:
    """Listen on an endpoint string; raises `CannotListenError` when that is not possible.

    tls: the `TlsHolder`; implicit: TLS from the first byte. TCP ports get `Link` as transport;
    others, and endpoints that do TLS by themselves, keep Twisted's. report: told (address, reason)
    of failed handshakes.
    """
    server: Any = serverFromString(reactor, endpoint)  # type: ignore[no-untyped-call]
    port: Any = await server.listen(factory)
    if _is_plain_tcp(port, factory):
        holder = tls if implicit else None
        port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port.doRead = Acceptor(port, holder, report)
    elif implicit:
        port.factory = TLSMemoryBIOFactory(tls, False, factory)
    return Listening(port)


def _is_plain_tcp(port: Any, factory: Any) -> bool:
    """Say whether the port makes TCP transports for our factory itself."""
    return type(port) is Port and port.factory is factory
