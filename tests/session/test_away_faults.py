"""Mailboxes of other servers whose servers, or other clients, do what is not expected of them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from referrald.session.away import NEWS
from tests.client.net import Scripted
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.native import OTHER
from tests.session.relayed import SECOND, Both

GREETING = b"* OK [CAPABILITY IMAP4rev1] ready"


class Searched(Scripted):
    """Finds one message, whatever is looked for."""

    def dataReceived(self, data: bytes) -> None:
        tag, _, rest = data.partition(b" ")
        if rest.startswith(b"UID SEARCH"):
            self.transport.write(b"* SEARCH 7\r\n%b OK found\r\n" % tag)
        else:
            super().dataReceived(data)


class Faults(SynchronousTestCase):
    def setUp(self) -> None:
        self.both = Both(SIMPLE)

    def test_a_program_without_a_name_is_not_taken_for_another_that_asked(self) -> None:
        self.both.put("Team", fill=[SIMPLE])
        first = self.both.log_in(b'RLIST "" *')
        self.assertIn(b"b NO [REFERRAL ", first.say(b"b SELECT Team"))
        self.assertIn(b"b OK", self.both.log_in().say(b"b SELECT Team"))
        # One that says what it is is known again.
        named = b'ID ("name" "Mailer")'
        self.both.log_in(named, b'RLIST "" *')
        self.assertIn(b"b NO [REFERRAL ", self.both.log_in(named).say(b"b SELECT Team"))

    def test_a_replica_that_cannot_open_it_now_is_passed_over(self) -> None:
        self.both.put("Team", OTHER, SECOND, fill=[SIMPLE])
        place = OTHER.host, OTHER.port
        answers = {b"SELECT": b"%b NO [UNAVAILABLE] The disk is away"}
        self.both.net.servers[place] = lambda: Scripted(GREETING, answers)
        client = self.both.log_in()
        self.assertIn(b"b OK [READ-WRITE]", client.say(b"b SELECT Team"))
        self.assertIn(SIMPLE, client.say(b"c FETCH 1 BODY[]"))

    def test_the_words_of_the_last_replica_are_the_answer(self) -> None:
        answer = self.scripted(SELECT=b"%b NO [UNAVAILABLE] The disk is away")
        self.assertEqual(answer, [b"b NO [UNAVAILABLE] The disk is away"])

    def scripted(self, **answers: bytes) -> list[bytes]:
        """Open a mailbox of a server that answers some commands so; give what the client gets."""
        self.both.put("Team", OTHER, fill=[SIMPLE])
        named = {name.encode("ascii"): answer for name, answer in answers.items()}
        self.both.net.servers[OTHER.host, OTHER.port] = lambda: Scripted(GREETING, named)
        return self.both.log_in().ask(b"b SELECT Team")

    def test_a_server_that_does_not_take_the_password_makes_no_one_ask_for_another(self) -> None:
        answer = self.scripted(LOGIN=b"%b NO [AUTHENTICATIONFAILED] Who?")
        self.assertEqual(answer, [b"b NO [NOPERM] The server of this mailbox does not let you in."])

    @proves("S4")
    def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_log(self) -> None:
        self.scripted(LOGIN=b"%b NO [AUTHENTICATIONFAILED] LOGIN bob secret is wrong")
        lines = "\n".join(self.both.site.house.notes.lines)
        self.assertIn("LOGIN bob *** is wrong", lines)
        self.assertNotIn("secret", lines)

    def test_flags_and_dates_that_are_none_go_on_to_no_other_server(self) -> None:
        self.both.put("Third", SECOND)
        odd = (
            b'* 1 FETCH (UID 7 FLAGS (\\Seen a]b \xff\rx) INTERNALDATE "now\r" '
            b'BODY[] "hello")\r\n%b OK done'
        )
        answers = {b"UID": odd, b"SELECT": b"* 1 EXISTS\r\n%b OK in"}
        self.both.put("Team", OTHER, fill=[SIMPLE])
        self.both.net.servers[OTHER.host, OTHER.port] = lambda: Searched(GREETING, answers)
        client = self.both.log_in(b"SELECT Team")
        self.assertIn(b"b OK", client.say(b"b UID COPY 7 Third"))
        self.assertEqual(self.both.at(SECOND, "Third"), [b"hello"])
        flags = self.both.log_in(b"EXAMINE Third").ask(b"b FETCH 1 FLAGS")
        self.assertEqual(flags[0], b"* 1 FETCH (FLAGS (\\Seen x \\Recent))")

    def test_a_long_command_keeps_its_connection(self) -> None:
        self.both.put("Team", fill=[SIMPLE])
        client = self.both.log_in(b"STATUS Team (MESSAGES)")
        (connection,) = client.session.errands._open.values()
        connection._tag = b"a9"
        client.say(b"", wait=130)
        self.assertIsNone(connection.ended)
        connection._tag = None
        client.say(b"", wait=130)
        self.assertIsNotNone(connection.ended)

    def test_an_answer_without_words_gets_some(self) -> None:
        self.assertEqual(self.scripted(SELECT=b"%b NO"), [b"b NO Refused without a reason."])

    def test_a_kept_connection_that_has_gone_unnoticed_is_replaced(self) -> None:
        self.both.put("Team", fill=[SIMPLE])
        self.both.put("Club", fill=[SIMPLE])
        client = self.both.log_in(b"SELECT Team", b"UNSELECT")
        # It ends when the next command comes.
        (there,) = self.both.sessions
        there.dataReceived = lambda data: there.transport.loseConnection()
        self.assertIn(b"b OK [READ-WRITE]", client.say(b"b SELECT Club"))
        self.assertEqual(len(self.both.sessions), 2)

    def test_news_that_nobody_asks_for_do_not_pile_up(self) -> None:
        self.both.put("Team", fill=[SIMPLE])
        client = self.both.log_in(b"SELECT Team")
        (there,) = self.both.sessions
        line = b"* 1 FETCH (FLAGS (\\Seen))\r\n"
        there.write(line * (2 * NEWS // len(line)))
        client.say(b"")
        transport = client.session.mbox.passing.transport
        self.assertEqual(transport.producerState, "paused")
        answer = client.say(b"b NOOP")
        self.assertIn(line * 1000, answer)
        self.assertTrue(answer.endswith(b"b OK Nothing done.\r\n"), answer[-100:])
        self.assertEqual(transport.producerState, "producing")

    def test_an_answer_is_sent_together_with_what_comes_before_it(self) -> None:
        self.both.put("Team", fill=[SIMPLE])
        client = self.both.log_in(b"SELECT Team")
        sent: list[bytes] = []
        write = client.session.transport.write
        client.session.transport.write = lambda data: (sent.append(data), write(data))
        # What comes in one piece goes out in one, and commands that wait are still carried out.
        (there,) = self.both.sessions
        there.transport.write = _joined(there.transport.write)
        client.say(b"b FETCH 1 FLAGS\r\nc FETCH 1 UID")
        self.assertEqual([piece.count(b"\r\n") for piece in sent], [2, 2])
        self.assertIn(b"c OK", sent[1])


def _joined(write: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Write nothing before an answer is whole."""
    kept: list[bytes] = []

    def later(data: bytes) -> None:
        kept.append(data)
        if b" OK " in data:
            write(b"".join(kept))
            kept.clear()

    return later
