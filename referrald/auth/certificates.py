"""Takes a verified client certificate for the user that it names (SASL EXTERNAL)."""

from __future__ import annotations

from typing import Literal

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from referrald.interfaces import IClientCertificate

Field = Literal["CN", "email", "UID"]


@implementer(ICredentialsChecker)
class CertificateChecker:
    """Reads the user's name from a field of the certificate.

    field: ``CN`` or ``UID`` of the subject, or ``email``: the one rfc822Name of the alternative
    names, or the subject's emailAddress when there is none. A certificate with several addresses
    says not who it is for.
    """

    credentialInterfaces = (IClientCertificate,)

    def __init__(self, field: Field = "CN") -> None:
        self._field = field

    def requestAvatarId(self, credentials: IClientCertificate) -> Deferred[bytes | tuple[()]]:
        """Give the user's name, or fail with `UnauthorizedLogin` when the field is not there."""
        return execute(self._user, credentials)

    def _user(self, credentials: IClientCertificate) -> bytes | tuple[()]:
        if self._field == "email" and credentials.emails:
            name = credentials.emails[0] if len(credentials.emails) == 1 else ""
        else:
            field = "emailAddress" if self._field == "email" else self._field
            name = credentials.subject.get(field, "")
        if not name:
            raise UnauthorizedLogin("the certificate names no user")
        return name.encode("utf-8", "surrogateescape")
