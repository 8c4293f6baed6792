"""Passwords that a backend checks by itself, without showing a hash."""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from referrald.interfaces import IPasswordCheck


@implementer(ICredentialsChecker)
class AskedChecker:
    """A cred checker over an `IPasswordCheck`."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, check: IPasswordCheck) -> None:
        self._check = check

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Give the user's name, or fail with `UnauthorizedLogin`."""
        name = credentials.username
        raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        password = credentials.password
        secret = password if isinstance(password, bytes) else password.encode("utf-8")
        return Deferred.fromCoroutine(self._ask(raw, secret))

    async def _ask(self, name: bytes, password: bytes) -> bytes | tuple[()]:
        # An empty password is none; many a server takes it for an anonymous login.
        user = name.decode("utf-8", "surrogateescape")
        if not password or not await self._check.check_password(user, password):
            raise UnauthorizedLogin
        return name
