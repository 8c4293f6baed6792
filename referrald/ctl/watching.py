"""See why a certificate is not believed: TLS itself says only that it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs
from cryptography.x509 import Certificate, DNSName, IPAddress, SubjectAlternativeName
from cryptography.x509.extensions import ExtensionNotFound
from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from zope.interface import implementer

from referrald.client.transport import Trust

NAMES_SHOWN: Final = 5

WORDS: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: "is signed by an authority that is not believed",
    20: "is signed by an authority that is not believed",
    21: "is signed by an authority that is not believed",
    23: "has been revoked",
    26: "is not for servers",
}
"""What OpenSSL's numbers mean (``X509_V_ERR_…``)."""


@attrs.frozen(kw_only=True)
class WatchedTrust(Trust):
    """Believes whom ``inner`` believes, and remembers why one server is not believed.

    faults: what is wrong with the certificate or the chain behind it, in the order it was found.
    """

    inner: Trust
    faults: list[str] = attrs.field(factory=list, init=False)

    def options(self, host: str) -> Any:
        """Give what makes a connection to ``host``."""
        return _Watched(self.inner.options(host), host, self.faults)

    @property
    def fault(self) -> str:
        """What is wrong with the server's certificate; empty when nothing is."""
        return self.faults[0] if self.faults else ""


@implementer(IOpenSSLClientConnectionCreator)
class _Watched:
    """Makes connections as another does, with a check of the certificate that remembers."""

    def __init__(self, inner: Any, host: str, faults: list[str]) -> None:
        self._inner = inner
        self._host = host
        self._faults = faults

    def clientConnectionForTLS(self, tls_protocol: Any) -> Any:
        """Give the TLS side of a connection."""
        connection = self._inner.clientConnectionForTLS(tls_protocol)
        # It takes the place of the check that would look at the name, and so does that as well.
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return connection

    def _verify(self, _: Any, shown: Any, error: int, depth: int, good: int) -> bool:
        """Look at one certificate of the chain, after OpenSSL has."""
        if not good:
            whose = "" if depth == 0 else "an authority behind it "
            self._faults.append(whose + WORDS.get(error, f"is not believed (OpenSSL: {error})"))
        elif depth == 0:
            certificate = shown.to_cryptography()
            try:
                _require_name(certificate, self._host)
            except (VerificationError, CertificateError):
                self._faults.append(f"is for {_names(certificate)}")
        return not self._faults


def _require_name(certificate: Certificate, host: str) -> None:
    """Raise unless the certificate is for a host (RFC 9525)."""
    if isIPAddress(host) or isIPv6Address(host):
        verify_certificate_ip_address(certificate, host)
    else:
        verify_certificate_hostname(certificate, host)


def _names(certificate: Certificate) -> str:
    """List whom a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, ValueError):
        return "no host name"
    names = found.get_values_for_type(DNSName)
    names += map(str, found.get_values_for_type(IPAddress))
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(names[:NAMES_SHOWN]) or "no host name"
    return f"{shown} and {more} more" if more > 0 else shown


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__
