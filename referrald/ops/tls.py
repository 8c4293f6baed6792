"""The server's certificate: loaded whole or not at all, and changed while the server runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL
from twisted.cred.credentials import ICredentials
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

from referrald.errors import ConfigurationError
from referrald.interfaces import IClientCertificate
from referrald.model import Problem

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"


class Settings(Protocol):
    """What `TlsHolder` reads of the configuration."""

    @property
    def certificate(self) -> str:
        """Path of the certificate chain, PEM."""
        ...

    @property
    def key(self) -> str:
        """Path of the private key, PEM."""
        ...

    @property
    def client_ca(self) -> str:
        """Path of the authorities for client certificates, or nothing."""
        ...

    @property
    def minimum(self) -> Any:
        """The oldest version of TLS."""
        ...


def build(settings: Settings) -> SSL.Context:
    """Make a context; raises `ConfigurationError` for files that will not do."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(VERSIONS[settings.minimum])
    context.set_cipher_list(CIPHERS)
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION
    )
    # An idle connection then holds no record buffers: 34 KiB less for each.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_id(b"referrald")
    _load(context, settings)
    return context


def _load(context: SSL.Context, settings: Settings) -> None:
    steps: list[tuple[str, str, Any]] = [
        ("certificate", settings.certificate, context.use_certificate_chain_file),
        ("key", settings.key, context.use_privatekey_file),
    ]
    if settings.client_ca:
        steps.append(("client_ca", settings.client_ca, context.load_verify_locations))
    problems = []
    for key, path, use in steps:
        try:
            with open(path, "rb"):
                pass
            use(path)
        except OSError as fault:
            problems.append(_problem(path, key, f"cannot be read: {fault.strerror}"))
        except SSL.Error:
            problems.append(_problem(path, key, "is not usable PEM, or does not match"))
    if problems:
        raise ConfigurationError(problems)
    if settings.client_ca:
        context.set_verify(SSL.VERIFY_PEER, lambda *found: bool(found[-1]))


def _problem(path: str, key: str, wrong: str) -> Problem:
    return Problem(where=path, key=f"tls.{key}", wrong=wrong)


@implementer(IOpenSSLContextFactory)
class TlsHolder:
    """The context of the moment; what ``transport.startTLS`` takes."""

    def __init__(self, settings: Settings) -> None:
        self._context = build(settings)

    def getContext(self) -> SSL.Context:
        """Give the context for a new connection."""
        return self._context

    def adopt(self, context: SSL.Context) -> None:
        """Use another context for connections from now on."""
        self._context = context


@implementer(IClientCertificate, ICredentials)
@attrs.frozen(kw_only=True)
class ShownCertificate:
    """A client's verified certificate."""

    subject: Mapping[str, str]
    emails: Sequence[str]
    fingerprint: str


FIELDS = {
    x509.NameOID.COMMON_NAME: "CN",
    x509.NameOID.EMAIL_ADDRESS: "emailAddress",
    x509.NameOID.USER_ID: "UID",
    x509.NameOID.ORGANIZATION_NAME: "O",
    x509.NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
}


def shown(found: Any) -> ShownCertificate:
    """Take what matters of a certificate (`OpenSSL.crypto.X509`).

    A field that stands twice is left out: nobody could say which one counts.
    """
    certificate: x509.Certificate = found.to_cryptography()
    subject: dict[str, str] = {}
    doubled: set[str] = set()
    for attribute in certificate.subject:
        name = FIELDS.get(attribute.oid)
        if name is not None:
            doubled |= {name} & subject.keys()
            subject[name] = str(attribute.value)
    emails: Sequence[str] = ()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        emails = tuple(names.value.get_values_for_type(x509.RFC822Name))
    except x509.ExtensionNotFound:
        pass
    return ShownCertificate(
        subject={name: value for name, value in subject.items() if name not in doubled},
        emails=emails,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )
