"""The SASL mechanisms: who says what in which order, and which check it ends in.

``channel`` carries the messages (`referrald.interfaces.SaslChannel`). The order and the text of
what the client sees does not depend on whether the user exists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from referrald.auth import sasl
from referrald.auth.scram import ScramServer, parse_client_first
from referrald.errors import AuthenticationFailed, NotPossible, WireError
from referrald.interfaces import SaslChannel

if TYPE_CHECKING:
    from referrald.auth.authenticator import Authenticator

Mechanism = Callable[["Authenticator", SaslChannel], Awaitable[str]]


async def run_mechanism(auth: Authenticator, name: str, channel: SaslChannel) -> str:
    """Run the mechanism called ``name`` and give the user to act as."""
    mechanism = MECHANISMS.get(name.upper())
    if mechanism is None:
        raise NotPossible("unknown SASL mechanism")
    return await mechanism(auth, channel)


async def _first(channel: SaslChannel) -> bytes:
    """Give the client's first message, asked for with an empty challenge if it did not come."""
    if channel.initial is not None:
        return channel.initial
    return await channel.challenge(b"")


async def _plain(auth: Authenticator, channel: SaslChannel) -> str:
    """RFC 4616."""
    authzid, user, password = sasl.plain(await _first(channel))
    return await auth.password(user, password, authzid, home=channel.home)


async def _login(auth: Authenticator, channel: SaslChannel) -> str:
    """The mechanism that was never a standard: name and password, each asked for."""
    user = channel.initial
    if user is None:
        user = await channel.challenge(b"Username:")
    password = await channel.challenge(b"Password:")
    name = user.decode("utf-8", "surrogateescape")
    return await auth.password(name, password, home=channel.home)


async def _scram(auth: Authenticator, channel: SaslChannel) -> str:
    """RFC 7677; the server's signature is the last challenge, answered with nothing."""
    first = parse_client_first(await _first(channel))
    server = ScramServer(first, await auth.scram_keys(first.username))
    response = await channel.challenge(server.challenge)
    try:
        signature = server.finish(response)
    except AuthenticationFailed as error:
        error.user = first.username
        raise
    if await channel.challenge(signature):
        raise WireError("The last SCRAM response must be empty.")
    return auth.authorize(first.username, first.authzid)


async def _external(auth: Authenticator, channel: SaslChannel) -> str:
    """RFC 4422 appendix A, with the certificate of the TLS connection."""
    authzid = sasl.external(await _first(channel))
    if channel.certificate is None:
        raise AuthenticationFailed("no client certificate")
    return await auth.certificate(channel.certificate, authzid)


async def _oauthbearer(auth: Authenticator, channel: SaslChannel) -> str:
    """RFC 7628."""
    authzid, token = sasl.oauthbearer(await _first(channel))
    return await _bearer(auth, channel, authzid, token, "invalid_token")


async def _xoauth2(auth: Authenticator, channel: SaslChannel) -> str:
    """What came before OAUTHBEARER; its error status is an HTTP one."""
    user, token = sasl.xoauth2(await _first(channel))
    return await _bearer(auth, channel, user, token, "401")


async def _bearer(
    auth: Authenticator, channel: SaslChannel, user: str, token: bytes, status: str
) -> str:
    try:
        if not token:
            raise AuthenticationFailed("no bearer token")
        return await auth.bearer(user, token, home=channel.home)
    except AuthenticationFailed as error:
        failure = error
    # The client answers with ^A or nothing; whatever it is, the end is NO (section 3.2.3).
    await channel.challenge(sasl.bearer_error(status))
    raise failure


MECHANISMS: dict[str, Mechanism] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "SCRAM-SHA-256": _scram,
    "EXTERNAL": _external,
    "OAUTHBEARER": _oauthbearer,
    "XOAUTH2": _xoauth2,
}
