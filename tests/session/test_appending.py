"""APPEND: messages go to the store as they come, and only what is wanted is asked for."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import OverQuota, Unavailable
from referrald.mailmodel import MailboxLocation
from referrald.model import Limits
from tests.proves import proves
from tests.session.arriving import Watched
from tests.session.inbox import say
from tests.session.native import Site
from tests.session.support import Client
from tests.wire.support import cut, cuts

MEGABYTE = 1024 * 1024
HELLO = b"x APPEND INBOX (\\Seen) {5+}\r\nhello\r\n"


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.store = Watched(self.site)
        self.client = self.site.log_in()


class AsItComes(Case):
    @proves("base:APPEND", "base:memory")
    def test_what_has_come_is_with_the_store_before_the_rest_is_there(self) -> None:
        self.assertEqual(self.client.say(b"x APPEND INBOX {10}\r\n"), b"+ Ready.\r\n")
        for sent, taken in ((b"ab", 2), (b"c", 3), (b"defghij", 10)):
            self.assertEqual(self.client.say(sent), b"")
            self.assertEqual(self.store.sinks[0].taken, taken)
        self.assertEqual(self.store.appended, [])
        self.assertEqual(self.client.say(b"\r\n"), b"x OK [APPENDUID 7 1] Appended.\r\n")
        self.assertEqual(self.store.contents, [b"abcdefghij"])
        self.assertFalse(self.store.sinks[0].discarded)

    @settings(deadline=None, max_examples=50)
    @given(cuts)
    def test_however_the_bytes_are_cut_the_same_is_stored(self, places: list[int]) -> None:
        self.setUp()
        data = (
            HELLO
            + b"y APPEND {5+}\r\nINBOX ~{3+}\r\n\r\n\xff {2+}\r\n{} (a)\r\n"
            + b"z APPEND INBOX {2+}\r\na\0\r\nz NOOP\r\n"
            + b'z APPEND INBOX "17-Jul-1996 02:44:25 -0700" {4+}\r\n\r\n\r\n {3+}\r\nfoo\r\n'
        )
        answers = b"".join(self.client.say(piece) for piece in cut(data, places))
        lines = answers.split(b"\r\n")[:-1]
        self.assertEqual([line[:6] for line in lines], ANSWERS)
        self.assertEqual(self.store.contents, [b"hello", b"\r\n\r\n", b"foo"])
        self.assertEqual([sink.discarded for sink in self.store.sinks], DISCARDED)

    @proves("base:memory")
    def test_two_hundred_megabytes_take_next_to_no_memory(self) -> None:
        site = Site(limits=Limits(literal_authenticated=300 * MEGABYTE, failure_delay=0.0))
        store, client = Watched(site, keeps=False), site.log_in()
        size, piece = 200 * MEGABYTE, b"x" * 65_536
        client.say(b"x APPEND INBOX {%d+}\r\n" % size)
        tracemalloc.start()
        try:
            for _ in range(size // len(piece)):
                client.session.dataReceived(piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertIn(b"x OK ", client.say(b"\r\n"))
        self.assertEqual(store.sinks[0].taken, size)
        self.assertLess(peak, 4 * len(piece))

    @proves("base:pipelining")
    def test_two_in_one_write_are_two(self) -> None:
        second = b'y APPEND INBOX () "17-Jul-1996 02:44:25 -0700" {3+}\r\nfoo\r\nz NOOP\r\n'
        first, other, last, _ = self.client.say(HELLO + second).split(b"\r\n")
        self.assertEqual([first[:4], other[:4], last[:4]], [b"x OK", b"y OK", b"z OK"])
        self.assertEqual(self.store.contents, [b"hello", b"foo"])
        (one,), (two,) = self.store.appended
        self.assertEqual((one.flags, one.received, two.flags), (("\\Seen",), None, ()))
        self.assertEqual(str(two.received), "1996-07-17 02:44:25-07:00")


ANSWERS = [b"x OK [", b"y BAD ", b"z BAD ", b"z OK N", b"z OK ["]
DISCARDED = [False, True, True, True, False, False]


class Waiting(Case):
    """The store takes its time."""

    def setUp(self) -> None:
        super().setUp()
        self.slow = self.store.slow = Deferred()

    def go_on(self) -> None:
        self.store.slow = None
        self.slow.callback(None)

    @proves("base:DoS / limits")
    def test_a_client_is_held_back_and_others_are_not(self) -> None:
        piece = b"x" * 50_000
        self.client.say(b"x APPEND INBOX {%d+}\r\n" % (4 * len(piece)))
        states = []
        for _ in range(4):
            self.client.say(piece)
            states.append(self.client.transport.producerState)
        self.assertEqual(states, ["producing", "producing", "paused", "paused"])
        self.assertEqual(say(self.site.log_in(), b"NOOP")[0], b"OK Nothing done.")
        self.go_on()
        self.assertEqual(self.client.transport.producerState, "producing")
        self.assertEqual(self.client.say(b"\r\n")[:4], b"x OK")
        self.assertEqual(self.store.contents, [4 * piece])

    def test_nothing_is_answered_before_it_is_written(self) -> None:
        self.assertEqual(self.client.say(HELLO + b"y NOOP\r\n"), b"")
        self.go_on()
        first, second, _ = self.client.read().split(b"\r\n")
        self.assertEqual((first[:4], second[:4]), (b"x OK", b"y OK"))

    @proves("S1")
    def test_a_client_that_goes_meanwhile_leaves_nothing(self) -> None:
        self.client.say(HELLO)
        self.client.transport.loseConnection()
        self.assertFalse(self.store.sinks[0].discarded)
        self.go_on()
        self.assertTrue(self.store.sinks[0].discarded)
        self.assertEqual((self.store.appended, self.site.house.notes.faults), ([], []))

    def test_a_session_that_is_ended_meanwhile_leaves_nothing(self) -> None:
        self.client.say(HELLO)
        self.client.session.say_bye("Enough.")
        self.go_on()
        self.assertTrue(self.store.sinks[0].discarded)
        self.assertEqual(self.store.appended, [])


class Ends(Case):
    @proves("S1", "S3")
    def test_a_client_that_breaks_off_at_any_byte_leaves_nothing(self) -> None:
        for at in range(len(HELLO)):
            self.setUp()
            self.client.say(HELLO[:at])
            self.client.transport.loseConnection()
            self.assertEqual(self.store.appended, [], at)
            self.assertTrue(all(sink.discarded for sink in self.store.sinks), at)
            self.assertEqual(len(self.store.sinks), at > HELLO.index(b"\n"), at)

    def test_what_turns_out_to_be_no_append_is_forgotten(self) -> None:
        for data in (
            b"x APPEND INBOX {5+}\r\nhello!\r\n", b"x APPEND INBOX {5+}\r\nhello (\\Seen)\r\n",
            b"x APPEND INBOX {5+}\r\nhel\0o\r\n", b"x APPEND INBOX {5+}\r\nhello \xff\r\n",
            b"x APPEND INBOX {5+}\r\nhello x {3+}\r\nfoo\r\n",
            b"x APPEND INBOX {5+}\r\n\0\0\0\0\0 {3+}\r\nfoo\r\n",
        ):  # fmt: skip
            self.setUp()
            answer = self.client.say(data + b"y NOOP\r\n")
            self.assertRegex(answer, rb"\Ax BAD [^\r]*\r\ny OK [^\r]*\r\n\Z", data)
            self.assertEqual([sink.discarded for sink in self.store.sinks], [True], data)
            self.assertEqual(self.store.appended, [], data)

    def test_a_store_that_cannot_write_is_asked_no_more(self) -> None:
        self.store.fault = OverQuota("disk full")
        self.client.say(b"x APPEND INBOX {10+}\r\n01234")
        self.assertTrue(self.store.sinks[0].discarded)
        answer = self.client.say(b"56789\r\ny NOOP\r\n")
        self.assertRegex(answer, rb"\Ax NO \[OVERQUOTA\] [^\r]*\r\ny OK [^\r]*\r\n\Z")
        self.assertEqual(self.store.appended, [])

    def test_a_fault_of_the_store_is_told_the_operator_and_ends_nothing(self) -> None:
        self.store.fault = ValueError("secret detail")
        answer = self.client.say(HELLO + b"y NOOP\r\n")
        self.assertRegex(answer, rb"\Ax NO \[SERVERBUG\] [^\r]*\r\ny OK ")
        self.assertNotIn(b"secret", answer)
        self.assertEqual(self.site.house.notes.faults, [self.store.fault])


class BeforeItComes(Case):
    """What can be known is said in place of ``+``."""

    def refused(self, arguments: bytes, answer: bytes) -> None:
        for plus in (b"", b"+"):
            # What has been sent for all that is dropped.
            sent = b"x APPEND %b{5%b}\r\n" % (arguments, plus)
            rest = b"hello\r\n" if plus else b""
            said = self.client.say(sent + rest + b"y NOOP\r\n")
            self.assertTrue(said.startswith(b"x " + answer), (arguments, said))
            self.assertTrue(said.endswith(b"y OK Nothing done.\r\n"), (arguments, said))
        self.assertEqual((self.store.sinks, self.store.appended), ([], []))

    @proves("base:APPEND")
    def test_syntax(self) -> None:
        for arguments in (
            b"INBOX (a ", b"INBOX (\\Recent) ", b'INBOX "17-Jul-1996" ', b"INBOX x ", b"INBOX (a)",
            b'INBOX "32-Jul-1996 02:44:25 -0700" ', b"INBOX  ",
        ):  # fmt: skip
            self.refused(arguments, b"BAD ")

    def test_a_flag_that_there_is_not(self) -> None:
        self.refused(b"INBOX (\\Odd) ", b"NO [CANNOT] ")

    def test_a_quota_that_is_used_up(self) -> None:
        self.store.refusals = [OverQuota("full")] * 2
        self.refused(b"INBOX ", b"NO [OVERQUOTA] ")

    def test_a_store_that_is_not_available(self) -> None:
        self.store.refusals = [Unavailable("down")] * 2
        self.refused(b"INBOX ", b"NO [UNAVAILABLE] ")

    @proves("base:APPEND")
    def test_a_mailbox_that_there_is_not(self) -> None:
        self.site = Site()
        self.client = self.site.log_in()
        self.refused(b"none ", b"NO [TRYCREATE] ")
        self.refused(b"none (\\Odd) ", b"NO [TRYCREATE] ")


class Moving(Case):
    def test_a_mailbox_that_leaves_while_its_message_comes_gets_nothing(self) -> None:
        self.client.say(b"x APPEND INBOX {5}\r\n")
        self.site.backend.set_mailbox("bob", "INBOX", MailboxLocation(moving=True))
        answer = self.client.say(b"hello\r\n")
        self.assertTrue(answer.startswith(b"x NO [INUSE] "), answer)
        self.assertEqual(self.store.appended, [])
        self.assertTrue(self.store.sinks[0].discarded)


@proves("base:APPEND", "base:quoting/injection")
class Whole(SynchronousTestCase):
    """With the store in memory as it is."""

    def test_only_the_selected_mailbox_tells_of_a_new_message(self) -> None:
        site = Site(b"one")
        client: Client = site.log_in(b"CREATE other", b"SELECT INBOX")
        answer = client.say(b"x APPEND other {3+}\r\nfoo\r\n")
        self.assertRegex(answer, rb"\Ax OK \[APPENDUID \d+ 1\] Appended\.\r\n\Z")
        answer = client.say(b"x APPEND INBOX {3+}\r\nfoo\r\n")
        self.assertRegex(
            answer, rb"\A\* 2 EXISTS\r\n\* 1 RECENT\r\nx OK \[APPENDUID \d+ 4\] Appended\.\r\n\Z"
        )

    def test_a_literal_that_looks_like_commands_is_none(self) -> None:
        client = Site().log_in(b"SELECT INBOX")
        text = b"y LOGOUT\r\nz DELETE INBOX {5+}\r\n"
        answer = client.say(b"x APPEND INBOX {%d+}\r\n%b\r\n" % (len(text), text))
        self.assertRegex(answer, rb"\A\* 1 EXISTS\r\n\* 1 RECENT\r\nx OK [^\r]*\r\n\Z")
        self.assertIn(text, client.say(b"x FETCH 1 BODY.PEEK[]\r\n"))
