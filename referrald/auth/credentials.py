"""What a client shows to prove who it is, as `twisted.cred` credentials. No repr shows a secret."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import attrs
from twisted.cred.credentials import IUsernamePassword
from zope.interface import implementer

from referrald.interfaces import IBearerToken, IClientCertificate


@implementer(IUsernamePassword)
class Password:
    """A user name and a password.

    Twisted's checkers take bytes, as its own IMAP server gives them; the few that keep str names
    (``memory:`` as made from an ``--auth`` string) are given a str name. The comparison takes
    whatever type the checker keeps.
    """

    __slots__ = ("password", "username")

    def __init__(self, username: bytes | str, password: bytes) -> None:
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return f"<Password of {self.username!r}>"

    def checkPassword(self, password: bytes | str) -> bool:
        """Say whether ``password`` is the one, in constant time."""
        if isinstance(password, str):
            password = password.encode("utf-8", "surrogateescape")
        return hmac.compare_digest(self.password, password)


@implementer(IBearerToken)
@attrs.frozen(kw_only=True)
class BearerToken:
    """An OAuth 2 bearer token (RFC 7628), or the same for XOAUTH2."""

    username: str = ""
    token: bytes = attrs.field(repr=False)


@implementer(IClientCertificate)
@attrs.frozen(kw_only=True)
class ClientCertificate:
    """A client certificate that TLS has verified already."""

    subject: Mapping[str, str] = attrs.field(factory=dict, converter=MappingProxyType)
    emails: Sequence[str] = attrs.field(default=(), converter=tuple)
    fingerprint: str = ""
