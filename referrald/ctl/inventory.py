"""All servers that a configuration can send somebody to, and what names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from referrald.config.settings import Config, ListenerSettings
from referrald.errors import Unavailable
from referrald.imapurl import parse
from referrald.interfaces import ITargets
from referrald.model import IMAP_PORT, IMAPS_PORT, Security, Server
from referrald.routing.asking import Nonsense, answer, server_faults


@attrs.define(kw_only=True)
class Named:
    """A server. backends: the names of those that name it; listeners: of those that drain there."""

    server: Server
    backends: list[str] = attrs.field(factory=list)
    listeners: list[str] = attrs.field(factory=list)

    @property
    def by(self) -> tuple[str, ...]:
        """All that names it."""
        return (*self.backends, *(f"drain of {name}" for name in self.listeners))


@attrs.define(kw_only=True)
class Inventory:
    """The servers in the order of the configuration.

    silent: backends that cannot list theirs. broken: those that should and did not, and why.
    """

    _known: dict[tuple[str, int, Security], Named] = attrs.field(factory=dict)
    silent: list[str] = attrs.field(factory=list)
    broken: dict[str, str] = attrs.field(factory=dict)

    @property
    def named(self) -> Sequence[Named]:
        """The servers, each once."""
        return tuple(self._known.values())

    def entry(self, server: Server) -> Named:
        """Give the entry of a server."""
        key = (server.host, server.port, server.security)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Named(server=server)
        return known


async def take_inventory(config: Config, backends: Iterable[tuple[str, Any]]) -> Inventory:
    """Ask backends and listeners; one that does not answer is noted."""
    inventory = Inventory()
    for name, backend in backends:
        await _ask(inventory, name, backend)
    for listener in config.listeners:
        if listener.drain:
            inventory.entry(drained_to(listener)).listeners.append(listener.name)
    return inventory


async def _ask(inventory: Inventory, name: str, backend: Any) -> None:
    listing: Any = ITargets(backend, None)
    if listing is None:
        inventory.silent.append(name)
        return
    try:
        servers = _checked(await answer("targets", listing.targets))
    except Unavailable as error:
        inventory.broken[name] = str(error)
        return
    for server in servers:
        inventory.entry(server).backends.append(name)


def _checked(servers: Any) -> list[Server]:
    """Give each server once; raises `Nonsense`."""
    if not isinstance(servers, Iterable):
        raise Nonsense(f"targets of type {type(servers).__name__}")
    found: dict[Server, None] = {}
    for server in servers:
        for fault in server_faults(server):
            raise Nonsense(f"targets() named {fault}")
        found[server] = None
    return list(found)


def drained_to(listener: ListenerSettings) -> Server:
    """Give the server that a listener sends everyone to."""
    url = parse(listener.drain)
    port = url.port or IMAP_PORT
    security = Security.TLS if port == IMAPS_PORT else Security.STARTTLS
    return Server(host=url.host, port=port, security=security)
