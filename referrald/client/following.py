"""Log in where an account is: from the server that is known to the one that has the mail.

Referrals come as the answer to a login (RFC 2221 section 4.1), or as a greeting that says good-bye
(section 4.2). Each hop is looked at before anything goes there: who may get the credentials, by
which transport, and whether this is a circle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, NoReturn

import attrs

from referrald.client.chain import MAX_HOPS, Chain
from referrald.client.connection import ImapConnection
from referrald.client.policy import CredentialPolicy, fold_host
from referrald.client.referrals import (
    Referral,
    RefusedReferral,
    Target,
    counts,
    login_targets,
    referral_in,
)
from referrald.client.replies import ConnectionEnded, NotAccepted, Reply
from referrald.client.secretwords import SecretWords
from referrald.client.transport import NotReached, Opened, Trust, connect
from referrald.errors import AuthenticationFailed, ReferraldError, Unavailable
from referrald.imapurl import ImapUrl, parse
from referrald.model import IMAP_PORT

PASSWORDS = ("PLAIN", "LOGIN")
TOKENS = ("OAUTHBEARER", "XOAUTH2")

_NO_VERDICT = frozenset({"UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "PRIVACYREQUIRED"})
"""Response codes of a refusal that says nothing of the credentials (RFC 5530)."""


class TurnedAway(Unavailable):
    """A server lets nobody in at the moment, or not in this way; the password may be right."""

    public = "The other server takes no logins at the moment."


class Forbidden(ReferraldError):
    """The policy of this client keeps it from going on to a server."""

    code = None
    public = "That server may not be given the credentials."


@attrs.frozen(kw_only=True)
class Credentials:
    """Who somebody is, and the proof: a password or a bearer token.

    login_as: whose password it is, where that is somebody who may act as ``user``.
    """

    user: str
    login_as: str = ""
    password: str = attrs.field(default="", repr=False)
    token: str = attrs.field(default="", repr=False)

    @property
    def words(self) -> SecretWords:
        """What must not be seen when a server repeats it."""
        return SecretWords(self.login_as or self.user, self.token or self.password)


@attrs.frozen(kw_only=True)
class Step:
    """What happened at one server on the way.

    said: the server's words, response code and all, without the credentials. outcome: ``here``,
    ``referred``, ``refused``, ``unreachable`` or ``forbidden``. seconds: from the first packet to
    the answer.
    """

    host: str
    port: int
    user: str
    secure: bool
    capabilities: frozenset[str]
    said: str
    outcome: str
    seconds: float


@attrs.frozen(kw_only=True)
class Arrived:
    """A connection that is logged in. elsewhere: where the user's own mail is, if not here."""

    connection: ImapConnection
    target: Target
    elsewhere: Referral | None = None


class LoginFollower:
    """Follows login referrals.

    on_step: is told of every server on the way. patience: seconds for each answer. introduce: is
    called before each login, at a server that may have the credentials. announce: gives the bytes
    that a server expects before anything else, such as a header of the PROXY protocol. own: every
    (host, port) that leads back to whoever asks, and is never gone to. proof: a server that lets us
    in without a login (``PREAUTH``) is forbidden: that proves nothing.
    """

    def __init__(
        self,
        reactor: Any,
        credentials: Credentials,
        policy: CredentialPolicy,
        *,
        trust: Trust | None = None,
        max_hops: int = MAX_HOPS,
        patience: float = 30.0,
        on_step: Callable[[Step], None] = lambda step: None,
        dial: Callable[..., Any] = connect,
        own: frozenset[tuple[str, int]] = frozenset(),
        introduce: Callable[[ImapConnection, Target], Awaitable[None]] | None = None,
        announce: Callable[[Target], bytes] = lambda target: b"",
        proof: bool = False,
    ) -> None:
        self.reactor = reactor
        self.credentials = credentials
        self.hide = credentials.words.hide
        self.policy = policy
        self._trust = trust or Trust()
        self._max_hops = max_hops
        self._patience = patience
        self._on_step = on_step
        self._dial = dial
        self.own = own
        self._introduce = introduce
        self.announce = announce
        self._proof = proof

    async def open(self, url: ImapUrl | str) -> Arrived:
        """Log in, starting at the server of ``url``; the caller closes the connection.

        Raises `AuthenticationFailed`, `TurnedAway`, `NotReached`, `ConnectionEnded`,
        `RefusedReferral`, `Forbidden`, `Loop` or `TooManyHops`.
        """
        start = parse(url) if isinstance(url, str) else url
        target = Target(
            host=start.host,
            port=start.port or IMAP_PORT,
            user=start.user or self.credentials.user,
            mechanism=None if start.auth in (None, "*") else start.auth,
            url=start,
        )
        return await self.go(target)

    async def go(self, target: Target, *, secure: bool = False) -> Arrived:
        """Log in, starting at a target. secure: the connection that named it had TLS."""
        chain = Chain(self._max_hops)
        choices: tuple[Target, ...] = (target,)
        while True:
            arrived, choices, secure = await self._first(chain, choices, secure)
            if arrived is not None:
                return arrived

    async def _first(
        self, chain: Chain, choices: tuple[Target, ...], secure: bool
    ) -> tuple[Arrived | None, tuple[Target, ...], bool]:
        """Try alternatives in order; only one that cannot be reached or used is passed over."""
        fault: Unavailable | None = None
        for target in choices:
            chain.visit(target.host, target.port, target.user)
            try:
                return await self._visit(target, secure)
            except (NotReached, TurnedAway) as error:
                fault = error
        assert fault is not None, "there is always one to try"
        raise fault

    async def _visit(
        self, target: Target, was_secure: bool
    ) -> tuple[Arrived | None, tuple[Target, ...], bool]:
        visit = _Visit(self, target, self.reactor.seconds())
        # A server may name any host and port: those that are not allowed are not even called.
        visit.permit(True, was_secure)
        opened = await visit.connect(self._dial, self._trust, self._patience)
        connection = opened.connection
        if opened.greeting.kind == "BYE":
            referral = visit.referral("BYE", opened.greeting)
            connection.close()
            return None, login_targets(referral, target.user), connection.secure or was_secure
        visit.permit(connection.secure, was_secure)
        reply = opened.greeting
        if reply.kind == "PREAUTH" and self._proof:
            visit.forbid("lets us in without asking for a password, which proves nothing")
        if reply.kind != "PREAUTH":
            try:
                if self._introduce is not None:
                    await self._introduce(connection, target)
                reply = await self._log_in(connection, target)
            except ConnectionEnded as error:
                raise ConnectionEnded(f"{target.host}:{target.port} {error}") from error
        if reply.kind in ("OK", "PREAUTH"):
            elsewhere = _elsewhere(reply, target)
            visit.tell(reply.text, "here")
            return Arrived(connection=connection, target=target, elsewhere=elsewhere), (), True
        referral = visit.referral("NO", reply)
        await connection.logout()
        return None, login_targets(referral, target.user), connection.secure or was_secure

    async def _log_in(self, connection: ImapConnection, target: Target) -> Reply:
        own = self.credentials
        usable = TOKENS if own.token else PASSWORDS
        if target.mechanism not in (None, *usable):
            words = f"the referral asks for {target.mechanism}, which is not known here"
            return Reply(kind="NO", text=words.encode("utf-8"))
        try:
            if own.token:
                return await connection.bearer(target.user, own.token)
            if own.login_as and own.login_as != target.user:
                return await connection.login(own.login_as, own.password, target.user)
            return await connection.login(target.user, own.password)
        except NotAccepted as error:
            return error.reply


class _Visit:
    """One server on the way, as `Step` will tell of it."""

    def __init__(self, follower: LoginFollower, target: Target, began: float) -> None:
        self._follower = follower
        self._target = target
        self._began = began
        self._connection: ImapConnection | None = None

    async def connect(self, dial: Callable[..., Any], trust: Trust, patience: float) -> Opened:
        """Connect; in the clear only where that is allowed."""
        target, follower = self._target, self._follower
        try:
            opened: Opened = await dial(
                follower.reactor,
                target.host,
                target.port,
                trust=trust,
                clear=follower.policy.clear_allowed(target.host, target.port),
                patience=patience,
                implicit=target.implicit,
                first=follower.announce(target),
            )
        except ReferraldError as error:
            self.tell(str(error).encode("utf-8", "replace"), "unreachable")
            raise
        self._connection = opened.connection
        self._connection.hide = follower.hide
        return opened

    def permit(self, secure: bool, was_secure: bool) -> None:
        """Raise unless the credentials may be sent there, over a connection that is so secure."""
        target, policy = self._target, self._follower.policy
        if (fold_host(target.host), target.port) in self._follower.own:
            objection = f"{target.host}:{target.port}: leads back to this server"
        else:
            objection = policy.objection(
                target.host,
                target.port,
                secure=secure,
                origin_secure=was_secure,
                kind="token" if self._follower.credentials.token else "password",
            )
        if objection:
            self.forbid(objection)

    def forbid(self, objection: str) -> NoReturn:
        """Go no further with this server; raises `Forbidden`."""
        self._close()
        self.tell(objection.encode("utf-8"), "forbidden")
        raise Forbidden(objection)

    def referral(self, kind: str, reply: Reply) -> Referral:
        """Give the referral in a refusal; raise where there is none, or none to follow."""
        context: Literal["greeting", "login"] = "greeting" if kind == "BYE" else "login"
        referral = None
        try:
            if counts(reply.kind, kind != "BYE", context):
                referral = _referral(kind, reply, self._target)
        except RefusedReferral as error:
            self._close()
            self.tell(reply.text + b" - " + str(error).encode("utf-8", "replace"), "forbidden")
            raise
        if referral is None:
            self._close()
            self.tell(reply.text, "refused")
            raise _refusal(kind, reply, self._target, self._follower.hide)
        self.tell(reply.text, "referred")
        return referral

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def tell(self, said: bytes, outcome: str) -> None:
        """Report what happened."""
        target, connection, follower = self._target, self._connection, self._follower
        follower._on_step(
            Step(
                host=target.host,
                port=target.port,
                user=target.user,
                secure=connection is not None and connection.secure,
                capabilities=frozenset() if connection is None else connection.capabilities,
                said=follower.hide(said.decode("utf-8", "replace")),
                outcome=outcome,
                seconds=follower.reactor.seconds() - self._began,
            )
        )


def _elsewhere(reply: Reply, target: Target) -> Referral | None:
    """Give where the user's own mail is, if a login that succeeded says so in a usable way."""
    try:
        return _referral("OK", reply, target) if reply.kind == "OK" else None
    except RefusedReferral:
        return None


def _refusal(kind: str, reply: Reply, target: Target, hide: Callable[[str], str]) -> ReferraldError:
    """Say what a refusal means: is it the credentials, or the server?"""
    words = hide(reply.text.decode("utf-8", "replace"))
    code = words[1:].split("]", 1)[0].split(" ", 1)[0].upper() if words.startswith("[") else ""
    if kind == "BYE" or reply.kind == "BAD" or code in _NO_VERDICT:
        said = "BYE" if kind == "BYE" else reply.kind
        return TurnedAway(f"{target.host}:{target.port} says: {said} {words[:200]}")
    return AuthenticationFailed(f"{target.host}: {words[:200]}")


def _referral(kind: str, reply: Reply, target: Target) -> Referral | None:
    if b"REFERRAL" not in reply.text.upper():
        return None
    return referral_in(kind, reply.text, base=target.url.server())
