"""What is sent before the greeting, and in which order."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.transport import Trust, _Dialled


class Transport(StringTransport):
    """Shows where TLS begins."""

    def startTLS(self, options: Any) -> None:
        self.write(b"<%b>" % options)


class Beginning(SynchronousTestCase):
    def sent(self, first: bytes, options: bytes | None) -> tuple[bytes, bool]:
        connection, transport = _Dialled(Clock(), 30.0, first, options), Transport()
        connection.makeConnection(transport)
        return transport.value(), connection.secure

    def test_what_comes_first_goes_out_before_tls(self) -> None:
        self.assertEqual(self.sent(b"header", b"tls"), (b"header<tls>", True))

    def test_without_anything_the_server_speaks_first(self) -> None:
        self.assertEqual(self.sent(b"", None), (b"", False))
        self.assertEqual(self.sent(b"", b"tls"), (b"<tls>", True))
        self.assertEqual(self.sent(b"header", None), (b"header", False))


class Trusting(SynchronousTestCase):
    """What is read from PEM files."""

    def write(self, text: str) -> str:
        path: str = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def test_certificates_are_taken_out_of_whatever_stands_around_them(self) -> None:
        one, two = (f"-----BEGIN CERTIFICATE-----\n{n}\n-----END CERTIFICATE-----" for n in "12")
        path = self.write(f"first\n{one}\n-----BEGIN PRIVATE KEY-----\nk\n\nsecond {two}\n")
        trust = Trust.from_files(ca=path, certificate=path)
        self.assertEqual((trust.certificates, trust.own), ((one, two), (one, two)))
        self.assertIn("PRIVATE KEY", trust.key)
        self.assertNotIn("PRIVATE KEY", repr(trust))

    def test_without_paths_nothing_is_read(self) -> None:
        self.assertEqual(Trust.from_files(), Trust())

    def test_a_file_without_certificates_is_refused(self) -> None:
        path = self.write("nothing")
        self.assertRaises(ValueError, Trust.from_files, ca=path)
        self.assertRaises(ValueError, Trust.from_file, path)
        self.assertRaises(OSError, Trust.from_files, certificate="/none.pem")
