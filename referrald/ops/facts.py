"""What a transport tells of its socket, and lets be set."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address


class SocketFacts:
    """The part of a `Link` that is about its socket. client: the other end, as that gave it."""

    __slots__ = ()

    client: tuple[Any, ...]
    socket: socket.socket

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Give the client's address."""
        return _address(self.client)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Give our address."""
        return _address(self.socket.getsockname())

    def getTcpNoDelay(self) -> bool:
        """Say yes."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing: it is on."""

    def getTcpKeepAlive(self) -> bool:
        """Say whether TCP asks now and then if the peer is there."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Have TCP ask now and then if the peer is there."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)


def _address(found: tuple[Any, ...]) -> IPv4Address | IPv6Address:
    if len(found) == 4:
        return IPv6Address("TCP", *found)
    return IPv4Address("TCP", *found)
