"""AUTHENTICATE: carry a SASL exchange over IMAP (RFC 3501 section 6.2.2, RFC 4959)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.cred.credentials import ICredentials
from twisted.cred.error import LoginFailed, UnhandledCredentials
from twisted.internet.defer import maybeDeferred

from referrald.errors import AuthenticationFailed, NotPossible, Unavailable, WireError
from referrald.interfaces import HomeLogin
from referrald.session import capabilities
from referrald.session.athome import AskedAtHome
from referrald.session.login import admit, require_privacy
from referrald.session.relaying import secret_of
from referrald.session.table import Answer
from referrald.wire.response import bad, challenge

if TYPE_CHECKING:
    from referrald.session.server import ReferralServer


async def authenticate(session: ReferralServer, mechanism: str, initial: bytes | None) -> Answer:
    """Carry out AUTHENTICATE with any mechanism that the door offers."""
    require_privacy(session)
    if mechanism not in capabilities.mechanisms(session):
        raise NotPossible("unknown mechanism", public="That mechanism is not offered here.")
    asked = AskedAtHome.of(session, mechanism)
    channel = Channel(session, None if initial is None else decode(initial), asked)
    own = session.challengers.get(mechanism.encode("ascii"))
    if own is not None:
        proof = _challenge_response(session, channel, own())
    else:
        proof = session.door.authenticator.exchange(mechanism, channel)
    try:
        secret = partial(secret_of, mechanism, channel.messages)
        return await admit(session, mechanism, "", proof, secret, asked)
    except Cancelled:
        return bad("Authentication exchange cancelled.")


def quick(session: ReferralServer, tag: bytes, mechanism: str, initial: bytes | None) -> bool:
    """Have PLAIN in one line carried out by the shortcut, where there is one for the user."""
    short = session.door.shortcut
    if short is None or mechanism != "PLAIN" or initial is None:
        return False
    if session.challengers or mechanism not in capabilities.mechanisms(session):
        return False
    try:
        authzid, user, password = decode(initial).split(b"\0")
    except ValueError:
        return False
    return authzid in (b"", user) and short.take(session, tag, mechanism, user, password)


class Cancelled(WireError):
    """The client sent ``*``: a tagged BAD, and nothing else happened."""


class Channel:
    """A SASL exchange as its mechanism sees it (`referrald.interfaces.SaslChannel`)."""

    def __init__(
        self, session: ReferralServer, initial: bytes | None, home: AskedAtHome | None = None
    ) -> None:
        self.initial = initial
        # A relay has to say the same at the user's home; gone with the exchange.
        self.messages = [] if initial is None else [initial]
        self.certificate: Any = capabilities.certificate(session)
        self.home: HomeLogin | None = home
        self._session = session

    def __repr__(self) -> str:
        return "<Channel>"

    async def challenge(self, data: bytes) -> bytes:
        """Send one challenge and wait for the response."""
        self._session.write(challenge(data))
        line = await self._session.read_line()
        if line == b"*":
            raise Cancelled("Authentication exchange cancelled.")
        message = decode(line)
        self.messages.append(message)
        return message


def decode(encoded: bytes) -> bytes:
    """Decode one line of strict base64."""
    try:
        return b64decode(encoded, validate=True)
    except binascii.Error:
        raise WireError("The response is not base64.") from None


async def _challenge_response(session: ReferralServer, channel: Channel, exchange: Any) -> str:
    """Run one of ``IMAP4Server.challengers`` (`twisted.mail.interfaces.IChallengeResponse`).

    The portal's checkers judge it; its realm is asked later, as for every other login.
    """
    while True:
        exchange.setResponse(await channel.challenge(exchange.getChallenge()))
        if not exchange.moreChallenges():
            break
    checker = _checker_for(session, exchange)
    try:
        avatar_id = await maybeDeferred(checker.requestAvatarId, exchange)
    except LoginFailed:
        raise AuthenticationFailed("the portal's checker said no") from None
    return avatar_id.decode("utf-8") if isinstance(avatar_id, bytes) else str(avatar_id)


def _checker_for(session: ReferralServer, exchange: ICredentials) -> Any:
    portal: Any = session.portal
    if portal is None:
        raise Unavailable("challengers need a portal")
    for interface, checker in portal.checkers.items():
        if interface.providedBy(exchange):
            return checker
    raise UnhandledCredentials
