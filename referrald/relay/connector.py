"""Logs in at the home servers on behalf of clients."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError

from referrald.client.connection import ImapConnection
from referrald.client.following import (
    Arrived,
    Credentials,
    Forbidden,
    LoginFollower,
    TurnedAway,
)
from referrald.client.policy import CredentialPolicy, fold_host
from referrald.client.referrals import Target
from referrald.client.replies import ConnectionEnded
from referrald.client.transport import NotReached, Reach, Trust, connect
from referrald.errors import ProxyLoop, ReferraldError, Unavailable
from referrald.imapurl import ImapUrl
from referrald.model import RelayOrder, Security, Server
from referrald.relay.circles import Calling
from referrald.relay.circuit import Admission, Circuit
from referrald.relay.errands import Errands
from referrald.relay.outgoing import reach_for
from referrald.relay.proxyheader import proxy_header
from referrald.relay.settings import RelaySettings
from referrald.relay.splice import LoggedIn, Splice
from referrald.relay.straight import ShortWay, StraightLogin, command_for
from referrald.relay.way import Way
from referrald.wire.response import paren_list, string


class RelayConnector:
    """Opens the way to a home server; see `referrald.session.door.Relay`."""

    def __init__(
        self,
        reactor: Any,
        settings: RelaySettings,
        *,
        dial: Callable[..., Any] | None = None,
        reach: Reach | None = None,
        circuit: Circuit | None = None,
        tell: Callable[[str, str], None] = lambda kind, text: None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self.circuit = circuit or Circuit(reactor.seconds, tell=tell)
        self._trust = Trust.from_files(
            ca=settings.ca, certificate=settings.certificate, key=settings.key
        )
        # Whoever says how to dial is asked for every connection: there is no short way then.
        reach = reach or (None if dial else reach_for(reactor, self._trust))
        self._dial = dial or (partial(connect, reach=reach) if reach else connect)
        self._short = ShortWay(reactor, reach, self._trust, self._is_plain) if reach else None
        self._patience = min(settings.timeout, settings.deadline)
        # Where our connections come from that are about to log in.
        self._calling = Calling()

    def can(self, order: RelayOrder) -> bool:
        """Say whether there is something to log in with."""
        return bool(order.password or order.token or self._settings.master_user)

    def allows(self, server: Server) -> bool:
        """Say whether a server that another one names may be gone to; this one itself may not."""
        host = fold_host(server.host)
        if (host, server.port) in self._settings.own:
            return False
        return CredentialPolicy(origin="", allowed=self._settings.allowed).allows(host)

    def errands(self, order: RelayOrder) -> Errands:
        """Give a session what does its errands at other servers."""
        return Errands(self, order, self._reactor)

    async def open(self, order: RelayOrder, begun: StraightLogin | None = None) -> Splice:
        """Log in at the first server that can be reached, ready for passing bytes on.

        begun: what `begin` gave for the first server, wherever that has led to.
        What home has said on the way that is for the client comes with the result.
        Raises `AuthenticationFailed`, `Unavailable`, or another `ReferraldError`.
        """
        straight = begun or self._begin(order)
        if straight is not None:
            await straight.settled()
            if straight.offered is not None:
                return self.spliced(straight, order.servers[0], order.user)
        return await self._open(order, straight)

    def spliced(self, straight: StraightLogin, server: Server, user: str) -> Splice:
        """Give what passes bytes, of a login that went well."""
        return Splice(straight, f"{server.host}:{server.port}", server, user)

    async def _open(self, order: RelayOrder, straight: StraightLogin | None) -> Splice:
        """Log in where that takes more than the short way, which may have been begun."""
        began = None if straight is None else straight.began
        way = Way(self._reactor, self._settings.deadline, self._short, began)
        if straight is not None:
            way.begun = straight
            self._call(way, straight.transport)
        try:
            connection = await self._reach(order, way)
        finally:
            self._hang_up(way)
            if way.begun is not None:
                # Nobody went on with it: the server has just begun to be left alone, say.
                way.begun.close()
        assert way.server is not None, "one has let us in"
        return Splice(connection, way.there, way.server, order.user, way.heard)

    def _begin(self, order: RelayOrder) -> StraightLogin | None:
        """Begin the short way to the first server where nothing at all is in the way.

        That is how nearly all logins go; `_first` goes on with what comes of the others.
        """
        if order.token or order.hops < 1:
            return None
        login_as, password = self._password(order)
        peer = order.peer_host, order.peer_port
        return self.begin(order.servers[0], order.user, password, order.secure, peer, login_as)

    def begin(
        self,
        server: Server,
        user: str,
        password: str,
        secure: bool,
        peer: tuple[str, int],
        login_as: str = "",
    ) -> StraightLogin | None:
        """Begin to log in with a password where nothing at all is in the way.

        secure, peer: how the client came, and from where. login_as: whose password that is.
        """
        short = self._short
        if short is None or not self.circuit.calm(server) or self._calling.may_be(peer):
            return None
        if not short.leads_to(server, secure):
            return None
        straight = short.begin(server, command_for(user, login_as, password), self._patience)
        if straight is not None:
            straight.call(self._calling)
        return straight

    async def log_in(self, order: RelayOrder) -> Arrived:
        """Log in for single commands; what the server says besides is nobody's affair.

        Raises as `open` does.
        """
        way = Way(self._reactor, self._settings.deadline)
        await self._reach(order, way)
        assert way.arrived is not None, "there is no short way"
        way.arrived.connection.on_untagged = None
        return way.arrived

    async def _reach(self, order: RelayOrder, way: Way) -> LoggedIn:
        """Log in, unless this login goes round in a circle."""
        round_ = self._goes_round(order)
        if round_:
            raise ProxyLoop(round_)
        try:
            return await self._first(order, way)
        finally:
            self._hang_up(way)

    def _goes_round(self, order: RelayOrder) -> str:
        """Say why a login goes round in a circle; empty when it does not."""
        if order.hops < 1:
            return "this login has come through too many proxies (x-proxy-ttl)"
        if self._calling.has((order.peer_host, order.peer_port), order.own):
            return "this login comes from this very server: a home leads back here"
        return ""

    def _call(self, way: Way, transport: Any) -> None:
        """Remember a connection until its login is done."""
        way.calls.append(self._calling.add(transport))

    def _hang_up(self, way: Way) -> None:
        for here in way.calls:
            self._calling.discard(here)

    async def _first(self, order: RelayOrder, way: Way) -> LoggedIn:
        """Log in at the first server that can be reached, but for those to be left alone."""
        for server in order.servers:
            if way.left <= 0:
                break
            admission = self.circuit.admit(server)
            if admission is None:
                way.faults.append(f"{server} is left alone after a failure")
                continue
            try:
                return await self._try(order, admission, way)
            except (NotReached, ConnectionEnded, TurnedAway) as error:
                way.faults.append(str(error))
            except CancelledError:
                if not way.overdue:
                    raise
        raise Unavailable(f"no home server {way}")

    async def _try(self, order: RelayOrder, admission: Admission, way: Way) -> LoggedIn:
        """Log in at one server, and say what was learnt about it."""
        way.begin()
        try:
            connection = await self._log_in(order, admission.server, way)
        except (NotReached, ConnectionEnded) as error:
            if way.referred:
                admission.worked()
            elif order.proof and isinstance(error, ConnectionEnded):
                # Nobody has proved anything yet, and some servers make who guesses wait for long:
                # strangers must not be able to have a server left alone.
                admission.spared()
            else:
                admission.failed(str(error), reached=isinstance(error, ConnectionEnded))
            raise
        except CancelledError:
            if way.overdue and not way.referred and not order.proof:
                admission.failed("too slow for [relay] deadline", reached=True)
            else:
                admission.spared()
            raise
        except Forbidden:
            admission.spared()
            raise
        except ReferraldError:
            admission.worked()
            raise
        except BaseException:
            admission.spared()
            raise
        admission.worked()
        way.server = admission.server
        return connection

    async def _log_in(self, order: RelayOrder, server: Server, way: Way) -> LoggedIn:
        """Log in the short way where there is one, and the long way from where that ends.

        Each of them looks after the time that is left.
        """
        credentials = self._credentials(order)
        dial, short = self._dial, way.short
        if short is not None and not order.token and short.leads_to(server, order.secure):
            patience = min(self._settings.timeout, way.left)
            straight, way.begun = way.begun, None
            if straight is None:
                calling = partial(self._call, way)
                command = command_for(order.user, *self._password(order))
                straight = await short.go(server, command, patience, calling)
            straight.check(server)
            if straight.offered is not None:
                way.there = f"{server.host}:{server.port}"
                return straight
            dial = partial(straight.dial, otherwise=dial)
        return await way.within(self._follow(order, server, credentials, dial, way))

    def _is_plain(self, server: Server, secure: bool) -> bool:
        """Say whether nothing has to be told to a server, and nothing speaks against it.

        What must not be sent there, or not like that, is refused by the long way, with a reason.
        """
        settings, policy, host = self._settings, self._policy(server), server.host
        if fits(host, settings.told) or fits(host, settings.proxy):
            return False
        if (fold_host(host), server.port) in settings.own:
            return False
        tls = server.security is Security.TLS
        if not tls and not policy.clear_allowed(host, server.port):
            return False
        return not policy.objection(host, server.port, secure=tls, origin_secure=secure)

    async def _follow(
        self,
        order: RelayOrder,
        server: Server,
        credentials: Credentials,
        dial: Callable[..., Any],
        way: Way,
    ) -> ImapConnection:
        follower = LoginFollower(
            self._reactor,
            credentials,
            self._policy(server),
            trust=self._trust,
            patience=self._settings.timeout,
            dial=dial,
            own=self._settings.own,
            introduce=partial(self._introduce, order, way),
            on_step=way.step,
            announce=partial(self._announce, order),
            proof=order.proof,
        )
        arrived = await follower.go(_target(server, order.user), secure=order.secure)
        await arrived.connection.ask_capabilities()
        way.arrived, way.there = arrived, f"{arrived.target.host}:{arrived.target.port}"
        return arrived.connection

    async def _introduce(
        self, order: RelayOrder, way: Way, connection: ImapConnection, target: Target
    ) -> None:
        """Get ready for the login: say where the client comes from, and listen for it."""
        self._call(way, connection.transport)
        await self._tell(order, connection, target)
        way.heard.forget()
        connection.on_untagged = way.heard.take

    async def _tell(self, order: RelayOrder, connection: ImapConnection, target: Target) -> None:
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
        return proxy_header(order.peer_host, order.peer_port, *order.own())

    def _password(self, order: RelayOrder) -> tuple[str, str]:
        """Give whose password a login is made with, empty for the user's own, and the password."""
        if order.password:
            return order.login_as, order.password
        return self._settings.master_user, self._settings.master_password

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
