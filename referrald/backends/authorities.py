"""Whose certificates a backend believes, and which one it shows itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509, PKey
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    trustRootFromCertificates,
)

from referrald.backends.servers import Wrong


def read_authorities(path: str | None) -> Any:
    """Read a file of authorities; None, the system's, where there is none. Raises `Wrong`."""
    if path is None:
        return None
    try:
        found = load_pem_x509_certificates(Path(path).read_bytes())
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from None
    except ValueError:
        raise Wrong(f"{path} holds no certificates", "a file in PEM form") from None
    made = [Certificate(X509.from_cryptography(each)) for each in found]  # type: ignore[no-untyped-call]
    return trustRootFromCertificates(made)  # type: ignore[no-untyped-call]


def read_own(certificate: str | None, key: str | None) -> Sequence[Any]:
    """Read our certificate with its key, and the certificates behind it; raises `Wrong`.

    Nothing, where neither file is named.
    """
    if not certificate and not key:
        return ()
    if not certificate or not key:
        raise Wrong("is of no use without the other", "give both certificate and key, or neither")
    try:
        chain = load_pem_x509_certificates(Path(certificate).read_bytes())
        secret = load_pem_private_key(Path(key).read_bytes(), None)
    except OSError as error:
        raise Wrong(f"{error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Wrong("is no certificate with its key", "PEM files, without a passphrase") from None
    if secret.public_key() != chain[0].public_key():
        raise Wrong("and key do not belong together", "the key of this certificate")
    own = PrivateCertificate.fromCertificateAndKeyPair(  # type: ignore[no-untyped-call]
        Certificate(X509.from_cryptography(chain[0])),  # type: ignore[no-untyped-call]
        KeyPair(PKey.from_cryptography_key(secret)),  # type: ignore[no-untyped-call, arg-type]
    )
    return [own, *map(X509.from_cryptography, chain[1:])]
