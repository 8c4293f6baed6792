"""Homes and passwords from a directory: a search for the user, and a bind as the user."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
from zope.interface import implementer

from referrald.backends.ldap.filters import Filter
from referrald.backends.ldap.link import Entry, Links
from referrald.backends.servers import Wrong, make_server, parse_server, plain_text, port_number
from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle, IPasswordCheck, IReferralBackend, ITargets
from referrald.model import Home, Login, Security, Server

FEW: Final = 2
"""So many entries are asked for: one is meant, and a second is a mistake."""

SECURITY: Final = {
    "": None, "yes": Security.TLS, "true": Security.TLS,
    "tls": Security.TLS, "ssl": Security.TLS, "starttls": Security.STARTTLS,
    "none": Security.CLEAR, "no": Security.CLEAR, "false": Security.CLEAR,
}  # fmt: skip
"""What directories say of a server's TLS."""


@attrs.frozen(kw_only=True)
class LdapMap:
    """Where to look and what it means; attribute names are empty where there is no such attribute.

    here: host names that mean this server.
    missing: what a user without a host is: ``unknown`` or ``here``.
    """

    base: str
    scope: str
    filter: Filter
    list_filter: Filter | None
    host: str
    port: str
    security: str
    user: str
    closed: str
    here: frozenset[str]
    missing: str
    spread: bool

    @property
    def attributes(self) -> list[str]:
        """Name the attributes that are needed, each once."""
        names = (self.host, self.port, self.security, self.user, self.closed)
        return [name for name in dict.fromkeys(names) if name]


@implementer(IReferralBackend, IPasswordCheck, ITargets, ILifecycle)
class LdapBackend:
    """Asks a directory about each user; nothing is kept here."""

    def __init__(self, links: Links, settings: LdapMap) -> None:
        self._links = links
        self._map = settings

    async def start(self) -> None:
        """Do nothing: connections are made when they are needed."""

    async def stop(self) -> None:
        """Close connections."""
        self._links.stop()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user."""
        entry = await self._entry(login.user, self._map.attributes)
        if entry is None:
            return None
        try:
            return self._home(login.user, entry)
        except Wrong as error:
            raise Unavailable(f"LDAP: the entry of {login.user!r}: {error}") from None

    async def check_password(self, user: str, password: bytes) -> bool:
        """Say whether a password is the user's, by a bind as the user."""
        entry = await self._entry(user, ())
        # Takes as long where there is no such user.
        dn = entry.dn if entry else f"cn={secrets.token_hex(8)},{self._map.base}".encode()
        fits = await self._links.fits(dn, password)
        return fits and entry is not None

    async def targets(self) -> Sequence[Server]:
        """Name the servers of all who are found by the filter for lists; none without one."""
        settings = self._map
        if settings.list_filter is None:
            return ()
        wanted = settings.list_filter.for_user("")
        found = await self._links.search(settings.base, settings.scope, wanted, settings.attributes)
        servers: dict[Server, None] = {}
        for entry in found:
            try:
                servers.update(dict.fromkeys(self._servers(entry)))
            except Wrong:
                continue
        return tuple(servers)

    async def _entry(self, user: str, attributes: Iterable[str]) -> Entry | None:
        try:
            wanted = self._map.filter.for_user(user)
        except UnicodeError:
            return None
        settings = self._map
        asked = [*dict.fromkeys((*attributes, *settings.filter.attributes))]
        entries = await self._links.search(settings.base, settings.scope, wanted, asked, FEW)
        found = [each for each in entries if settings.filter.names(user, each.values)]
        if len(found) > 1:
            raise Unavailable(f"LDAP: there is more than one entry for {user!r}")
        return found[0] if found else None

    def _home(self, user: str, entry: Entry) -> Home | None:
        """Read an entry; raises `Wrong`."""
        settings = self._map
        closed = entry.values(settings.closed)
        if closed and closed[0]:
            return Home(closed=plain_text(closed[0]))
        hosts = entry.values(settings.host)
        if not hosts:
            return None if settings.missing == "unknown" else Home()
        servers = self._servers(entry)
        there = entry.values(settings.user)
        return Home(
            servers=servers,
            user=plain_text(there[0]) if there and there[0] != user else None,
            spread=settings.spread and len(servers) > 1,
        )

    def _servers(self, entry: Entry) -> tuple[Server, ...]:
        """Give the servers of an entry, none for *here*; raises `Wrong`."""
        settings = self._map
        hosts = entry.values(settings.host)
        if any(host.lower() in settings.here for host in hosts):
            return ()
        port, security = self._port(entry), self._security(entry)
        return tuple(_server(host, port, security) for host in hosts)

    def _port(self, entry: Entry) -> int | None:
        ports = entry.values(self._map.port)
        return port_number(ports[0]) if ports else None

    def _security(self, entry: Entry) -> Security | None:
        words = entry.values(self._map.security)
        word = words[0].lower() if words else ""
        if word not in SECURITY:
            raise Wrong(f'"{word}" says nothing of TLS')
        return SECURITY[word]


def _server(host: str, port: int | None, security: Security | None) -> Server:
    if not host:
        raise Wrong("its host is empty")
    return make_server(host, port, security) if port else parse_server(host, security)


def only_name(text: str) -> Any:
    """Give the name of an attribute; raises `Wrong` for what cannot be one (RFC 4512, 2.5)."""
    if text and not all(c.isascii() and (c.isalnum() or c in "-;.") for c in text):
        raise Wrong(f'"{text}" is not the name of an attribute')
    return text
