"""A backend type for tests, certificates made on the spot, and a base class around both."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from referrald.config import plugins
from referrald.config.load import Loaded, load, load_document
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem, Security, Server

NOW = datetime(2026, 1, 15, tzinfo=UTC)


@implementer(IReferralBackendFactory, ICheckingFactory)
class FakeFactory:
    """A backend type with every kind of option, whose findings the test chooses."""

    name = "fake"
    help = "A source for tests."
    options: Sequence[Option] = (
        Option(name="path", kind="path", help="A file."),
        Option(name="host", kind="string", help="A host."),
        Option(name="password", kind="secret", help="A secret.", default=""),
        Option(name="every", kind="duration", help="A time.", default=30.0),
        Option(name="room", kind="size", help="A size.", default=4096),
        Option(name="share", kind="number", help="A share.", default=0.5),
    )

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.servers: list[Server] = []
        self.fault: Exception | None = None

    def check(self, options: Options) -> Sequence[Problem]:
        if self.fault is not None:
            raise self.fault
        return self.found

    def targets(self, options: Options) -> Sequence[Server]:
        if options["host"]:
            return [*self.servers, Server(host=options["host"], security=Security.TLS)]
        return self.servers

    def build(self, options: Options, reactor: Any) -> Any:
        raise NotImplementedError


factory = FakeFactory()
no_factory = object()


GOOD = """
[server]
name = "imap.example.org"

[[listener]]
endpoint = "tcp:143"
tls = "none"
allow_cleartext = true

[[backend]]
type = "fake"
"""


class ConfigTestCase(SynchronousTestCase):
    """Knows the fake backend type, and turns texts into problems with short file names."""

    def setUp(self) -> None:
        self.factory = FakeFactory()
        self.patch(plugins, "BUILT_IN", {**plugins.BUILT_IN, "fake": f"{__name__}:factory"})
        self.patch(plugins, "entry_points", lambda group: ())
        self.patch(sys.modules[__name__], "factory", self.factory)
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = os.path.join(self.directory, "r.toml")

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def write(self, data: str | bytes, name: str = "r.toml") -> str:
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def load(self, text: str) -> Loaded:
        return load(self.write(text), now=NOW)

    def problems(self, text: str) -> list[str]:
        """Load ``text``; gives the lines, with ``/d`` for the test's directory."""
        loaded = self.load(text)
        self.assertEqual(loaded.config is None, bool(loaded.problems))
        return [str(problem).replace(self.directory, "/d") for problem in loaded.problems]

    def problems_of(self, **changes: Any) -> list[str]:
        """Change sections of the good configuration; give the lines with ``r.toml`` as the file."""
        loaded = load_document(merged(tomllib.loads(GOOD), changes), self.file, now=NOW)
        return [str(problem).replace(self.directory, "/d") for problem in loaded.problems]


def merged(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put ``changes`` over a document; ``name__child`` reaches into a table."""
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            document[name] = document[name] | value
        else:
            document[name] = value
    return document


class KeyPair:
    """A key and a certificate for it, as PEM."""

    def __init__(self, begins: datetime | None = None, days: int = 30) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        begins = begins or NOW - timedelta(days=1)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "imap.example.org")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=days))
            .sign(self.key, SHA256())
        )
        self.certificate_pem = certificate.public_bytes(Encoding.PEM)
        self.key_pem = self.encrypted(NoEncryption())

    def encrypted(self, how: KeySerializationEncryption) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)

    def with_passphrase(self) -> bytes:
        return self.encrypted(BestAvailableEncryption(b"secret"))
