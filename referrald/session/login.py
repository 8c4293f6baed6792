"""From a proof of who it is to an answer: serve, refer or refuse (RFC 2221)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.mail.interfaces import IAccountIMAP

from referrald.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    LoginReferral,
    PrivacyRequired,
    ReferraldError,
    TooManyFailures,
    Unavailable,
)
from referrald.interfaces import IReferralAccount
from referrald.model import Decision, How, Login, LoginEvent, Refer, Refuse, RelayOrder, Serve
from referrald.session import answers, capabilities
from referrald.session.athome import AskedAtHome
from referrald.session.guarding import note, proved_within_limits, prover
from referrald.session.relaying import Secret, follows, order_at, order_if_wanted, relay
from referrald.session.returning import as_own, note_sent_away, proved
from referrald.session.table import Answer
from referrald.wire.response import ok

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer

SERVED_HERE = Serve()


async def login(session: ReferralServer, user: bytes, password: bytes) -> Answer:
    """Carry out LOGIN (RFC 3501 section 6.2.3)."""
    require_privacy(session)
    name = user.decode("utf-8", "surrogateescape")
    asked = AskedAtHome.of(session, "LOGIN")
    proof = session.door.authenticator.password(name, password, home=asked)
    return await admit(session, "LOGIN", name, proof, lambda: Secret(password=password), asked)


def quick(session: ReferralServer, tag: bytes, user: bytes, password: bytes) -> bool:
    """Have LOGIN carried out by the shortcut, where there is one for the user."""
    short = session.door.shortcut
    return short is not None and short.take(session, tag, "LOGIN", user, password)


def require_privacy(session: ReferralServer) -> None:
    """Raise unless credentials may be sent on this connection as it is."""
    if not capabilities.may_log_in(session):
        raise PrivacyRequired


async def admit(
    session: ReferralServer,
    mechanism: str,
    named: str,
    proof: Awaitable[str],
    secret: Callable[[], Secret],
    asked: AskedAtHome | None = None,
) -> Answer:
    """Wait for the proof, decide, answer, and write one log line whatever comes of it.

    named: the user that the client named, for the log of a failure; may be empty.
    secret: gives what the client proved with, for a login at its home.
    asked: has perhaps logged in there to prove it.
    """
    attempt = Attempt(session, mechanism, named, session.door.clock(), asked)
    try:
        return await _prove(session, attempt, proof, secret)
    finally:
        if asked is not None:
            asked.drop()


async def _prove(
    session: ReferralServer, attempt: Attempt, proof: Awaitable[str], secret: Callable[[], Secret]
) -> Answer:
    named = attempt.user
    proving = proved if session.door.failures is None else proved_within_limits
    try:
        user = await proving(attempt, proof, secret)
    except (AuthenticationFailed, TooManyFailures) as error:
        attempt.user = named or error.user or prover(secret)
        raise await _failed(attempt, error) from None
    except ReferraldError as error:
        attempt.user = named or error.user
        result = "refused" if isinstance(error, AuthorizationFailed) else "failed"
        attempt.log(result, cause=str(error))
        raise
    attempt.user = user
    return await _carry_out(session, attempt, as_own(secret) if attempt.returned else secret)


async def _failed(
    attempt: Attempt, error: AuthenticationFailed | TooManyFailures
) -> AuthenticationFailed | TooManyFailures:
    """Count, log and slow down; gives the error that the client is to see."""
    if isinstance(error, AuthenticationFailed):
        error = note(attempt, error)
    attempt.log("failed", cause=str(error))
    await slow_down(attempt.session)
    return error


class Attempt:
    """One login under way, as the log will tell it. asked: may have logged in at home already."""

    __slots__ = ("asked", "began", "mechanism", "returned", "session", "user")

    def __init__(
        self,
        session: ReferralServer,
        mechanism: str,
        user: str,
        began: float,
        asked: AskedAtHome | None = None,
    ) -> None:
        self.asked = asked
        self.session = session
        self.mechanism = mechanism
        self.user = user
        self.began = began
        self.returned = False

    def as_login(self) -> Login:
        """Give what routing is told."""
        session = self.session
        return Login(
            user=self.user,
            peer=session.peer_host,
            secure=session.secure,
            mechanism=self.mechanism,
            listener=session.door.listener,
        )

    async def leave_home(self) -> None:
        """Log out where we have logged in to prove the password; the client goes on without us."""
        if self.asked is not None:
            await self.asked.leave()

    def log(self, result: str, target: str = "", source: str = "", cause: str = "") -> None:
        """Write the one line."""
        session = self.session
        door = session.door
        door.log_login(
            LoginEvent(
                session=session.session_id,
                peer=session.peer,
                user=self.user,
                mechanism=self.mechanism,
                secure=session.secure,
                listener=door.listener,
                result=result,
                target=target,
                source=source,
                cause=cause,
                seconds=door.clock() - self.began,
            )
        )


async def _carry_out(
    session: ReferralServer, attempt: Attempt, secret: Callable[[], Secret]
) -> Answer:
    router = session.door.router
    decision: Decision = SERVED_HERE
    if router is not None:
        decision = await router.route(attempt.as_login())
    if isinstance(decision, Refer):
        return await _away(session, attempt, decision, secret)
    if isinstance(decision, Refuse):
        return await _refuse(session, attempt, decision, secret)
    return await _serve(session, attempt, decision, secret)


async def _away(
    session: ReferralServer, attempt: Attempt, decision: Refer, secret: Callable[[], Secret]
) -> Answer:
    """Refer or relay."""
    how = session.door.choosing.choose(decision.how, session.peer_host)
    if how != "refer":
        router = session.door.router
        # A program that follows has no reason to come back so soon; a relay serves it as well.
        returned = attempt.returned or (
            how == "auto"
            and router is not None
            and router.came_back(attempt.user, session.peer_host)
        )
        order = order_if_wanted(session, attempt.user, decision, secret, how, returned=returned)
        if order is not None:
            return await relay_or_refuse(session, attempt, order, decision.source)
    return await _refer(session, attempt, decision, how, secret)


async def _refuse(
    session: ReferralServer, attempt: Attempt, decision: Refuse, secret: Callable[[], Secret]
) -> Answer:
    """Refuse, or relay a client that came back from a referral."""
    away = decision.instead
    if away is not None:
        how = session.door.choosing.choose(away.how, session.peer_host)
        order = order_if_wanted(session, attempt.user, away, secret, how, returned=True)
        if order is not None:
            return await relay_or_refuse(session, attempt, order, away.source)
    await attempt.leave_home()
    attempt.log("refused", source=decision.source, cause=decision.cause or decision.text)
    return answers.refused(decision)


async def relay_or_refuse(
    session: ReferralServer,
    attempt: Attempt,
    order: RelayOrder,
    source: str,
    begun: Any = None,
) -> Answer:
    """Relay; begun: a login at home that came some of the way."""
    try:
        return await relay(session, attempt, order, source, begun)
    except AuthenticationFailed as error:
        # It was right a while ago, when it was remembered.
        session.door.authenticator.forget(attempt.user)
        raise await _failed(attempt, error) from None


async def _refer(
    session: ReferralServer,
    attempt: Attempt,
    decision: Refer,
    how: How,
    secret: Callable[[], Secret],
) -> Answer:
    await attempt.leave_home()
    if decision.authenticated and session.door.realm is None:
        # Nothing can be read here after all; where the user's own mailboxes are is still true.
        decision = attrs.evolve(decision, authenticated=False, memo={})
    if decision.authenticated:
        try:
            await _open_account(session, attempt.user, secret, True)
        except Unavailable as error:
            attempt.log("refused", source=decision.source, cause=str(error))
            raise
    else:
        note_sent_away(attempt, decision, may_relay=how != "refer")
    attempt.log("referred", target=str(decision.server), source=decision.source)
    door = session.door
    unfollowed = how != "refer" and not follows(session, attempt.user)
    return answers.referred(decision, door.unfollowed_text if unfollowed else door.referral_text)


async def _serve(
    session: ReferralServer, attempt: Attempt, decision: Serve, secret: Callable[[], Secret]
) -> Answer:
    await attempt.leave_home()
    try:
        await _open_account(session, attempt.user, secret, session.door.elsewhere)
    except LoginReferral as error:
        attempt.log("referred", target=" ".join(error.urls), source="realm")
        raise
    except Unavailable as error:
        attempt.log("refused", source=decision.source, cause=str(error))
        raise
    attempt.log("served", source=decision.source)
    return ok("Logged in.", capabilities.code(session))


async def _open_account(
    session: ReferralServer, user: str, secret: Callable[[], Secret], elsewhere: bool
) -> None:
    """Get the user's IAccount from the realm and enter the authenticated state.

    elsewhere: mailboxes of this user may be on other servers. What the client logged in with is
    kept then, if they may be served from there.
    """
    realm = session.door.realm
    if realm is None:
        raise Unavailable('this server keeps no mailboxes ([serve] store is "none")')
    opening: Deferred[tuple[object, object, object]] = maybeDeferred(
        realm.requestAvatar, user, None, IReferralAccount, IAccountIMAP
    )
    _interface, account, logout = await opening
    session.authenticated(user, account, logout)  # type: ignore[arg-type]
    if elsewhere and session.door.errands is not None and session.door.unasked == "relay":
        session.order = order_at(session, user, secret())


async def slow_down(session: ReferralServer) -> None:
    """Count a failed login; wait before the answer, and close after one too many."""
    limits = session.door.limits
    session.failed_logins += 1
    if session.failed_logins >= limits.login_failures:
        session.door.notes.note(
            "failed logins", f"{session.session_id} {session.peer}: too many failed logins"
        )
        session.afterwards(lambda: session.say_bye("Too many failed logins."))
    if limits.failure_delay > 0:
        waited: Deferred[None] = Deferred()
        token = session.door.wheel.add(limits.failure_delay, lambda: waited.callback(None))
        try:
            await waited
        finally:
            session.door.wheel.cancel(token)
