"""The transport, on a pair of sockets and a reactor that is turned by hand."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import attrs
from twisted.internet import error
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import ConfigurationError
from referrald.ops.link import FULL, LINGER, MOST_READ, Link
from referrald.ops.securing import READ_SIZE
from referrald.ops.tls import TlsHolder, build
from tests.interop.support import make_certificate
from tests.proves import proves


class Reactor(Clock):
    """Keeps what would be polled, and polls it when told."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def turn(self) -> None:
        """Let everyone read, write and be called once."""
        for ready, act in ((self.readers, "doRead"), (self.writers, "doWrite")):
            for selectable in list(ready):
                ended = getattr(selectable, act)()
                if ended is not None:
                    selectable.connectionLost(Failure(ended))
        self.advance(0)


class Protocol:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[Failure] = []
        self.paused: list[bool] = []
        self.shaken = 0

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)

    def handshakeCompleted(self) -> None:
        self.shaken += 1

    def pauseProducing(self) -> None:
        self.paused.append(True)

    def resumeProducing(self) -> None:
        self.paused.append(False)


@attrs.frozen
class Settings:
    """Where a certificate is."""

    certificate: str
    key: str
    client_ca: str = ""
    minimum: str = "1.2"


class LinkCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.protocol = Protocol()
        self.reports: list[tuple[str, str]] = []

    def connect(self, tls: Any = None) -> Link:
        """Make a link and the socket at its other end."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.peer = socket.create_connection(listener.getsockname())
        self.addCleanup(self.peer.close)
        accepted, address = listener.accept()
        self.peer.settimeout(10)
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(
            accepted, self.protocol, address, None, 1, self.reactor,
            tls=tls, report=lambda *told: self.reports.append(told),
        )  # fmt: skip
        self.addCleanup(link.connectionLost, Failure(error.ConnectionDone()))
        return link


class Clear(LinkCase):
    def test_what_is_written_is_there_at_once_and_nobody_polls_for_it(self) -> None:
        link = self.connect()
        link.write(b"hello")
        self.assertEqual(self.peer.recv(100), b"hello")
        self.assertEqual(self.reactor.writers, set())

    def test_what_the_socket_does_not_take_waits_and_the_producer_is_told(self) -> None:
        link = self.connect()
        link.registerProducer(self.protocol, True)
        data = b"x" * 20_000_000
        link.write(data)
        link.write(b"y" * (FULL + 1))
        self.assertEqual(self.protocol.paused, [True])
        received = 0
        while received < len(data) + FULL + 1:
            self.reactor.turn()
            received += len(self.peer.recv(1 << 20))
        self.reactor.turn()
        self.assertEqual(self.protocol.paused, [True, False])
        self.assertEqual(self.reactor.writers, set())

    def test_closing_sends_what_waits_then_ends_and_tells_once(self) -> None:
        link = self.connect()
        link.write(b"* BYE\r\n")
        link.loseConnection()
        link.write(b"too late")
        self.reactor.turn()
        self.assertEqual(self.peer.recv(100), b"* BYE\r\n")
        self.assertEqual(self.peer.recv(100), b"")
        self.peer.close()
        self.reactor.turn()
        self.assertEqual([failure.type for failure in self.protocol.lost], [error.ConnectionDone])
        link.connectionLost(Failure(error.ConnectionLost()))
        self.assertEqual(len(self.protocol.lost), 1)

    @proves("S2")
    def test_a_last_word_outlives_the_bytes_that_nobody_read(self) -> None:
        link = self.connect()
        self.peer.sendall(b"x" * 100_000)
        link.write(b"* BYE\r\n")
        link.loseConnection()
        for _ in range(10):
            self.reactor.turn()
        self.assertEqual(self.protocol.received.strip(b"x"), b"")
        self.assertEqual(self.peer.recv(100), b"* BYE\r\n")
        self.assertEqual(self.protocol.lost, [])
        self.reactor.advance(LINGER)
        self.assertEqual(len(self.protocol.lost), 1)

    def test_a_pause_stops_reading_and_the_bytes_wait(self) -> None:
        link = self.connect()
        link.pauseProducing()
        self.peer.sendall(b"data")
        self.reactor.turn()
        self.assertEqual(self.protocol.received, b"")
        link.resumeProducing()
        self.reactor.turn()
        self.assertEqual(self.protocol.received, b"data")

    def test_an_end_and_a_reset_are_told_as_twisted_tells_them(self) -> None:
        self.connect()
        self.peer.close()
        self.reactor.turn()
        self.assertEqual(self.protocol.lost[0].type, error.ConnectionDone)
        self.protocol = Protocol()
        link = self.connect()
        link.abortConnection()
        self.reactor.turn()
        self.assertEqual(self.protocol.lost[0].type, error.ConnectionAborted)
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_writing_to_a_dead_peer_is_a_lost_connection_and_no_error(self) -> None:
        link = self.connect()
        linger = b"\x01\0\0\0\0\0\0\0"
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.peer.close()
        for _ in range(3):
            link.write(b"x")
        self.reactor.turn()
        self.assertEqual(len(self.protocol.lost), 1)
        self.assertIn(self.protocol.lost[0].type, (error.ConnectionLost, error.ConnectionDone))

    def test_who_sends_much_is_read_in_large_pieces_until_it_stops(self) -> None:
        link = self.connect()
        sizes: list[int] = []
        self.protocol.dataReceived = lambda data: sizes.append(len(data))  # type: ignore[method-assign]
        self.peer.sendall(b"x" * 200_000)
        for _ in range(20):
            self.reactor.turn()
        self.assertEqual(sum(sizes), 200_000)
        self.assertEqual(sizes[0], READ_SIZE)
        self.assertGreater(max(sizes), READ_SIZE)
        self.assertLessEqual(max(sizes), MOST_READ)
        self.peer.sendall(b"x")
        self.reactor.turn()
        self.assertEqual(link._read_size, READ_SIZE)

    def test_one_who_will_say_no_more_may_still_be_answered(self) -> None:
        link = self.connect()
        asked: list[bool] = [True]
        self.protocol.inputEnded = lambda: asked[0]  # type: ignore[attr-defined]
        self.peer.shutdown(socket.SHUT_WR)
        self.reactor.turn()
        self.assertEqual(self.protocol.lost, [])
        self.assertEqual(self.reactor.readers, set())
        link.write(b"answer")
        self.assertEqual(self.peer.recv(100), b"answer")
        link.loseConnection()
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(len(self.protocol.lost), 1)

    def test_one_whom_nobody_answers_any_more_is_let_go(self) -> None:
        self.connect()
        self.protocol.inputEnded = lambda: False  # type: ignore[attr-defined]
        self.peer.shutdown(socket.SHUT_WR)
        self.reactor.turn()
        self.assertEqual([failure.type for failure in self.protocol.lost], [error.ConnectionDone])

    def test_addresses_are_those_of_the_socket(self) -> None:
        link = self.connect()
        self.assertEqual(link.getPeer().port, self.peer.getsockname()[1])
        self.assertEqual(link.getHost().port, self.peer.getpeername()[1])
        self.assertFalse(link.secure)


class OverTls(LinkCase):
    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        certificate, key = make_certificate(folder)
        self.settings = Settings(str(certificate), str(key))
        self.holder = TlsHolder(self.settings)

    def shake_hands(self) -> ssl.SSLSocket:
        """Do both sides of a handshake in turns."""
        context = ssl.create_default_context(cafile=self.settings.certificate)
        self.peer.setblocking(False)
        client = context.wrap_socket(
            self.peer, server_hostname="localhost", do_handshake_on_connect=False
        )
        self.addCleanup(client.close)
        done = False
        while not (done and self.protocol.shaken):
            try:
                client.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            self.reactor.turn()
        client.settimeout(10)
        return client

    def test_what_is_written_during_the_handshake_is_sent_after_it(self) -> None:
        link = self.connect(self.holder)
        self.assertTrue(link.handshaking)
        link.write(b"* OK\r\n")
        client = self.shake_hands()
        self.assertEqual(client.recv(100), b"* OK\r\n")
        self.assertTrue(link.secure)
        self.assertIsNone(link.getPeerCertificate())

    @proves("L11")
    def test_starttls_sends_its_answer_in_the_clear_and_the_rest_protected(self) -> None:
        link = self.connect()
        link.write(b"a OK\r\n")
        link.startTLS(self.holder)
        link.write(b"* secret\r\n")
        self.assertEqual(self.peer.recv(100), b"a OK\r\n")
        client = self.shake_hands()
        self.assertEqual(client.recv(100), b"* secret\r\n")
        client.sendall(b"b NOOP\r\n")
        self.reactor.turn()
        self.assertEqual(self.protocol.received, b"b NOOP\r\n")

    def test_many_records_are_read_and_a_pause_loses_none(self) -> None:
        link = self.connect(self.holder)
        client = self.shake_hands()
        client.sendall(b"x" * 50_000)
        link.pauseProducing()
        self.reactor.turn()
        self.assertEqual(self.protocol.received, b"")
        link.resumeProducing()
        for _ in range(10):
            self.reactor.turn()
        self.assertEqual(len(self.protocol.received), 50_000)

    def test_ten_megabytes_reach_a_slow_reader(self) -> None:
        link = self.connect(self.holder)
        client = self.shake_hands()
        data = b"0123456789" * 1_000_000
        link.write(data)
        received = b""
        while len(received) < len(data):
            self.reactor.turn()
            received += client.recv(1 << 20)
        self.assertEqual(received, data)

    def test_garbage_instead_of_a_handshake_is_told_in_one_line(self) -> None:
        self.connect(self.holder)
        self.peer.sendall(b"a LOGIN alice secret\r\n")
        self.reactor.turn()
        self.assertEqual(len(self.protocol.lost), 1)
        self.assertEqual(len(self.reports), 1)
        self.assertNotIn("secret", self.reports[0][1])

    def test_a_peer_that_leaves_in_the_middle_of_the_handshake_is_let_go(self) -> None:
        self.connect(self.holder)
        self.peer.sendall(b"\x16\x03\x01")
        self.reactor.turn()
        self.assertEqual(self.protocol.lost, [])
        self.peer.close()
        self.reactor.turn()
        self.assertEqual(len(self.protocol.lost), 1)

    def test_closing_says_so_in_tls_too(self) -> None:
        link = self.connect(self.holder)
        client = self.shake_hands()
        link.write(b"* BYE\r\n")
        link.loseConnection()
        self.reactor.turn()
        self.assertEqual(client.recv(100), b"* BYE\r\n")
        self.assertEqual(client.recv(100), b"")

    def test_files_that_will_not_do_are_problems_and_the_old_context_stays(self) -> None:
        before = self.holder.getContext()
        for settings, key in (
            (attrs.evolve(self.settings, certificate="/nowhere"), "tls.certificate"),
            (attrs.evolve(self.settings, key=self.settings.certificate), "tls.key"),
            (attrs.evolve(self.settings, client_ca="/nowhere"), "tls.client_ca"),
        ):
            error_ = self.assertRaises(ConfigurationError, build, settings)
            self.assertEqual([problem.key for problem in error_.problems], [key])
        self.assertIs(self.holder.getContext(), before)
        self.holder.adopt(build(self.settings))
        self.assertIsNot(self.holder.getContext(), before)
