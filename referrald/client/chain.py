"""How far referrals are followed."""

from __future__ import annotations

import attrs

from referrald.client.policy import fold_host
from referrald.errors import ReferraldError
from referrald.model import IMAP_PORT

MAX_HOPS = 10


class TooManyHops(ReferraldError):
    """Server after server refers to yet another one."""

    code = None
    public = "Too many referrals in a row."


class Loop(ReferraldError):
    """A server refers to one, and to a user there, that referred already."""

    code = None
    public = "The servers refer to each other in a circle."


@attrs.frozen
class Hop:
    """A server, and who the client is there; equal however the host is spelled."""

    host: str = attrs.field(converter=fold_host)
    port: int
    user: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user} at {host}:{self.port}"


class Chain:
    """The servers visited on the way to one login or mailbox."""

    def __init__(self, max_hops: int = MAX_HOPS) -> None:
        self._max_hops = max_hops
        self._visited: list[Hop] = []

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Everything visited, in order; the first is where the client began."""
        return tuple(self._visited)

    def visit(self, host: str, port: int | None, user: str) -> None:
        """Go on to a server; a port of None means 143.

        The first server is no hop yet. Raises `Loop` for one visited before as the same user, else
        `TooManyHops` when there were ``max_hops`` already; neither is kept.
        """
        hop = Hop(host, IMAP_PORT if port is None else port, user)
        if hop in self._visited:
            raise Loop(f"referred in a circle: {self._way(hop)}")
        if len(self._visited) > self._max_hops:
            raise TooManyHops(f"more than {self._max_hops} referrals: {self._way(hop)}")
        self._visited.append(hop)

    def _way(self, last: Hop) -> str:
        return ", ".join(map(str, [*self._visited, last]))
