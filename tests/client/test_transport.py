"""What is sent before the greeting, and in which order."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.transport import _Dialled


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
