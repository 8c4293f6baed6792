"""How a plugin (a cred checker, a SCRAM key store) is asked, and what its answers may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import LoginFailed
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from zope.interface.interface import InterfaceClass

from referrald.auth.credentials import Password
from referrald.auth.deadline import within
from referrald.auth.reasons import reason
from referrald.errors import AuthenticationFailed, Unavailable


async def ask(
    method: Callable[[Any], Any],
    question: object,
    *,
    seconds: float,
    clock: IReactorTime,
    secret: bytes = b"",
) -> Any:
    """Call a plugin's method and wait for its answer, at most ``seconds``.

    A "no" becomes `AuthenticationFailed`, any other failure `Unavailable` with a reason for the
    log, in which ``secret`` does not occur.
    """
    plugin = type(getattr(method, "__self__", method)).__name__
    work: Deferred[Any] = maybeDeferred(method, question)
    try:
        return await within(work, seconds, clock)
    except CancelledError:
        raise
    except (LoginFailed, AuthenticationFailed):
        said = None
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        said = None if _unreadable(error, secret) else reason(error, secret)
    # Raised here, outside of the handlers, so that the plugin's own error is not its context.
    if said is None:
        raise AuthenticationFailed(f"{plugin} said no")
    raise Unavailable(f"{plugin}: {said}")


def those_that_check(checkers: Sequence[Any], interface: InterfaceClass) -> tuple[Any, ...]:
    """Pick the checkers that take credentials of a kind."""
    return tuple(
        checker
        for checker in checkers
        if ICredentialsChecker.providedBy(checker)
        and any(kind.isOrExtends(interface) for kind in checker.credentialInterfaces)
    )


def password_for(checker: Any, user: str, password: bytes) -> Password:
    """Show the name as bytes, or as str to Twisted's ``memory:`` checker when it keeps str."""
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        kept: Any = next(iter(checker.users), b"")
        if isinstance(kept, str):
            return Password(user, password)
    return Password(user.encode("utf-8"), password)


def user_of(avatar_id: object) -> str:
    """Give the name that a checker answered with; an anonymous avatar is not a proof."""
    if avatar_id == ():
        raise AuthenticationFailed("the checker knows nobody by that name")
    if isinstance(avatar_id, bytes):
        avatar_id = avatar_id.decode("utf-8", "surrogateescape")
    if not isinstance(avatar_id, str) or not avatar_id:
        raise Unavailable(f"a checker answered with {type(avatar_id).__name__}, not a user name")
    return avatar_id


def _unreadable(error: Exception, secret: bytes) -> bool:
    """Say whether a checker failed on a password that is not text; that is a wrong password."""
    return isinstance(error, UnicodeDecodeError) and error.object == secret
