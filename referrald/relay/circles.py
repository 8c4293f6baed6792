"""Logins that come back to where they began: a home that leads to this very server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from referrald.relay.outgoing import HomeLink

Here = tuple[str, int]

NOWHERE: Here = "", 0


class Calling:
    """Our connections that are about to log in, to know one should it arrive here.

    The address and port that it comes from are not enough: a client on this very machine may have
    the same port on its way here as we have on the way to a home. Both ends together are enough.
    """

    def __init__(self) -> None:
        self._transports: dict[Here, Any] = {}

    def add(self, transport: Any) -> Here:
        """Remember a connection until it is logged in; give where it comes from."""
        here = _end(transport, "getHost")
        self._transports[here] = transport
        return here

    def discard(self, here: Here) -> None:
        """Forget a connection, if it is there."""
        self._transports.pop(here, None)

    def may_be(self, peer: Here) -> bool:
        """Say whether who comes from there may be one of them, at little cost."""
        return peer in self._transports

    def has(self, peer: Here, own: Callable[[], Here]) -> bool:
        """Say whether who comes from there is one of them; own: gives where it has come to."""
        transport = self._transports.get(peer)
        return transport is not None and _end(transport, "getPeer") == own()


def _end(transport: Any, name: str) -> Here:
    """Give an end of a connection; none when that has ended already."""
    try:
        if isinstance(transport, HomeLink):
            return transport.here() if name == "getHost" else transport.there()
        end = getattr(transport, name)()
    except (OSError, AttributeError):
        return NOWHERE
    return end.host, end.port
