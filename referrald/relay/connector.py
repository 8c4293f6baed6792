"""Logs in at the home servers on behalf of clients."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import attrs

from referrald.client.connection import ConnectionEnded, ImapConnection
from referrald.client.following import Credentials, LoginFollower, TurnedAway
from referrald.client.policy import CredentialPolicy
from referrald.client.referrals import Target
from referrald.client.transport import NotReached, Trust
from referrald.errors import ProxyLoop, ReferraldError, Unavailable
from referrald.imapurl import ImapUrl
from referrald.model import RelayOrder, Security, Server
from referrald.relay.circuit import Circuit
from referrald.relay.outgoing import dialler
from referrald.relay.proxyheader import proxy_header
from referrald.relay.splice import Splice
from referrald.wire.response import paren_list, string


@attrs.frozen(kw_only=True)
class RelaySettings:
    """How home servers are reached.

    ca: a file of certificates of authorities, empty for those of the system. timeout: seconds for
    each answer of a home server. allowed, allow_clear: as for referrals.
    own: every (host, port) that leads back to this server.
    told: patterns of home servers that are told with ID where a client comes from. proxy: patterns
    of those that expect a header of the PROXY protocol.
    master_user, master_password: who may log in as anybody, for logins whose password is not known
    here; empty when nobody may.
    """

    ca: str = ""
    timeout: float = 10.0
    allowed: tuple[str, ...] = ("*",)
    allow_clear: tuple[str, ...] = ()
    own: frozenset[tuple[str, int]] = frozenset()
    told: tuple[str, ...] = ()
    proxy: tuple[str, ...] = ()
    master_user: str = ""
    master_password: str = attrs.field(default="", repr=False)


class RelayConnector:
    """Opens the way to a home server; see `referrald.session.door.Relay`."""

    def __init__(
        self,
        reactor: Any,
        settings: RelaySettings,
        *,
        dial: Callable[..., Any] | None = None,
        circuit: Circuit | None = None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._dial = dial or dialler(reactor)
        self.circuit = circuit or Circuit(reactor.seconds)
        self._trust = Trust.from_file(settings.ca) if settings.ca else Trust()

    def can(self, order: RelayOrder) -> bool:
        """Say whether there is something to log in with."""
        return bool(order.password or order.token or self._settings.master_user)

    async def open(self, order: RelayOrder) -> Splice:
        """Log in at the first server that can be reached; a home that refers is followed.

        Raises `AuthenticationFailed`, `Unavailable`, or another `ReferraldError`.
        """
        if order.hops < 1:
            raise ProxyLoop("this login has come through too many proxies (x-proxy-ttl)")
        faults = []
        for server in self.circuit.order(order.servers):
            try:
                splice = await self._log_in(order, server)
            except (NotReached, ConnectionEnded) as error:
                self.circuit.failed(server)
                faults.append(str(error))
                continue
            except TurnedAway as error:
                # It is there, and others may be let in.
                self.circuit.worked(server)
                faults.append(str(error))
                continue
            except ReferraldError:
                self.circuit.worked(server)
                raise
            self.circuit.worked(server)
            return splice
        raise Unavailable(f"no home server lets us in: {'; '.join(faults)}")

    async def _log_in(self, order: RelayOrder, server: Server) -> Splice:
        follower = LoginFollower(
            self._reactor,
            self._credentials(order),
            self._policy(server),
            trust=self._trust,
            patience=self._settings.timeout,
            dial=self._dial,
            own=self._settings.own,
            introduce=partial(self._introduce, order),
            announce=partial(self._announce, order),
        )
        arrived = await follower.go(_target(server, order.user), secure=order.secure)
        await arrived.connection.ask_capabilities()
        return Splice(arrived.connection, f"{arrived.target.host}:{arrived.target.port}")

    async def _introduce(
        self, order: RelayOrder, connection: ImapConnection, target: Target
    ) -> None:
        """Tell a server that believes us where the client comes from (RFC 2971)."""
        if not fits(target.host, self._settings.told):
            return
        if "ID" not in await connection.ask_capabilities():
            return
        fields = {
            "name": "referrald",
            "x-originating-ip": order.peer_host,
            "x-originating-port": str(order.peer_port),
            "x-session-id": order.session,
            "x-proxy-ttl": str(order.hops),
        }
        pairs = [string(text.encode("utf-8")) for pair in fields.items() for text in pair]
        await connection.command("ID", paren_list(*pairs))

    def _announce(self, order: RelayOrder, target: Target) -> bytes:
        """Give the header that a server expects before anything else."""
        if not fits(target.host, self._settings.proxy):
            return b""
        return proxy_header(order.peer_host, order.peer_port, order.own_host, order.own_port)

    def _credentials(self, order: RelayOrder) -> Credentials:
        if order.password or order.token:
            return Credentials(
                user=order.user,
                password=order.password,
                token=order.token,
                login_as=order.login_as,
            )
        settings = self._settings
        return Credentials(
            user=order.user, password=settings.master_password, login_as=settings.master_user
        )

    def _policy(self, server: Server) -> CredentialPolicy:
        """Let the passwords go where clients may be referred to, by TLS unless allowed by name."""
        settings = self._settings
        # Routing has looked at this server already; an address has to be named in full.
        own = (server.host,) if server.security is Security.CLEAR else ()
        return CredentialPolicy(
            origin=server.host,
            allowed=settings.allowed,
            allow_clear=(*settings.allow_clear, *own),
        )


def fits(host: str, patterns: tuple[str, ...]) -> bool:
    """Say whether one of the patterns is for a host, in any case."""
    return any(fnmatchcase(host.lower(), pattern.lower()) for pattern in patterns)


def _target(server: Server, user: str) -> Target:
    url = ImapUrl(host=server.host, port=server.port, user=user, auth="*")
    return Target(
        host=server.host,
        port=server.port,
        user=user,
        implicit=server.security is Security.TLS,
        url=url,
    )
