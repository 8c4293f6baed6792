"""From endpoint strings to open ports with our transport."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.tcp import Port
from twisted.protocols.tls import TLSMemoryBIOFactory

from referrald.ops.link import Link


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

        def transport(*parts: Any) -> Link:
            return Link(*parts, tls=holder, report=report)

        port.transport = transport
        port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    elif implicit:
        port.factory = TLSMemoryBIOFactory(tls, False, factory)
    return Listening(port)


def _is_plain_tcp(port: Any, factory: Any) -> bool:
    """Say whether the port makes TCP transports for our factory itself."""
    return type(port) is Port and port.factory is factory
