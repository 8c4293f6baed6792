"""Looks at certificates and keys before others do: readable, PEM, a pair, still valid."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from referrald.config.report import Place
from referrald.config.settings import TlsSettings


def check_files(place: Place, settings: TlsSettings, now: datetime) -> None:
    """Note everything that is wrong with the certificate, its key, and the client authorities."""
    check_pair(place, settings.certificate, settings.key, now)
    if settings.client_ca:
        _certificates(place, "client_ca", settings.client_ca)


def check_pair(place: Place, path: str, key: str, now: datetime) -> None:
    """Note everything that is wrong with a certificate and its key."""
    certificate = _certificates(place, "certificate", path)
    key_name = "certificate" if key == path else "key"
    public = _public_key(place, key_name, key)
    if certificate:
        _check_dates(place, certificate[0], now)
        if public and public != _encoded(certificate[0].public_key()):
            place.wrong(
                key_name,
                f"the key in {key} is not that of the certificate in {path}",
                "give the key that the certificate was made for; the server's own certificate "
                "stands first in its file",
            )


def _read(place: Place, name: str, path: str) -> bytes | None:
    """Read a file once for each key that names it; note it when that fails."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        place.wrong(name, f"{path} cannot be read: {error.strerror}")
        return None


def _certificates(place: Place, name: str, path: str) -> list[x509.Certificate]:
    data = _read(place, name, path)
    if data is None:
        return []
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        place.wrong(
            name,
            f"there is no certificate in {path}",
            "PEM, beginning with -----BEGIN CERTIFICATE-----",
        )
        return []


def _public_key(place: Place, name: str, path: str) -> bytes:
    """Give the public half of the private key in a file, encoded; empty when there is none."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        if name == "key":  # else the certificate's own check has said so
            place.wrong(name, f"{path} cannot be read: {error.strerror}")
        return b""
    try:
        return _encoded(load_pem_private_key(data, password=None).public_key())
    except TypeError:
        place.wrong(name, f"the key in {path} has a passphrase", "give it without one")
    except (ValueError, UnsupportedAlgorithm):
        place.wrong(
            name,
            f"there is no private key in {path}",
            "PEM, beginning with -----BEGIN PRIVATE KEY-----",
        )
    return b""


def _encoded(key: object) -> bytes:
    encode = key.public_bytes  # type: ignore[attr-defined]
    result: bytes = encode(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return result


def _check_dates(place: Place, certificate: x509.Certificate, now: datetime) -> None:
    ended, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if now > ended:
        place.wrong("certificate", f"expired on {ended:%Y-%m-%d}", "renew it")
    elif now < begins:
        place.wrong(
            "certificate", f"is not valid before {begins:%Y-%m-%d}", "check the clock, or wait"
        )


def utc_now() -> datetime:
    """The time that certificates are checked against."""
    return datetime.now(UTC)
