"""twisted.cred realms: the account of a user whose home is here, or a referral."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.mail.imap4 import IAccount
from zope.interface import implementer

from referrald.errors import LoginReferral, ReferraldError
from referrald.model import Decision, Login, Refer, Refuse


class AccountSource(Protocol):
    """A store, as far as a realm needs it."""

    def account(self, user: str) -> Any:
        """Give the IAccount of ``user``."""
        ...


class Router(Protocol):
    """Routing, as far as a realm needs it."""

    async def route(self, login: Login) -> Decision:
        """Decide what is done about a login."""
        ...


class LoginRefused(ReferraldError, UnauthorizedLogin):
    """Routing refused the user."""

    code = "UNAVAILABLE"


@implementer(IRealm)
class LocalRealm:
    """Give accounts of the store that is here."""

    def __init__(self, source: AccountSource) -> None:
        self.source = source

    def requestAvatar(
        self, avatarId: Any, mind: Any, *interfaces: Any
    ) -> tuple[Any, Any, Callable[[], None]]:
        """Give the account of the user named by ``avatarId``."""
        if IAccount not in interfaces:
            raise NotImplementedError("only IAccount is known here")
        user = avatarId.decode("utf-8") if isinstance(avatarId, bytes) else avatarId
        return IAccount, self.source.account(user), lambda: None


@implementer(IRealm)
class ReferralRealm:
    """Ask routing first: a user whose home is elsewhere gets a `LoginReferral`.

    For programs that bring their own portal. Under a session of ours the referral reaches the
    client; under a stock ``IMAP4Server``, which has no way to send one, it is a plain ``NO``.
    A home that has public mailboxes here is served: the realm cannot send ``OK [REFERRAL]``.
    """

    def __init__(self, router: Router, local: Any) -> None:
        self.router = router
        self.local = local

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Deferred[Any]:
        """Give the local account, or fail with `LoginReferral` or another `ReferraldError`."""
        return Deferred.fromCoroutine(self._avatar(avatarId, mind, interfaces))

    async def _avatar(self, avatar_id: Any, mind: Any, interfaces: tuple[Any, ...]) -> Any:
        user = avatar_id.decode("utf-8") if isinstance(avatar_id, bytes) else avatar_id
        decision = await self.router.route(Login(user=user))
        if isinstance(decision, Refer) and not decision.authenticated:
            raise LoginReferral((decision.url,))
        if isinstance(decision, Refuse):
            raise LoginRefused(decision.cause, public=decision.text)
        return await maybeDeferred(self.local.requestAvatar, avatar_id, mind, *interfaces)
