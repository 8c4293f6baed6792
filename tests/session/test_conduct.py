"""How a session behaves whatever is thrown at it."""

from __future__ import annotations

from base64 import b64encode

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Limits
from referrald.session.builtin import standard_table
from referrald.session.table import ANY, CommandSpec
from referrald.wire import grammar
from tests.proves import proves
from tests.session.support import House, Passwords

PLAIN_FORM = b"a LOGIN alice secret\r\n"


class OneAtATime(SynchronousTestCase):
    @proves("S3", "base:pipelining")
    def test_pipelined_commands_get_the_answers_of_one_by_one(self) -> None:
        lines = [
            b"1 CAPABILITY",
            b"2 LOGIN alice secret",
            b"3 NOOP",
            b"4 LOGIN bob secret",
            b'5 LIST "" *',
            b"6 SELECT INBOX",
            b"7 UNSELECT",
            b"8 LOGIN bob secret",
            b"9 LOGOUT",
            b"10 NOOP",
        ]
        slow = House().connect()
        slow.read()
        one_by_one = b"".join(slow.say(line + b"\r\n") for line in lines)
        fast = House().connect()
        fast.read()
        self.assertEqual(fast.say(b"\r\n".join(lines) + b"\r\n"), one_by_one)
        self.assertTrue(fast.closed)

    @proves("S3", "base:pipelining")
    def test_a_command_behind_a_slow_login_waits_for_the_new_state(self) -> None:
        held: Deferred[None] = Deferred()
        passwords = Passwords()
        passwords.held = held
        client = House(authenticator=passwords).connect()
        client.read()
        self.assertEqual(client.say(b"a LOGIN bob secret\r\nb SELECT INBOX\r\n"), b"")
        held.callback(None)
        answer = client.read()
        self.assertIn(b"b OK [READ-WRITE]", answer)
        self.assertLess(answer.index(b"a OK"), answer.index(b"b OK"))

    @proves("S3", "base:LITERAL+/LITERAL-", "base:SASL-IR", "base:quoted strings")
    def test_every_form_of_a_login_gets_the_same_answer(self) -> None:
        expected = self._answer(PLAIN_FORM)
        for form in (
            b'a LOGIN "alice" "secret"\r\n',
            b"a login alice secret\r\n",
            b"a LOGIN {5+}\r\nalice {6+}\r\nsecret\r\n",
            b'a LOGIN "al\\\\ice" secret\r\n'.replace(b"\\\\", b""),
        ):
            self.assertEqual(self._answer(form), expected, form)
        for cut in range(1, len(PLAIN_FORM)):
            client = House().connect()
            client.read()
            parts = client.say(PLAIN_FORM[:cut]) + client.say(PLAIN_FORM[cut:])
            self.assertEqual(parts, expected)

    @proves("S3")
    def test_a_synchronising_literal_is_asked_for(self) -> None:
        client = House().connect()
        client.read()
        self.assertTrue(client.say(b"a LOGIN {5}\r\n").startswith(b"+ "))
        self.assertTrue(client.say(b"alice {6}\r\n").startswith(b"+ "))
        self.assertEqual(client.say(b"secret\r\n"), self._answer(PLAIN_FORM))

    def _answer(self, data: bytes) -> bytes:
        client = House().connect()
        client.read()
        return client.say(data)

    @proves("S3")
    def test_odd_passwords_arrive_as_they_were_typed(self) -> None:
        passwords = {
            b'"p\\"w"': b'p"w',
            b'"p\\\\w"': b"p\\w",
            b'"blub%e9blub"': b"blub%e9blub",
            '"j\u00fcrgen"'.encode(): "j\u00fcrgen".encode(),
            b'"j\xfcrgen"': b"j\xfcrgen",
            b"{2+}\r\n\xff\xfe": b"\xff\xfe",
            b'"{5}"': b"{5}",
            b'""': b"",
        }
        for typed, meant in passwords.items():
            house = House()
            house.connect().say(b"a LOGIN user " + typed + b"\r\n")
            self.assertEqual(house.authenticator.seen, [("user", meant)])

    def test_a_user_name_can_hold_a_star_a_space_and_letters_of_any_script(self) -> None:
        names = {
            b'"a b"': "a b",
            b'"*@my-name.com"': "*@my-name.com",
            '"j\u00fcrgen"'.encode(): "j\u00fcrgen",
        }
        for typed, meant in names.items():
            house = House()
            house.connect().say(b"a LOGIN " + typed + b" pw\r\n")
            self.assertEqual(house.authenticator.seen, [(meant, b"pw")])
        self.assertIn(b"a BAD", House().connect().say(b"a LOGIN *@my-name.com pw\r\n"))


class BadInput(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House(limits=Limits(bad_commands=1000, failure_delay=0.0))
        self.client = self.house.connect()
        self.client.read()

    def still_alive(self) -> None:
        self.assertEqual(self.client.say(b"z NOOP\r\n"), b"z OK Nothing done.\r\n")

    @proves("S2", "base:one bad command kills the connection")
    def test_malformed_commands_are_bad_with_their_tag_and_the_connection_goes_on(self) -> None:
        for line in (
            b"a",
            b"a ",
            b"a LOGIN",
            b"a LOGIN alice",
            b"a LOGIN alice secret more",
            b"a LOGIN alice  secret",
            b'a LOGIN "alice secret',
            b'a LOGIN alice "sec\\ret"',
            b"a LOGIN (alice secret)",
            b"a NOOP now",
            b"a NOOP ",
            b"a XYZZY",
            b"a SELECT INBOX",
            b"a LOGIN {-1}",
            b"a LOGIN {1_0}",
            b"a LOGIN {99999999999999}",
            b"a LOGIN {+}",
            b"a AUTHENTICATE",
            b"a AUTHENTICATE PLAIN !!!!",
            b"a AUTHENTICATE PLAIN " + b64encode(b"none"),
            b"a ID (",
            b"a STARTTLS now",
        ):
            answer = self.client.ask(line)
            self.assertEqual(len(answer), 1, (line, answer))
            self.assertTrue(answer[0].startswith((b"a BAD ", b"* BAD ")), (line, answer))
            self.still_alive()
        self.assertEqual(self.house.notes.faults, [])

    @proves("S2", "S5")
    def test_nul_and_eight_bit_are_answered_without_being_echoed(self) -> None:
        for data in (
            b"a \xff\r\n",
            b"\xff NOOP\r\n",
            b"a NO\0OP\r\n",
            b"\0\r\n",
            b"a LOGIN \xfc x\r\n",
        ):
            answer = self.client.say(data)
            self.assertRegex(answer, rb"\A(a|\*) BAD [ -~]+\r\n\Z")
            self.still_alive()

    @proves("S2")
    def test_a_refused_literal_is_not_run_as_a_command(self) -> None:
        answer = self.client.say(b"a LOGIN {99999+}\r\nb LOGOUT\r\n")
        self.assertNotIn(b"b ", answer)
        answer = self.house.connect().say(b"a XYZZY {10+}\r\nb LOGOUT\r\nc NOOP\r\n")
        self.assertNotIn(b"b ", answer.partition(b"\r\n")[2])

    @proves("S2")
    def test_a_wrong_state_runs_nothing(self) -> None:
        self.assertIn(b"a BAD", self.client.say(b"a ENABLE CONDSTORE\r\n"))
        self.client.say(b"b LOGIN bob secret\r\n")
        self.assertIn(b"c BAD", self.client.say(b"c LOGIN alice secret\r\n"))
        self.assertIn(b"d BAD", self.client.say(b"d STARTTLS\r\n"))
        self.assertIn(b"e BAD", self.client.say(b"e UNSELECT\r\n"))

    @proves("S2")
    def test_ten_thousand_commands_in_one_write_are_all_answered_in_order(self) -> None:
        answer = self.client.say(b"".join(b"t%d NOOP\r\n" % n for n in range(10_000)))
        expected = b"".join(b"t%d OK Nothing done.\r\n" % n for n in range(10_000))
        self.assertEqual(answer, expected)

    @proves("S2", "base:line length")
    def test_a_line_without_an_end_is_a_bye_with_the_reason(self) -> None:
        answer = self.client.say(b"a LOGIN " + b"x" * 70_000)
        self.assertRegex(answer, rb"\A\* BYE [ -~]+\r\n\Z")
        self.assertTrue(self.client.closed)
        self.assertEqual(len(self.house.notes.lines), 1)

    @proves("base:AUTH cancel")
    def test_a_star_cancels_an_exchange(self) -> None:
        self.client.ask(b"a AUTHENTICATE PLAIN")
        self.assertEqual(self.client.ask(b"*"), [b"a BAD Authentication exchange cancelled."])
        self.still_alive()

    @proves("S2", "base:one bad command kills the connection")
    def test_a_handler_that_breaks_is_a_serverbug_and_shows_nothing_of_the_fault(self) -> None:
        async def breaks(session: object) -> None:
            raise RuntimeError("sekrit detail\r\n* BYE")

        spec = CommandSpec(name="XBREAK", states=ANY, grammar=grammar.no_args, handler=breaks)
        house = House(table=standard_table([spec]))
        client = house.connect()
        client.read()
        answer = client.ask(b"a XBREAK")
        self.assertEqual(answer, [b"a NO [SERVERBUG] Internal error, please try again later."])
        self.assertEqual(len(house.notes.faults), 1)
        self.assertTrue(client.ask(b"b NOOP")[0].startswith(b"b OK"))


class LimitsHold(SynchronousTestCase):
    @proves("S2", "base:DoS limits")
    def test_too_many_bad_commands_end_in_a_bye(self) -> None:
        house = House(limits=Limits(bad_commands=3))
        client = house.connect()
        client.read()
        answer = client.say(b"a X\r\nb X\r\nc X\r\nd NOOP\r\n")
        self.assertIn(b"c BAD", answer)
        self.assertTrue(answer.endswith(b"* BYE Too many bad commands.\r\n"), answer)
        self.assertTrue(client.closed)
        self.assertEqual(len(house.notes.lines), 1)

    @proves("S2", "base:DoS limits")
    def test_a_client_that_does_not_log_in_is_sent_away_whatever_it_does(self) -> None:
        house = House(limits=Limits(auth_time=60.0))
        client = house.connect()
        for _ in range(59):
            house.clock.advance(1)
            client.ask(b"a NOOP")
        self.assertFalse(client.closed)
        house.clock.advance(1)
        self.assertEqual(client.read(), b"* BYE Too slow to log in.\r\n")
        self.assertTrue(client.closed)

    @proves("S2", "base:DoS limits")
    def test_failed_logins_wait_for_their_answer_and_end_in_a_bye(self) -> None:
        house = House(limits=Limits(login_failures=2, failure_delay=3.0))
        client = house.connect()
        client.read()
        self.assertEqual(client.say(b"a LOGIN alice wrong\r\n"), b"")
        house.clock.advance(2.9)
        self.assertEqual(client.read(), b"")
        house.clock.advance(0.2)
        self.assertEqual(client.read(), b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n")
        client.say(b"b AUTHENTICATE PLAIN " + b64encode(b"\0x\0y") + b"\r\n")
        house.clock.advance(3)
        self.assertEqual(
            client.read(),
            b"b NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
            b"* BYE Too many failed logins.\r\n",
        )
        self.assertTrue(client.closed)

    @proves("S2", "base:DoS limits")
    def test_a_connection_too_many_is_told_so(self) -> None:
        house = House()
        house.counts.reason = "already 100 connections"
        client = house.connect()
        self.assertEqual(client.read(), b"* BYE Too many connections.\r\n")
        self.assertTrue(client.closed)
        self.assertEqual(len(house.notes.lines), 1)
        house.counts.reason = None
        client = house.connect()
        client.transport.loseConnection()
        self.assertEqual(house.counts.admitted, 0)

    @proves("S2", "base:DoS limits")
    def test_a_flood_behind_a_slow_command_pauses_the_client(self) -> None:
        held: Deferred[None] = Deferred()
        passwords = Passwords()
        passwords.held = held
        house = House(authenticator=passwords, limits=Limits(queue=1000))
        client = house.connect()
        client.read()
        client.say(b"a LOGIN alice secret\r\n" + b"b NOOP\r\n" * 500)
        self.assertEqual(client.transport.producerState, "paused")
        held.callback(None)
        self.assertEqual(client.transport.producerState, "producing")
        self.assertEqual(client.read().count(b"b OK"), 500)

    @proves("S2", "base:DoS limits")
    def test_a_client_that_does_not_read_is_not_served_and_then_cut_off(self) -> None:
        house = House(limits=Limits(write_stall=30.0))
        client = house.connect()
        client.say(b"a CAPABILITY\r\n" * 1000)
        session = client.session
        self.assertIs(client.transport.producer, session)
        session.pauseProducing()
        self.assertEqual(client.say(b"b NOOP\r\n"), b"")
        session.resumeProducing()
        self.assertEqual(client.read(), b"b OK Nothing done.\r\n")
        session.pauseProducing()
        house.clock.advance(30)
        self.assertTrue(client.transport.aborted)
        self.assertEqual(len(house.notes.lines), 1)

    def test_an_idle_session_ends_after_a_time_of_silence(self) -> None:
        house = House(limits=Limits(idle_time=100.0))
        client = house.connect()
        client.ask(b"a LOGIN bob secret")
        house.clock.advance(60)
        client.ask(b"b NOOP")
        house.clock.advance(60)
        self.assertFalse(client.closed)
        house.clock.advance(41)
        self.assertEqual(client.read(), b"* BYE Idle for too long.\r\n")

    def test_nothing_is_left_scheduled_when_a_connection_is_gone(self) -> None:
        house = House(limits=Limits(failure_delay=2.0))
        for lines in ([], [b"a NOOP"], [b"a LOGIN bob secret"], [b"a LOGIN bob wrong"]):
            client = house.connect()
            for line in lines:
                client.ask(line)
            client.transport.loseConnection()
        self.assertEqual(house.clock.getDelayedCalls(), [])
        self.assertEqual(house.factory.sessions, set())
