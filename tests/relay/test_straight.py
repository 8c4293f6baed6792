"""The short way to log in, and where it ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import AuthenticationFailed, Unavailable
from referrald.model import RelayOrder, Security, Server
from referrald.relay.connector import RelayConnector
from referrald.relay.outgoing import timers_of
from referrald.relay.settings import RelaySettings
from referrald.relay.splice import Splice
from tests.proves import proves

SERVER = Server(host="home.example", security=Security.CLEAR)
ORDER = RelayOrder(servers=(SERVER,), user="al", password="secret")
GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n"
COMMAND = b"a1 AUTHENTICATE PLAIN AGFsAHNlY3JldA==\r\n"
IN = b"a1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"


class Line(StringTransport):
    """A transport that knows its protocol, as links do."""

    protocol: Any = None
    tls: Any = None

    def startTLS(self, options: Any) -> None:
        self.tls = options


class Down:
    """Takes what home says."""

    def __init__(self) -> None:
        self.said = b""
        self.ended = False

    def relay_data(self, data: bytes) -> None:
        self.said += data

    def relay_ended(self) -> None:
        self.ended = True

    def relay_held(self, held: bool) -> None:
        pass


class Reach:
    """Connects at once, or as if a name had to be looked up before."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.names: list[Deferred[None]] = []
        self.waits = False

    def at_once(self, host: str, port: int, protocol: Any) -> bool:
        if self.waits:
            return False
        self.connect(protocol)
        return True

    async def __call__(
        self, reactor: Any, host: str, port: int, protocol: Any, patience: float
    ) -> None:
        if self.waits:
            self.names.append(Deferred())
            await self.names[-1]
        self.connect(protocol)

    def connect(self, protocol: Any) -> None:
        self.lines.append(Line())
        self.lines[-1].protocol = protocol
        protocol.makeConnection(self.lines[-1])


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reach = Reach()
        self.settings = RelaySettings(allowed=("*.example",))

    def open(self, order: RelayOrder = ORDER) -> Deferred[Splice]:
        self.connector = RelayConnector(self.clock, self.settings, reach=self.reach)
        return Deferred.fromCoroutine(self.connector.open(order))

    @property
    def line(self) -> Line:
        return self.reach.lines[-1]

    def hear(self, data: bytes) -> bytes:
        """Have the server say something; give what it is told for that."""
        self.line.clear()
        self.line.protocol.dataReceived(data)
        return self.line.value()

    def lose(self, error: Exception) -> None:
        self.line.protocol.connectionLost(Failure(error))


class Straight(Case):
    @proves("S3")
    def test_greeting_login_and_bytes_both_ways(self) -> None:
        opening = self.open()
        self.assertEqual(self.hear(GREETING), COMMAND)
        self.hear(IN)
        spliced = self.successResultOf(opening)
        self.assertEqual(spliced.capabilities, b"IMAP4rev1 IDLE")
        self.assertEqual(spliced.target, "home.example:143")
        down = Down()
        spliced.attach(down)
        self.hear(b"* 1 EXISTS\r\n")
        spliced.write(b"b NOOP\r\n")
        self.assertEqual((down.said, self.line.value()), (b"* 1 EXISTS\r\n", b"b NOOP\r\n"))
        self.assertEqual(len(timers_of(self.clock)), 0)

    def test_it_may_come_in_pieces(self) -> None:
        opening = self.open()
        self.assertEqual(self.hear(GREETING[:20]), b"")
        self.assertEqual(self.hear(GREETING[20:]), COMMAND)
        self.hear(b"* CAPABILITY IMAP4rev1 IDLE X\r\n")
        self.assertNoResult(opening)
        self.hear(b"a1 OK")
        self.assertNoResult(opening)
        self.hear(b" in\r\n")
        self.assertEqual(self.successResultOf(opening).capabilities, b"IMAP4rev1 IDLE X")

    def test_what_comes_before_anybody_is_there_is_not_lost(self) -> None:
        opening = self.open()
        self.hear(GREETING)
        self.hear(IN)
        self.hear(b"* 1 EXISTS\r\n")
        self.lose(ConnectionDone())
        down = Down()
        self.successResultOf(opening).attach(down)
        self.assertEqual((down.said, down.ended), (b"* 1 EXISTS\r\n", True))

    def test_tls_first_where_the_server_is_such(self) -> None:
        server = Server(host="home.example", port=993, security=Security.TLS)
        opening = self.open(RelayOrder(servers=(server,), user="al", password="secret"))
        self.assertIsNotNone(self.line.tls)
        # There is TLS already.
        self.assertEqual(self.hear(GREETING.replace(b"SASL-IR", b"SASL-IR STARTTLS")), COMMAND)
        self.hear(IN)
        self.successResultOf(opening)

    def test_a_name_that_has_to_be_looked_up_before(self) -> None:
        self.reach.waits = True
        opening = self.open()
        self.reach.names[-1].callback(None)
        self.assertEqual(self.hear(GREETING), COMMAND)
        self.hear(IN)
        self.successResultOf(opening)

    @proves("S4")
    def test_nothing_of_the_login_is_kept_with_the_session(self) -> None:
        opening = self.open()
        self.hear(GREETING)
        self.hear(IN)
        spliced = self.successResultOf(opening)
        spliced.attach(Down())
        self.assertIsNone(spliced._connection)


class Otherwise(Case):
    """The library goes on where it is no straight way; what was said is not said again."""

    def finish(self, opening: Deferred[Splice]) -> Splice:
        self.hear(IN.replace(b"a1", b"a2"))
        return self.successResultOf(opening)

    def test_a_server_that_does_not_tell_what_it_offers_is_asked(self) -> None:
        opening = self.open()
        self.assertEqual(self.hear(b"* OK hi\r\n"), b"a1 CAPABILITY\r\n")
        asked = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\na1 OK done\r\n"
        self.assertEqual(self.hear(asked), COMMAND.replace(b"a1", b"a2"))
        self.finish(opening)

    def test_starttls_comes_before_the_password(self) -> None:
        opening = self.open()
        said = self.hear(GREETING.replace(b"SASL-IR", b"SASL-IR STARTTLS"))
        self.assertEqual(said, b"a1 STARTTLS\r\n")
        self.hear(b"a1 OK go\r\n")
        self.assertIsNotNone(self.line.tls)
        self.assertNoResult(opening)
        opening.cancel()
        self.failureResultOf(opening)

    def test_a_refusal_is_one_and_the_password_went_there_once(self) -> None:
        opening = self.open()
        self.assertEqual(self.hear(GREETING), COMMAND)
        self.assertEqual(self.hear(b"a1 NO [AUTHENTICATIONFAILED] no\r\n"), b"")
        self.assertEqual(self.line.value(), b"")
        self.failureResultOf(opening, AuthenticationFailed)
        self.assertEqual(len(self.reach.lines), 1)

    def test_alerts_and_other_data_are_kept_for_the_client(self) -> None:
        opening = self.open()
        self.hear(GREETING)
        self.hear(b"* OK [ALERT] full\r\n" + IN)
        self.assertEqual(self.successResultOf(opening).early(), b"* OK [ALERT] full\r\n")
        opening = self.open()
        self.hear(GREETING)
        self.hear(b"* CAPABILITY IMAP4rev1\r\na1 OK [ALERT] hear this\r\n")
        self.assertIn(b"hear this", self.successResultOf(opening).early())

    def test_a_continuation_is_answered(self) -> None:
        opening = self.open()
        self.hear(GREETING)
        self.assertEqual(self.hear(b"+ eyJzIjoiNDAxIn0=\r\n"), b"\r\n")
        self.hear(b"a1 NO no\r\n")
        self.failureResultOf(opening, AuthenticationFailed)

    def test_a_referral_is_followed_over_a_new_connection(self) -> None:
        self.settings = RelaySettings(allowed=("*.example",), allow_clear=("*.example",))
        opening = self.open()
        self.hear(GREETING)
        said = self.hear(b"a1 NO [REFERRAL imap://al;AUTH=*@moved.example/] go\r\n")
        self.assertEqual(said, b"a2 LOGOUT\r\n")
        self.hear(b"a2 OK bye\r\n")
        self.assertEqual(len(self.reach.lines), 2)
        self.assertEqual(self.hear(GREETING), COMMAND)
        self.hear(IN)
        self.assertEqual(self.successResultOf(opening).target, "moved.example:143")

    @proves("S1")
    def test_servers_that_are_silent_or_close_are_unavailable_and_say_why(self) -> None:
        for before, words in ((b"", "did not answer"), (GREETING, "did not answer")):
            opening = self.open()
            if before:
                self.hear(before)
            self.clock.advance(self.settings.timeout + 1)
            self.assertIn(words, str(self.failureResultOf(opening, Unavailable).value))
            self.assertTrue(self.line.disconnected)
        for error, words in (
            (ConnectionRefusedError(), "refused"),
            (ConnectionDone(), "closed the connection"),
        ):
            for before in (b"", GREETING):
                opening = self.open()
                if before:
                    self.hear(before)
                self.lose(error)
                self.assertIn(words, str(self.failureResultOf(opening, Unavailable).value))

    def test_each_answer_has_its_own_time(self) -> None:
        opening = self.open()
        self.clock.advance(self.settings.timeout - 2)
        self.hear(GREETING)
        self.clock.advance(self.settings.timeout - 2)
        self.hear(IN)
        self.successResultOf(opening)

    def test_a_client_that_goes_away_takes_the_connection_with_it(self) -> None:
        opening = self.open()
        self.hear(GREETING)
        opening.cancel()
        self.failureResultOf(opening)
        self.assertTrue(self.line.disconnected)
        self.assertEqual(len(timers_of(self.clock)), 0)
        self.assertEqual(self.connector.circuit.resting, 0)

    def test_a_connection_that_nobody_goes_on_with_is_closed(self) -> None:
        opening = self.open()
        self.hear(GREETING)
        # Others have found out meanwhile that the server is down.
        admission = self.connector.circuit.admit(SERVER)
        assert admission is not None
        admission.failed("refused")
        self.hear(b"a1 NO no such password\r\n")
        self.failureResultOf(opening, Unavailable)
        self.assertTrue(self.line.disconnecting)

    def test_the_next_server_when_the_first_one_fails(self) -> None:
        second = Server(host="second.example", security=Security.CLEAR)
        opening = self.open(RelayOrder(servers=(SERVER, second), user="al", password="secret"))
        self.lose(ConnectionRefusedError())
        self.assertEqual(self.hear(GREETING), COMMAND)
        self.hear(IN)
        self.assertEqual(self.successResultOf(opening).target, "second.example:143")

    def test_words_without_end_are_no_login(self) -> None:
        opening = self.open()
        self.hear(b"* OK " + b"x" * 70_000)
        self.failureResultOf(opening, Unavailable)
