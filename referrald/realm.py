"""twisted.cred realms: the account of a user whose home is here, or a referral."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.mail.imap4 import IAccount
from zope.interface import implementer

from referrald.account import ReferralAccount, Routing
from referrald.errors import LoginReferral, ReferraldError
from referrald.interfaces import IReferralAccount
from referrald.model import Decision, Login, Refer, Refuse, Server
from referrald.stock import TwistedAccount

Avatar = tuple[Any, Any, Callable[[], None]]


class Router(Protocol):
    """Routing, as far as a realm needs it."""

    async def route(self, login: Login) -> Decision:
        """Decide what is done about a login."""
        ...


class LoginRefused(ReferraldError, UnauthorizedLogin):
    """Routing refused the user."""

    code = "UNAVAILABLE"


@implementer(IRealm)
class MailRealm:
    """Give accounts of a store, with referrals for mailboxes that are elsewhere (RFC 2193).

    store: an `IMailStore`. routing: where mailboxes are; None when all are here. own: this server,
    as clients know it. Whoever asks for `IReferralAccount` gets that, anyone else an ``IAccount``
    that a stock ``IMAP4Server`` can work with.
    """

    def __init__(
        self, store: Any, routing: Routing | None = None, own: Server | None = None
    ) -> None:
        self.store = store
        self.routing = routing
        self.own = own or Server(host="localhost")

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Deferred[Avatar]:
        """Give the account of the user named by ``avatarId``; fails as the store does."""
        return Deferred.fromCoroutine(self._avatar(avatarId, interfaces))

    async def _avatar(self, avatar_id: Any, interfaces: tuple[Any, ...]) -> Avatar:
        if IReferralAccount not in interfaces and IAccount not in interfaces:
            raise NotImplementedError("only IReferralAccount and IAccount are known here")
        user = _user(avatar_id)
        local = await self.store.account(user)
        account = ReferralAccount(user, local, self.routing, self.own)
        if IReferralAccount in interfaces:
            return IReferralAccount, account, lambda: None
        stock = TwistedAccount(account)
        return IAccount, stock, stock.close


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
        user = _user(avatar_id)
        decision = await self.router.route(Login(user=user))
        if isinstance(decision, Refer) and not decision.authenticated:
            raise LoginReferral((decision.url,))
        if isinstance(decision, Refuse):
            raise LoginRefused(decision.cause, public=decision.text)
        return await maybeDeferred(self.local.requestAvatar, avatar_id, mind, *interfaces)


def _user(avatar_id: Any) -> str:
    return avatar_id.decode("utf-8") if isinstance(avatar_id, bytes) else str(avatar_id)
