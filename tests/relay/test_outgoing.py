"""Connections to home servers, on loopback and a reactor that is turned by hand."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.transport import Trust
from referrald.ops.link import Link
from referrald.relay import addresses
from referrald.relay.addresses import KEPT_FOR, STAGGER, Names, Race, literal
from referrald.relay.outgoing import HomeReach, timers_of
from tests.interop.support import make_certificate
from tests.ops.test_hub import Polling
from tests.ops.test_link import Protocol
from tests.proves import proves


class Selecting(Polling):
    """Gives a turn to those that have something to do, and waits a moment for them."""

    def turn(self) -> None:
        readable, writable, _ = select.select(self.readers, self.writers, [], 0.01)
        for selectable in readable:
            selectable.doRead()
        for selectable in writable:
            selectable.doWrite()
        self.advance(0)


class Home(Protocol):
    """Knows its transport."""

    transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport


class Resolver:
    """Finds what it is told to find, when it is told to."""

    def __init__(self, *addresses: Any) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def resolveHostName(self, receiver: Any, host: str, port: int) -> None:
        self.asked.append(host)
        receiver.resolutionBegan(self)
        for address in self.addresses:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = Selecting()
        self.home = Home()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.port = self.listener.getsockname()[1]

    def reach(self, host: str, port: int, trust: Trust | None = None) -> Deferred[None]:
        reach = HomeReach(self.reactor, trust or Trust())
        return Deferred.fromCoroutine(reach(self.reactor, host, port, self.home, 10.0))

    def accept(self) -> socket.socket:
        accepted, _ = self.listener.accept()
        accepted.settimeout(10)
        self.addCleanup(accepted.close)
        return accepted

    def turn(self, until: Any) -> None:
        for _ in range(1_000):
            self.reactor.turn()
            if until():
                return
        self.fail("it never came")


class Reaching(Case):
    def test_an_address_is_connected_to_at_once_and_what_is_written_waits(self) -> None:
        self.successResultOf(self.reach("127.0.0.1", self.port))
        self.home.transport.write(b"PROXY")
        peer = self.accept()
        self.reactor.turn()
        self.assertEqual(peer.recv(100), b"PROXY")
        peer.sendall(b"* OK hi\r\n")
        self.turn(lambda: self.home.received)
        self.assertEqual(self.home.received, b"* OK hi\r\n")

    def test_a_refusal_is_told_to_the_protocol(self) -> None:
        self.listener.close()
        self.successResultOf(self.reach("127.0.0.1", self.port))
        self.turn(lambda: self.home.lost)
        self.assertEqual(self.home.lost[0].type, error.ConnectionRefusedError)

    def test_both_ends_may_go_first(self) -> None:
        self.successResultOf(self.reach("127.0.0.1", self.port))
        peer = self.accept()
        self.home.transport.write(b"last")
        self.home.transport.loseConnection()
        self.assertEqual(peer.recv(100), b"last")
        self.assertEqual(peer.recv(100), b"")
        self.assertEqual(len(timers_of(self.home.transport.reactor)), 1)
        peer.close()
        self.turn(lambda: self.home.lost)
        self.assertEqual(len(timers_of(self.home.transport.reactor)), 0)

    def test_one_half_is_closed_after_what_waits(self) -> None:
        self.successResultOf(self.reach("127.0.0.1", self.port))
        peer = self.accept()
        data = b"x" * 10_000_000
        self.home.transport.write(data)
        self.home.transport.loseWriteConnection()
        received = 0
        while received < len(data):
            self.reactor.turn()
            received += len(peer.recv(1 << 20))
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual(peer.recv(1), b"")
        peer.sendall(b"answer")
        self.turn(lambda: self.home.received)
        self.assertEqual(self.home.lost, [])

    def test_leaving_is_closing_without_waiting(self) -> None:
        self.successResultOf(self.reach("127.0.0.1", self.port))
        peer = self.accept()
        self.home.transport.leave()
        self.assertEqual(len(self.home.lost), 1)
        self.assertEqual(peer.recv(1), b"")
        self.home.transport.leave()
        self.assertEqual(len(self.home.lost), 1)


class Naming(Case):
    def test_addresses_are_literals_or_asked_for(self) -> None:
        self.assertEqual(literal("192.0.2.1", 143), ((socket.AF_INET, ("192.0.2.1", 143)),))
        self.assertEqual(literal("::1", 143), ((socket.AF_INET6, ("::1", 143, 0, 0)),))
        self.assertEqual(literal("home.example", 143), ())

    def test_a_name_is_remembered_for_a_moment(self) -> None:
        resolver = self.reactor.nameResolver = Resolver(IPv4Address("TCP", "127.0.0.1", self.port))
        for _ in range(2):
            self.successResultOf(self.reach("home.example", self.port))
            self.accept()
        self.assertEqual(resolver.asked, ["home.example"])
        self.reactor.advance(KEPT_FOR)
        self.successResultOf(self.reach("home.example", self.port))
        self.assertEqual(len(resolver.asked), 2)

    def test_a_name_without_addresses_and_a_resolver_without_an_answer(self) -> None:
        self.reactor.nameResolver = Resolver()
        self.failureResultOf(self.reach("home.example", 143), error.DNSLookupError)
        names = Names(self.reactor)
        self.reactor.nameResolver.resolveHostName = lambda *_: None
        finding = Deferred.fromCoroutine(names.find("home.example", 143, 5.0))
        self.reactor.advance(5)
        self.assertIn("within 5 s", str(self.failureResultOf(finding, TimeoutError).value))

    @proves("S1")
    def test_of_several_addresses_the_next_one_is_tried(self) -> None:
        self.reactor.nameResolver = Resolver(
            IPv6Address("TCP", "::1", self.port), IPv4Address("TCP", "127.0.0.1", self.port)
        )
        reaching = self.reach("home.example", self.port)
        # Nobody listens at ::1, and that is no reason to wait.
        self.turn(lambda: reaching.called)
        self.successResultOf(reaching)
        self.accept().sendall(b"* OK\r\n")
        self.turn(lambda: self.home.received)

    def test_one_that_does_not_answer_is_not_waited_for(self) -> None:
        # What takes no more bytes looks like what is not connected yet.
        silent, other = socket.socketpair()
        self.addCleanup(other.close)
        silent.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.send(bytes(65_536))
        socks = {"192.0.2.1": silent}
        real = addresses.connecting
        self.patch(addresses, "connecting", lambda family, to: socks.get(to[0]) or real(family, to))
        found = (
            (socket.AF_INET, ("192.0.2.1", 143)),
            (socket.AF_INET, ("127.0.0.1", self.port)),
        )
        racing = Deferred.fromCoroutine(Race(self.reactor, found, 10.0).won())
        for _ in range(20):
            self.reactor.turn()
        self.assertNoResult(racing)
        self.reactor.advance(STAGGER)
        self.turn(lambda: racing.called)
        sock, address = self.successResultOf(racing)
        sock.close()
        self.assertEqual(address, ("127.0.0.1", self.port))
        self.assertEqual((self.reactor.writers, self.reactor.getDelayedCalls()), (set(), []))

    def test_when_none_answers_the_last_fault_is_told(self) -> None:
        self.listener.close()
        found = ((socket.AF_INET, ("127.0.0.1", self.port)),) * 2
        racing = Deferred.fromCoroutine(Race(self.reactor, found, 10.0).won())
        self.turn(lambda: racing.called)
        self.failureResultOf(racing, error.ConnectionRefusedError)
        self.assertEqual(self.reactor.writers, set())


class Tls(Case):
    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.certificate, self.key = make_certificate(folder)

    def serve(self) -> list[bytes]:
        """Shake hands in a thread; gives a list that what the client says is put into."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        said: list[bytes] = []

        def run() -> None:
            accepted = self.accept()
            try:
                with context.wrap_socket(accepted, server_side=True) as tls:
                    tls.sendall(b"* OK hi\r\n")
                    said.append(tls.recv(100))
                    tls.sendall(b"done\r\n")
                    said.append(tls.recv(100))
            except OSError as fault:
                said.append(str(fault).encode())

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return said

    def begin(self, host: str, trust: Trust) -> None:
        self.reactor.nameResolver = Resolver(IPv4Address("TCP", "127.0.0.1", self.port))
        self.successResultOf(self.reach(host, self.port, trust))
        self.home.transport.startTLS(None)

    @proves("S4")
    def test_a_server_that_is_believed_and_has_the_name(self) -> None:
        said = self.serve()
        self.begin("localhost", Trust.from_file(str(self.certificate)))
        self.home.transport.write(b"hello")
        self.turn(lambda: b"done" in self.home.received)
        self.assertEqual((self.home.received, self.home.shaken), (b"* OK hi\r\ndone\r\n", 1))
        self.home.transport.leave()
        self.assertEqual(said[0], b"hello")

    @proves("S4")
    def test_nothing_is_said_to_one_with_another_name(self) -> None:
        said = self.serve()
        self.begin("other.example", Trust.from_file(str(self.certificate)))
        self.home.transport.write(b"hello")
        self.turn(lambda: self.home.lost)
        self.assertIn("VerificationError", self.home.lost[0].type.__name__)
        self.turn(lambda: said)
        self.assertNotIn(b"hello", said)

    @proves("S4")
    def test_nor_to_one_that_nobody_vouches_for(self) -> None:
        said = self.serve()
        self.begin("localhost", Trust())
        self.home.transport.write(b"hello")
        self.turn(lambda: self.home.lost)
        self.turn(lambda: said)
        self.assertNotIn(b"hello", said)
        self.assertEqual(self.home.received, b"")


class Pouring(Case):
    """A literal goes from one link to another; both protocols see only what is around it."""

    def setUp(self) -> None:
        super().setUp()
        self.successResultOf(self.reach("127.0.0.1", self.port))
        self.peer = self.accept()
        self.turn(lambda: self.home.transport.connected)
        ours, self.client = socket.socketpair()
        self.addCleanup(self.client.close)
        self.down = Home()
        self.link = Link(ours, self.down, ("", 0), None, 0, self.reactor)
        self.down.transport = self.link
        self.told: list[int] = []

    def read(self, size: int) -> bytes:
        read = bytearray()
        self.client.setblocking(False)

        def there() -> bool:
            with contextlib.suppress(BlockingIOError):
                read.extend(self.client.recv(1 << 20))
            return len(read) >= size

        self.turn(there)
        return bytes(read)

    def test_all_of_it_goes_through_and_the_rest_is_told_to_the_protocol(self) -> None:
        data = bytes(range(256)) * 8192
        self.home.transport.pour(len(data), self.link, self.told.append)
        sending = threading.Thread(target=self.peer.sendall, args=(data + b")\r\n",))
        sending.start()
        self.assertEqual(self.read(len(data)), data)
        sending.join()
        self.turn(lambda: self.home.received)
        self.assertEqual(self.home.received, b")\r\n")
        self.assertEqual(sum(self.told), len(data))

    def test_it_goes_behind_what_waits(self) -> None:
        first = b"a" * 3_000_000
        self.link.write(first)
        self.home.transport.pour(5, self.link, self.told.append)
        self.peer.sendall(b"later")
        self.turn(lambda: self.told)
        self.assertEqual(self.read(len(first) + 5), first + b"later")

    def test_who_reads_slowly_is_waited_for(self) -> None:
        home = self.home.transport
        producer: Any = SimpleNamespace(
            pauseProducing=home.pauseProducing, resumeProducing=home.resumeProducing
        )
        self.link.registerProducer(producer, True)
        data = b"x" * 20_000_000
        home.pour(len(data), self.link, self.told.append)
        sending = threading.Thread(target=self.peer.sendall, args=(data,))
        sending.start()
        for _ in range(200):
            self.reactor.turn()
        self.assertLess(sum(self.told), len(data) - 1_000_000)
        self.assertEqual(len(self.read(len(data))), len(data))
        sending.join()

    def test_nothing_goes_through_once_it_is_being_closed(self) -> None:
        self.home.transport.pour(1_000, self.link, self.told.append)
        self.home.transport.loseConnection()
        self.peer.sendall(b"x" * 100)
        self.peer.close()
        self.turn(lambda: self.home.lost)
        self.assertEqual(self.told, [])

    def test_an_end_in_the_middle_is_told(self) -> None:
        self.home.transport.pour(1_000, self.link, self.told.append)
        self.peer.sendall(b"x" * 100)
        self.peer.close()
        self.turn(lambda: self.home.lost)
        self.assertEqual(self.told, [100])
        self.assertEqual(self.home.received, b"")

    def test_a_client_that_has_gone_is_no_trouble(self) -> None:
        self.link.abortConnection()
        self.home.transport.pour(100, self.link, self.told.append)
        self.peer.sendall(b"x" * 100)
        self.turn(lambda: self.told)
        self.assertEqual(self.told, [100])
