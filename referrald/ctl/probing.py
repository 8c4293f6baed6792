"""Look at one server as clients and the relay come to it, without logging in."""

from __future__ import annotations

from typing import Any, Final

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred, TimeoutError

from referrald.client import transport
from referrald.client.policy import CredentialPolicy
from referrald.client.referrals import RefusedReferral, login_target, referral_in
from referrald.client.replies import ConnectionEnded, Reply
from referrald.client.transport import NotReached, Opened, Trust, WithoutTls
from referrald.config.checks import leads_home
from referrald.ctl.inventory import Named
from referrald.ctl.watching import WatchedTrust, causes
from referrald.errors import ReferraldError
from referrald.model import IMAPS_PORT, Security, Server
from referrald.relay.connector import fits
from referrald.relay.proxyheader import LOCAL
from referrald.routing.policy import PolicySettings

FINE: Final = "fine"
UNREACHABLE: Final = "unreachable"
NO_TLS: Final = "no TLS"
CERTIFICATE: Final = "certificate"
REFERS_ON: Final = "refers on"
ITSELF: Final = "is this server itself"
NOT_ALLOWED: Final = "not allowed by [referral]"
TURNS_AWAY: Final = "turns clients away"
OPEN: Final = "lets everyone in"
LACKS: Final = "lacks"


@attrs.frozen(kw_only=True)
class Needs:
    """What is asked of servers.

    policy: where clients may be sent. relay: clients are logged in there by us. master: the relay
    has a user there who logs in as anybody. proxy: patterns of hosts that want a PROXY header.
    """

    policy: PolicySettings
    relay: bool = False
    master: bool = False
    proxy: tuple[str, ...] = ()

    def header(self, host: str) -> bytes:
        """Give what is to be sent to a host before anything else: it is our own connection."""
        return LOCAL if fits(host, self.proxy) else b""

    def lacking(self, offered: frozenset[str], *, home: bool) -> str:
        """Say what a server should offer and does not; empty when nothing is missing.

        home: the relay may come there, and not only clients that were referred.
        """
        if not offered & {"IMAP4REV1", "IMAP4REV2"}:
            return "IMAP4rev1"
        plain = "AUTH=PLAIN" in offered
        if home and self.relay and self.master and not plain:
            return "AUTH=PLAIN, by which the master user logs in"
        if "LOGINDISABLED" not in offered or plain:
            return ""
        if home and self.relay:
            return "a login with a password, which the relay needs"
        has_others = any(name.startswith("AUTH=") for name in offered)
        return "" if has_others else "any way to log in"


@attrs.define(kw_only=True)
class Finding:
    """What is known of a server. fault: somebody has to do something about it.

    tls: ``tls``, ``starttls`` or ``none``; None while nothing is certain. seconds: until the
    verdict; None when it was not called.
    """

    named: Named
    verdict: str = ""
    reason: str = ""
    fault: bool = False
    tls: str | None = None
    greeting: str | None = None
    capabilities: frozenset[str] = frozenset()
    seconds: float | None = None

    def judge(self, verdict: str, reason: str = "", *, fault: bool = True) -> None:
        """Keep the first verdict."""
        if not self.verdict:
            self.verdict, self.reason, self.fault = verdict, reason, fault


class Prober:
    """Looks at servers. patience: seconds for each of them, all in all."""

    def __init__(self, reactor: Any, needs: Needs, trust: Trust, patience: float) -> None:
        self._reactor = reactor
        self._needs = needs
        self._trust = trust
        self._patience = patience

    async def look_at(self, named: Named) -> Finding:
        """Connect, unless nobody may be sent there, and judge; never raises for the server."""
        finding = Finding(named=named)
        self._object(finding)
        if finding.verdict:
            return finding
        began = self._reactor.seconds()
        work = Deferred.fromCoroutine(self._visit(finding, began))
        work.addTimeout(self._patience, self._reactor)
        try:
            await work
        except TimeoutError:
            finding.judge(UNREACHABLE, f"not done within {self._patience:g} s")
        if finding.seconds is None:
            finding.seconds = self._reactor.seconds() - began
        return finding

    def _object(self, finding: Finding) -> None:
        """Judge by the configuration alone. Where a listener drains to, the operator has said."""
        server, policy = finding.named.server, self._needs.policy
        if leads_home(server, policy.own_names):
            finding.judge(ITSELF)
        elif finding.named.backends and (objection := policy.objection(server)):
            finding.judge(NOT_ALLOWED, objection)

    async def _visit(self, finding: Finding, began: float) -> None:
        server = finding.named.server
        trust = WatchedTrust(inner=self._trust)
        opened = None
        try:
            opened = await self._connect(server, trust)
            await self._look(finding, opened)
            finding.seconds = self._reactor.seconds() - began
            await opened.connection.logout()
        except ReferraldError as error:
            _not_reached(finding, error, trust)
        finally:
            if opened is not None:
                opened.connection.close()

    async def _connect(self, server: Server, trust: Trust) -> Opened:
        return await transport.connect(
            self._reactor,
            server.host,
            server.port,
            trust=trust,
            # Whether it may do without TLS is judged when all else is known.
            clear=True,
            patience=self._patience,
            implicit=server.security is Security.TLS,
            first=self._needs.header(server.host),
        )

    async def _look(self, finding: Finding, opened: Opened) -> None:
        connection, greeting = opened.connection, opened.greeting
        server = finding.named.server
        finding.greeting = greeting.text.decode("utf-8", "replace")
        if greeting.kind != "BYE":
            # With the first answer it is certain as well that the certificate is believed.
            finding.capabilities = await connection.ask_capabilities()
        if connection.secure:
            finding.tls = "tls" if server.security is Security.TLS else "starttls"
        elif greeting.kind != "BYE":
            finding.tls = "none"
        if greeting.kind == "BYE":
            self._bye(finding, greeting)
        elif greeting.kind == "PREAUTH":
            finding.judge(OPEN, "it asks nobody who he is")
        elif not connection.secure and not self._may_do_without(server):
            finding.judge(NO_TLS, "the server offers none")
        elif lacking := self._needs.lacking(
            finding.capabilities, home=bool(finding.named.backends)
        ):
            finding.judge(LACKS, lacking)
        else:
            finding.judge(FINE, fault=False)

    def _may_do_without(self, server: Server) -> bool:
        """Say whether the relay would use the server as it is."""
        allowed = CredentialPolicy(
            origin=server.host, allow_clear=self._needs.policy.allow_clear
        ).clear_allowed(server.host, server.port)
        return server.security is Security.CLEAR or allowed

    def _bye(self, finding: Finding, greeting: Reply) -> None:
        """Judge a server that sends everyone away (RFC 2221 section 4.2)."""
        try:
            referral = referral_in("BYE", greeting.text)
            target = None if referral is None else login_target(referral, "")
        except RefusedReferral as error:
            finding.judge(REFERS_ON, f"in a way that cannot be followed: {error}")
            return
        if target is None:
            finding.judge(TURNS_AWAY, finding.greeting or "it says BYE")
            return
        security = Security.TLS if target.port == IMAPS_PORT else Security.STARTTLS
        other = Server(host=target.host, port=target.port, security=security)
        objection = self._needs.policy.objection(other)
        words = f"to {other}" + (f", which is {objection}" if objection else "")
        finding.judge(REFERS_ON, words, fault=bool(objection))


def _not_reached(finding: Finding, error: ReferraldError, trust: WatchedTrust) -> None:
    """Judge a server with which there is no session."""
    server = finding.named.server
    said = str(error).removeprefix(f"{server.host}:{server.port}").lstrip(": ")
    if trust.fault:
        finding.judge(CERTIFICATE, trust.fault)
    elif words := _tls_words(error):
        finding.judge(NO_TLS, words)
    elif isinstance(error, WithoutTls):
        finding.judge(NO_TLS, said)
    elif isinstance(error, NotReached | ConnectionEnded):
        finding.judge(UNREACHABLE, said)
    else:
        raise error


def _tls_words(error: ReferraldError) -> str:
    """Give OpenSSL's own words for a handshake that came to nothing."""
    for cause in causes(error):
        if isinstance(cause, SSL.Error):
            parts = cause.args[0] if cause.args else ()
            return ", ".join(part[-1] for part in parts) or "the handshake failed"
    return ""
