"""Why a certificate is not believed, by real handshakes in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.connection import ImapConnection
from referrald.client.replies import ConnectionEnded
from referrald.client.transport import Trust
from referrald.ctl.watching import WatchedTrust
from tests.client.net import Net, Pipe
from tests.proves import proves

HOST = "home.example"


class Maker:
    """Makes certificates that one authority signs."""

    def __init__(self, name: str = "Authority") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.pem = (
            self.builder(self.key.public_key(), self.name, -1, 30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
            .decode("ascii")
        )

    def builder(
        self, public: Any, subject: x509.Name, since: int, until: int
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=since))
            .not_valid_after(now + timedelta(days=until))
        )

    def server(
        self, *names: str | IPv4Address, since: int = -1, until: int = 30
    ) -> CertificateOptions:
        """Give what a server with these names begins TLS with."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Server")])
        builder = self.builder(key.public_key(), subject, since, until)
        if names:
            listed = x509.SubjectAlternativeName(
                x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name)
                for name in names
            )
            builder = builder.add_extension(listed, critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        return CertificateOptions(privateKey=key, certificate=signed)


class Greeter(Protocol):
    """Says hello."""

    def connectionMade(self) -> None:
        self.transport.write(b"* OK hi\r\n")  # type: ignore[union-attr]


class Wire(Pipe):
    """A pipe that, once let go of, brings nothing more, and tells its own end."""

    own: Any = None

    def write(self, data: bytes) -> None:
        """Have bytes delivered, unless the other end is gone by then."""
        other = self.other
        self.queue.append(lambda: None if other.transport.gone else other.dataReceived(data))

    def loseConnection(self) -> None:
        """Have both ends told."""
        if not self.gone:
            self.gone = self.other.transport.gone = True
            for end in (self.own, self.other):
                self.queue.append(lambda end=end: end.connectionLost(connectionDone))

    abortConnection = loseConnection


class Watching(SynchronousTestCase):
    def setUp(self) -> None:
        self.maker = Maker()
        self.host = HOST
        self.trust = WatchedTrust(inner=Trust(certificates=(self.maker.pem,)))

    def greeting(self, options: CertificateOptions) -> Any:
        """Connect to a server; gives its greeting, or raises why there is none."""
        self.trust.faults.clear()
        net = Net()
        ours, theirs = Wire(net._queue), Wire(net._queue)

        def wrapped(make: Callable[[], Any], options: Any, client: bool) -> Any:
            factory = TLSMemoryBIOFactory(options, client, Factory.forProtocol(make), net.clock)
            return factory.buildProtocol(None)

        connection = ImapConnection(net.clock, secure=True)
        client = wrapped(lambda: connection, self.trust.options(self.host), True)
        server = wrapped(Greeter, options, False)
        ours.own, theirs.own = client, server
        ours.other, theirs.other = server, client
        client.makeConnection(ours)
        server.makeConnection(theirs)
        return net.drive(connection.greeting())

    def fault(self, options: CertificateOptions) -> str:
        with self.assertRaises(ConnectionEnded) as caught:
            self.greeting(options)
        self.assertIsInstance(caught.exception.__cause__, SSL.Error)
        return self.trust.fault

    @proves("L12")
    def test_a_good_certificate_is_believed(self) -> None:
        self.assertEqual(self.greeting(self.maker.server(HOST)).text, b"hi")
        self.assertEqual(self.trust.faults, [])

    @proves("L12")
    def test_one_for_another_name_is_not(self) -> None:
        self.assertEqual(self.fault(self.maker.server("a.test", "b.test")), "is for a.test, b.test")

    def test_of_many_names_some_are_told(self) -> None:
        names = [f"{letter}.test" for letter in "abcdefg"]
        said = "is for a.test, b.test, c.test, d.test, e.test and 2 more"
        self.assertEqual(self.fault(self.maker.server(*names)), said)

    def test_one_without_a_name_is_not(self) -> None:
        self.assertEqual(self.fault(self.maker.server()), "is for no host name")

    @proves("L12")
    def test_one_whose_time_is_over_or_has_not_come_is_not(self) -> None:
        self.assertEqual(self.fault(self.maker.server(HOST, since=-9, until=-1)), "has expired")
        self.assertEqual(self.fault(self.maker.server(HOST, since=1)), "is not valid yet")

    @proves("L12")
    def test_one_of_another_authority_is_not(self) -> None:
        said = "is signed by an authority that is not believed"
        self.assertEqual(self.fault(Maker("Another").server(HOST)), said)
        said = "is not believed (OpenSSL: 7)"
        self.assertEqual(self.fault(Maker().server(HOST)), said)

    @proves("L12")
    def test_an_address_has_to_be_in_it_as_one(self) -> None:
        self.host = "192.0.2.1"
        self.assertEqual(self.fault(self.maker.server("192.0.2.1")), "is for 192.0.2.1")
        address = ip_address("192.0.2.1")
        self.assertEqual(self.greeting(self.maker.server(address)).text, b"hi")
