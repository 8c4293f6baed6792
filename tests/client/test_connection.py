"""One connection to a server: what is sent, what comes back, and what must not happen."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.connection import SLOWEST, ImapConnection
from referrald.client.replies import ConnectionEnded, Literal, NotAccepted, Reply, text_argument
from referrald.client.secretwords import SecretWords
from tests.proves import proves


class Transport(StringTransport):
    """Remembers TLS and how it ended."""

    tls: Any = None
    aborted = False

    def startTLS(self, options: Any) -> None:
        self.tls = options

    def abortConnection(self) -> None:
        self.aborted = True


class ConnectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = Transport()
        self.connection = ImapConnection(self.clock)
        self.connection.makeConnection(self.transport)

    def begin(self, work: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(work)

    def sent(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def say(self, *lines: bytes) -> None:
        self.connection.dataReceived(b"".join(line + b"\r\n" for line in lines))

    def greet(self, text: bytes = b"[CAPABILITY IMAP4rev1] hi") -> None:
        self.say(b"* OK " + text)
        self.assertTrue(self.successResultOf(self.begin(self.connection.greeting())).ok)


class Patience(ConnectionCase):
    def test_the_answer_to_a_large_message_has_the_time_that_it_takes_to_send(self) -> None:
        self.greet(b"[CAPABILITY IMAP4rev1 LITERAL+] hi")
        message = Literal(b"x" * 100 * SLOWEST)
        waiting = self.begin(self.connection.command("APPEND", text_argument("box"), message))
        self.clock.advance(self.connection.patience + 99)
        self.assertTrue(self.connection.busy)
        self.assertNoResult(waiting)
        self.clock.advance(2)
        self.failureResultOf(waiting, ConnectionEnded)
        self.assertFalse(self.connection.busy)

    @proves("S4")
    def test_good_byes_that_repeat_the_password_do_not_show_it(self) -> None:
        self.greet()
        self.connection.hide = SecretWords("alice", "hunter2").hide
        waiting = self.begin(self.connection.command("NOOP"))
        self.say(b"* BYE " + b"x" * 195 + b" hunter2")
        self.connection.connectionLost(Failure(ConnectionDone()))
        error = self.failureResultOf(waiting, ConnectionEnded)
        self.assertNotIn("hunt", str(error.value))


class Greeting(ConnectionCase):
    def test_whoever_greets_tells_what_is_offered(self) -> None:
        waiting = self.begin(self.connection.greeting())
        self.say(b"* OK [CAPABILITY IMAP4rev1 literal+] hi")
        reply = self.successResultOf(waiting)
        self.assertEqual(reply, Reply(kind="OK", text=b"[CAPABILITY IMAP4rev1 literal+] hi"))
        self.assertEqual(self.connection.capabilities, {"IMAP4REV1", "LITERAL+"})

    def test_a_greeting_that_came_before_it_was_awaited(self) -> None:
        self.say(b"* BYE [REFERRAL imap://;AUTH=*@h/] go", b"* NO more")
        self.assertEqual(self.successResultOf(self.begin(self.connection.greeting())).kind, "BYE")

    def test_who_does_not_greet_is_given_up(self) -> None:
        for line in (b"* CAPABILITY x", b"220 smtp ready", b"", b"a1 OK"):
            self.setUp()
            waiting = self.begin(self.connection.greeting())
            self.say(line)
            self.failureResultOf(waiting, ConnectionEnded)
            self.assertTrue(self.transport.aborted)
        self.setUp()
        waiting = self.begin(self.connection.greeting())
        self.clock.advance(30)
        failure = self.failureResultOf(waiting, ConnectionEnded)
        self.assertIn("30 s", str(failure.value))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Commands(ConnectionCase):
    def setUp(self) -> None:
        super().setUp()
        self.greet()

    def test_a_command_gets_its_answer_and_what_came_before(self) -> None:
        waiting = self.begin(self.connection.command("SELECT", text_argument("a b")))
        self.assertEqual(self.sent(), b'a1 SELECT "a b"\r\n')
        self.say(b"* 3 EXISTS", b"* FLAGS {2}", b"() x", b"a1 OK [READ-WRITE] done")
        reply = self.successResultOf(waiting)
        self.assertEqual(reply.text, b"[READ-WRITE] done")
        self.assertEqual([each.kind for each in reply.untagged], [b"EXISTS", b"FLAGS"])
        self.assertEqual(reply.untagged[1].segments, (b"FLAGS ", b"()", b" x"))

    def test_the_next_waits_for_its_turn(self) -> None:
        first = self.begin(self.connection.command("NOOP"))
        second = self.begin(self.connection.command("CHECK"))
        self.assertEqual(self.sent(), b"a1 NOOP\r\n")
        self.say(b"a1 NO not now")
        self.assertEqual(self.successResultOf(first).kind, "NO")
        self.assertEqual(self.sent(), b"a2 CHECK\r\n")
        self.say(b"a2 OK")
        self.assertTrue(self.successResultOf(second).ok)

    @proves("S3")
    def test_a_literal_is_sent_when_the_server_wants_it(self) -> None:
        waiting = self.begin(self.connection.command("LOGIN", b"u", Literal("pä".encode())))
        self.assertEqual(self.sent(), b"a1 LOGIN u {3}\r\n")
        self.say(b"+ go")
        self.assertEqual(self.sent(), "pä\r\n".encode())
        self.say(b"a1 OK")
        self.assertTrue(self.successResultOf(waiting).ok)

    def test_a_server_may_refuse_before_it_comes(self) -> None:
        waiting = self.begin(self.connection.command("APPEND", b"x", Literal(b"hello")))
        self.sent()
        self.say(b"a1 NO [REFERRAL imap://u;AUTH=*@h/x] elsewhere")
        self.assertEqual(self.successResultOf(waiting).kind, "NO")
        self.assertEqual(self.sent(), b"")

    def test_literals_go_unasked_where_that_is_offered(self) -> None:
        for offered, size, plus in (
            ("LITERAL+", 9000, 1),
            ("LITERAL-", 9000, 0),
            ("LITERAL-", 9, 1),
        ):
            self.connection.capabilities = frozenset({offered})
            self.begin(self.connection.command("X", Literal(b"x" * size))).addErrback(
                lambda _: None
            )
            self.assertEqual(self.sent().count(b"+}"), plus, (offered, size))
            self.setUp()

    def test_a_connection_that_ends_ends_what_is_awaited_and_what_comes_later(self) -> None:
        waiting = self.begin(self.connection.command("NOOP"))
        self.say(b"* BYE going down")
        self.connection.connectionLost()
        failure = self.failureResultOf(waiting, ConnectionEnded)
        self.assertIn("going down", str(failure.value))
        self.failureResultOf(self.begin(self.connection.command("NOOP")), ConnectionEnded)

    def test_who_stops_waiting_is_no_fault_of_the_server(self) -> None:
        waiting = self.begin(self.connection.command("NOOP"))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_why_it_was_lost_is_told(self) -> None:
        waiting = self.begin(self.connection.command("NOOP"))
        self.connection.connectionLost(Failure(ConnectionLost("bad certificate")))
        self.assertIn("bad certificate", str(self.failureResultOf(waiting, ConnectionEnded).value))

    @proves("S2")
    def test_what_is_no_imap_ends_it(self) -> None:
        for data in (
            b"a9 OK\r\n",
            b"x" * 70_000,
            b"* X {99999999}\r\n",
            b"a1 PREAUTH x\r\n",
            b"\r\n",
        ):
            self.setUp()
            waiting = self.begin(self.connection.command("NOOP"))
            self.connection.dataReceived(data)
            self.failureResultOf(waiting, ConnectionEnded)
            self.assertTrue(self.transport.aborted)


class Login(ConnectionCase):
    def log_in(self, capabilities: bytes, user: str = "u", password: str = "p") -> Deferred[Any]:
        self.greet(b"[CAPABILITY IMAP4rev1 %b] hi" % capabilities)
        return self.begin(self.connection.login(user, password))

    def test_plain_at_once_and_in_two_steps(self) -> None:
        waiting = self.log_in(b"AUTH=PLAIN SASL-IR")
        self.assertEqual(self.sent(), b"a1 AUTHENTICATE PLAIN AHUAcA==\r\n")
        self.say(b"a1 OK [CAPABILITY IMAP4rev1 IDLE] in")
        self.assertTrue(self.successResultOf(waiting).ok)
        self.assertEqual(self.connection.user, "u")
        self.assertEqual(self.connection.capabilities, {"IMAP4REV1", "IDLE"})
        self.setUp()
        for greeting in (b"+ ", b"+", b"+ text"):
            self.setUp()
            waiting = self.log_in(b"AUTH=PLAIN")
            self.assertEqual(self.sent(), b"a1 AUTHENTICATE PLAIN\r\n")
            self.say(greeting)
            self.assertEqual(self.sent(), b"AHUAcA==\r\n")
            self.say(b"a1 NO wrong")
            self.assertEqual(self.successResultOf(waiting).kind, "NO")
            self.assertEqual(self.connection.user, "")

    def test_the_command_where_there_is_no_plain(self) -> None:
        waiting = self.log_in(b"", "a b", 'p]"x')
        self.assertEqual(self.sent(), b'a1 LOGIN "a b" "p]\\"x"\r\n')
        self.say(b"a1 OK")
        self.assertTrue(self.successResultOf(waiting).ok)

    def test_not_where_login_is_disabled(self) -> None:
        waiting = self.log_in(b"LOGINDISABLED STARTTLS")
        self.failureResultOf(waiting, NotAccepted)
        self.assertEqual(self.sent(), b"")

    def test_tokens_in_both_mechanisms(self) -> None:
        for mechanism, error in ((b"OAUTHBEARER", b"AQ=="), (b"XOAUTH2", b"")):
            self.setUp()
            self.greet(b"[CAPABILITY IMAP4rev1 AUTH=%b SASL-IR] hi" % mechanism)
            waiting = self.begin(self.connection.bearer("u,=", "token"))
            self.assertTrue(self.sent().startswith(b"a1 AUTHENTICATE %b " % mechanism))
            self.say(b"+ eyJzdGF0dXMiOiI0MDAifQ==")
            self.assertEqual(self.sent(), error + b"\r\n")
            self.say(b"a1 NO")
            self.assertEqual(self.successResultOf(waiting).kind, "NO")
        self.setUp()
        self.greet()
        self.failureResultOf(self.begin(self.connection.bearer("u", "t")), NotAccepted)

    @proves("S4")
    def test_no_password_is_in_a_repr(self) -> None:
        self.assertNotIn("hunter2", repr([Literal(b"hunter2"), text_argument("hunt\u00e9r2")]))


class Tls(ConnectionCase):
    @proves("L11")
    def test_what_was_learnt_in_the_clear_is_forgotten(self) -> None:
        self.greet(b"[CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi")
        options = object()
        waiting = self.begin(self.connection.start_tls(options))
        self.say(b"a1 OK begin")
        self.successResultOf(waiting)
        self.assertIs(self.transport.tls, options)
        self.assertEqual(
            (self.connection.secure, self.connection.capabilities), (True, frozenset())
        )

    @proves("L11")
    def test_what_is_slipped_in_behind_the_answer_ends_it(self) -> None:
        for more in (b"* CAPABILITY AUTH=EVIL\r\n", b"* OK par"):
            self.setUp()
            self.greet(b"[CAPABILITY IMAP4rev1 STARTTLS] hi")
            waiting = self.begin(self.connection.start_tls(object()))
            self.connection.dataReceived(b"a1 OK begin\r\n" + more)
            self.failureResultOf(waiting, ConnectionEnded)
            self.assertIsNone(self.transport.tls)

    def test_a_server_that_will_not(self) -> None:
        self.greet()
        waiting = self.begin(self.connection.start_tls(object()))
        self.say(b"a1 BAD what")
        self.failureResultOf(waiting, NotAccepted)
        self.assertIsNone(self.transport.tls)
