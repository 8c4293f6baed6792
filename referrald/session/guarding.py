"""Logins of which there were too many that failed: nobody learns any more whether one was right.

Users and addresses over their limit get the same answer for a right password as for a wrong one. A
SASL mechanism tells who it is only in the end, so that the limit is looked at then as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from referrald.errors import AuthenticationFailed, AuthorizationFailed, TooManyFailures
from referrald.session.relaying import Secret
from referrald.session.returning import proved

if TYPE_CHECKING:
    from referrald.session.login import Attempt


async def proved_within_limits(
    attempt: Attempt, proof: Awaitable[str], secret: Callable[[], Secret]
) -> str:
    """Give the user who is proved, as `proved` does; raises `TooManyFailures` over a limit."""
    _check_before(attempt, proof)
    try:
        user = await proved(attempt, proof, secret)
    except AuthorizationFailed as error:
        # That would tell that the password is right.
        _check_after(attempt, error.user, secret)
        raise
    _check_after(attempt, user, secret)
    return user


def _check_before(attempt: Attempt, proof: Awaitable[str]) -> None:
    """Have nobody look for a proof where it is clear already that it is of no use."""
    try:
        _check(attempt, attempt.user)
    except TooManyFailures:
        close = getattr(proof, "close", None)
        if close is not None:
            close()
        raise


def _check_after(attempt: Attempt, user: str, secret: Callable[[], Secret]) -> None:
    """Look at who has proved to be ``user``; whoever acts as another is somebody else as well."""
    _check(attempt, user)
    who = prover(secret)
    if who:
        _check(attempt, who)


def prover(secret: Callable[[], Secret]) -> str:
    """Say whose password a SASL mechanism has shown; empty where it does not tell."""
    return secret().login_as.decode("utf-8", "surrogateescape")


def note(attempt: Attempt, error: AuthenticationFailed) -> AuthenticationFailed | TooManyFailures:
    """Count a failure, unless it is over a limit; gives the error that the client is to see."""
    failures, peer = attempt.session.door.failures, attempt.session.peer_host
    if failures is None:
        return error
    user = _known_as(attempt, attempt.user)
    reason = failures.reason(user, peer)
    if reason:
        return TooManyFailures(reason)
    failures.note(user, peer)
    return error


def _check(attempt: Attempt, user: str) -> None:
    failures = attempt.session.door.failures
    if failures is None:
        return
    reason = failures.reason(_known_as(attempt, user), attempt.session.peer_host)
    if reason:
        raise TooManyFailures(reason)


def _known_as(attempt: Attempt, user: str) -> str:
    """Give the name under which a user is counted, in whatever form the client gives it."""
    try:
        return attempt.session.door.authenticator.normalise(user)
    except ValueError:
        return user
