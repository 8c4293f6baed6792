"""Bodies of answers, and the certificates that services are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from referrald.backends.authorities import read_own
from referrald.backends.http.body import collect
from referrald.backends.servers import Wrong
from tests.config.fakes import KeyPair


class Response:
    """An answer whose body comes when the test says so."""

    def __init__(self) -> None:
        self.transport = StringTransport()

    def deliverBody(self, protocol: Any) -> None:
        self.body = protocol
        protocol.makeConnection(self.transport)


class Bodies(SynchronousTestCase):
    def setUp(self) -> None:
        self.response = Response()
        self.taken: list[bytes] = []

    def collect(self) -> Deferred[None]:
        done = collect(self.response, self.taken.append)
        self.response.body.dataReceived(b"one")
        self.assertNoResult(done)
        return done

    def test_a_body_comes_in_pieces_and_ends(self) -> None:
        for reason in (ResponseDone(), PotentialDataLoss()):
            done = self.collect()
            self.response.body.connectionLost(Failure(reason))
            self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.taken, [b"one", b"one"])

    def test_one_that_is_cut_off_is_no_body(self) -> None:
        done = self.collect()
        self.response.body.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(done, ConnectionLost)

    def test_who_waits_no_more_leaves_no_connection_behind(self) -> None:
        done = self.collect()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(self.response.transport.disconnecting)
        self.response.body.dataReceived(b"two")
        self.response.body.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.taken, [b"one"])

    def test_what_cannot_be_taken_ends_the_connection(self) -> None:
        def refuse(data: bytes) -> None:
            raise ValueError("too much")

        done = collect(self.response, refuse)
        self.response.body.dataReceived(b"one")
        self.failureResultOf(done, ValueError)
        self.assertTrue(self.response.transport.disconnecting)


class OwnCertificates(SynchronousTestCase):
    def write(self, data: bytes) -> str:
        path = Path(self.mktemp())
        path.write_bytes(data)
        return str(path)

    def test_a_certificate_comes_with_its_key_and_those_behind_it(self) -> None:
        pair = KeyPair()
        chain = self.write(pair.certificate_pem * 2)
        own, behind = read_own(chain, self.write(pair.key_pem))
        self.assertEqual(behind.digest("sha256"), own.original.digest("sha256"))
        self.assertEqual(read_own(None, None), ())

    def test_what_is_no_such_pair_is_told(self) -> None:
        pair = KeyPair()
        certificate, key = self.write(pair.certificate_pem), self.write(pair.key_pem)
        for one, other, wrong in (
            (certificate, None, "of no use without the other"),
            (None, key, "of no use without the other"),
            (certificate, self.mktemp(), "No such file"),
            (self.mktemp(), key, "No such file"),
            (certificate, certificate, "is no certificate with its key"),
            (certificate, self.write(KeyPair().key_pem), "do not belong together"),
            (key, key, "is no certificate with its key"),
        ):
            self.assertIn(wrong, str(self.assertRaises(Wrong, read_own, one, other)))
