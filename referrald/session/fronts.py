"""Who a session is with: the other end of the connection, or whom a trusted front speaks for.

A proxy in front of us tells by ID (RFC 2971) where its client comes from, in fields that Dovecot
has brought up. A part of `ReferralServer`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from referrald.model import MAX_PROXIES
from referrald.networks import Networks, parse_address
from referrald.session.door import Door

Fields = Mapping[str, str | None]

HOPS: Final = "x-proxy-ttl"
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_SESSION = re.compile(r"[A-Za-z0-9+/=._:@-]{1,64}", re.ASCII)


@attrs.frozen
class Origin:
    """What a front says of its client; session: the front's name of the session, or empty."""

    host: str
    port: int = 0
    session: str = ""


def origin(fields: Fields) -> Origin | None:
    """Read what the ID fields say of a client; None when there is no address in them."""
    host = _address(fields.get("x-originating-ip") or "")
    if not host:
        return None
    port = fields.get("x-originating-port") or ""
    named = fields.get("x-session-id") or ""
    return Origin(
        host,
        int(port) if _NUMBER.fullmatch(port) and int(port) < 65_536 else 0,
        named if _SESSION.fullmatch(named) else "",
    )


def hops_left(fields: Fields | None) -> int:
    """Say how many proxies may still pass on a login of a client with these ID fields.

    A number there can only make it fewer, so it is believed from anybody. Below 1 there is none.
    """
    if not fields:
        return MAX_PROXIES
    said = (fields.get(HOPS) or "").strip()
    return min(int(said) - 1, MAX_PROXIES) if _NUMBER.fullmatch(said) else MAX_PROXIES


@lru_cache(maxsize=4096)
def within(host: str, networks: Networks) -> bool:
    """Say whether an address is in one of the networks; what is no address is in none."""
    return networks.find(parse_address(host)) is not None


def _address(text: str) -> str:
    """Give an address in its usual form, IPv4 where it is that; empty when it is none."""
    address = parse_address(text.partition("%")[0])
    return "" if address is None else str(address)


def peer_of(transport: Any) -> tuple[str, int]:
    """Give the client's address and port; a client on a UNIX socket has neither."""
    client = getattr(transport, "client", None)
    if client is not None:
        return client[0], client[1]
    peer = transport.getPeer()
    return getattr(peer, "host", "unix"), getattr(peer, "port", 0)


def own_address(transport: Any) -> tuple[str, int]:
    """Give the address and port that the client has connected to; of a UNIX socket neither."""
    own = transport.getHost()
    return getattr(own, "host", ""), getattr(own, "port", 0)


class Fronted:
    """The half of a session that knows who it is with.

    peer_host, peer_port: the client. Where a trusted front speaks for it, they are what that says,
    and so is the name of the session.
    """

    door: Door
    transport: Any
    factory: Any
    number: int
    client_id: dict[str, str | None] | None
    peer_host = ""
    peer_port = 0
    _named = ""

    @property
    def session_id(self) -> str:
        """A short name of this connection for logs."""
        named = self._named
        if not named:
            prefix = self.factory.prefix if self.factory is not None else "S"
            named = self._named = f"{prefix}{self.number:x}"
        return named

    @property
    def peer(self) -> str:
        """Address and port of the client, for logs."""
        host = self.peer_host
        return f"[{host}]:{self.peer_port}" if ":" in host else f"{host}:{self.peer_port}"

    @property
    def by_front(self) -> bool:
        """True when the other end may speak for others."""
        networks = self.door.trusted
        return bool(networks.each) and within(peer_of(self.transport)[0], networks)

    def introduced(self, fields: dict[str, str | None]) -> None:
        """Take what the client, or the front for it, says with ID."""
        self.client_id = fields
        said = origin(fields) if self.by_front else None
        if said is not None:
            self.peer_host, self.peer_port, self._named = said.host, said.port, said.session

    def forget_introduction(self) -> None:
        """Know again only what the connection itself shows."""
        self.client_id = None
        self.peer_host, self.peer_port = peer_of(self.transport)
        self._named = ""
