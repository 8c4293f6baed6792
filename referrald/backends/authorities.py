"""Whose certificates a backend believes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate, trustRootFromCertificates

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
