"""How many connections there are, in all and from one place, and what became of logins."""

from __future__ import annotations

import socket
from collections.abc import Mapping

_MAPPED = "::ffff:"


def place(address: str) -> str | bytes:
    """Give what counts as one place: an IPv4 address, or the /64 network of an IPv6 address.

    One customer of a provider has a whole /64, so its addresses are no measure. An IPv4 address
    that is written as IPv6 counts as IPv4; what is no address stands for itself.
    """
    if ":" not in address:
        return address
    if address[:7].lower() == _MAPPED and "." in address:
        return address[7:]
    try:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:8]
    except OSError:
        return address


class ConnectionCounts:
    """Admits connections up to a number in all and a number from one place; zero is no limit.

    Only places with a connection are held, so the table is never larger than what is connected.
    The limits may be changed at any time, and hold for the next connection. An empty address (a
    UNIX socket) counts in all only.
    """

    __slots__ = ("_places", "current", "per_address", "refused", "total")

    def __init__(self, total: int = 0, per_address: int = 0) -> None:
        self.total = total
        self.per_address = per_address
        self.current = 0
        self.refused = 0
        self._places: dict[str | bytes, int] = {}

    def admit(self, address: str) -> str | None:
        """Count a connection, or give the reason why it is one too many (it is not counted)."""
        if self.total and self.current >= self.total:
            self.refused += 1
            return f"{self.current} connections are open already"
        if address:
            key = place(address) if ":" in address else address
            here = self._places.get(key, 0)
            if self.per_address and here >= self.per_address:
                self.refused += 1
                return f"{here} connections from there are open already"
            self._places[key] = here + 1
        self.current += 1
        return None

    def release(self, address: str) -> None:
        """Count off a connection that was admitted."""
        self.current -= 1
        if not address:
            return
        key = place(address) if ":" in address else address
        here = self._places[key] - 1
        if here:
            self._places[key] = here
        else:
            del self._places[key]

    def limit(self, total: int, per_address: int) -> None:
        """Set other limits; connections that are open stay so."""
        self.total = total
        self.per_address = per_address

    def at(self, address: str) -> int:
        """Count the connections from the place of ``address``."""
        return self._places.get(place(address), 0)


class Outcomes:
    """Counts how often each thing happened since the start."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, name: str) -> None:
        """Count one more; names come from the program, never from a client."""
        counts = self._counts
        counts[name] = counts.get(name, 0) + 1

    def snapshot(self) -> Mapping[str, int]:
        """Give a copy of all counts."""
        return dict(self._counts)
