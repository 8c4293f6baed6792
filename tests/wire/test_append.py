"""The arguments of APPEND, whole and as far as they have come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.append import Appended, Heading, append, append_heading
from referrald.wire.events import Command, Event, Literal, Rejected, Stream
from referrald.wire.reader import CommandReader, Verdict
from tests.proves import proves
from tests.wire.support import LIMITS, one, read

DATE = b'"01-Feb-2003 04:05:06 +0000"'
MOMENT = datetime(2003, 2, 1, 4, 5, 6, tzinfo=UTC)
HI = Literal(b"hi")


def parse(text: bytes) -> tuple[str, tuple[Appended, ...]]:
    return append(one(b"a APPEND " + text + b"\r\n"))


Seen = list[tuple[str | None, Heading] | None]


def headings(text: bytes, take: Callable[[], Verdict] = lambda: None) -> Seen:
    """Send an APPEND and give what is read before each of its literals."""
    found: Seen = []

    def ask(*_about: object) -> Verdict:
        assert reading.partial is not None
        heading = append_heading(reading.partial)
        found.append(heading)
        return None if heading is None else take()

    reading = CommandReader(LIMITS, ask)
    read(text, source=reading)
    return found


class Whole(SynchronousTestCase):
    @proves("base:APPEND")
    def test_flags_and_date_may_be_left_out(self) -> None:
        for middle, heading in (
            (b"", Heading()),
            (b"() ", Heading()),
            (b"(\\Seen) ", Heading(flags=("\\Seen",))),
            (DATE + b" ", Heading(date=MOMENT)),
            (b"(\\Seen a) " + DATE + b" ", Heading(flags=("\\Seen", "a"), date=MOMENT)),
        ):
            for name in (b"x", b'"x"', b"{1+}\r\nx"):
                expected = ("x", (Appended(heading=heading, literal=HI),))
                self.assertEqual(parse(name + b" " + middle + b"{2+}\r\nhi"), expected)

    def test_there_may_be_many_messages(self) -> None:
        name, messages = parse(b"x {2+}\r\nhi (\\Seen) {2+}\r\nhi " + DATE + b" ~{2+}\r\n\0b")
        self.assertEqual(name, "x")
        self.assertEqual([each.heading.flags for each in messages], [(), ("\\Seen",), ()])
        self.assertEqual([each.heading.date for each in messages], [None, None, MOMENT])
        self.assertEqual(
            [each.literal for each in messages], [HI, HI, Literal(b"\0b", binary=True)]
        )

    def test_a_message_may_be_announced_as_utf8(self) -> None:
        _, messages = parse(b"x (a) UTF8 (~{2+}\r\nhi) utf8 (~{2+}\r\nhi) {2+}\r\nhi")
        self.assertEqual([each.heading.utf8 for each in messages], [True, True, False])
        self.assertEqual(messages[0].heading.flags, ("a",))

    def test_anything_else_is_refused(self) -> None:
        for text in (
            b"x", b'x "hi"', b"x hi", b"x {2+}\r\nhi ", b"x (\\Recent) {2+}\r\nhi",
            b"x{2+}\r\nhi", b"{2+}\r\nhi", b"x {2+}\r\nhi{2+}\r\nhi", b"x {2+}\r\nhi (a)",
            b"x UTF8 ({2+}\r\nhi)", b"x UTF8 (~{2+}\r\nhi", b"x UTF8 ~{2+}\r\nhi",
            b"x UTF8 (~{2+}\r\nhi) ", b"x UTF8 (~{2+}\r\nhi ~{2+}\r\nhi)", b"x (a) (b) {2+}\r\nhi",
            b"x U {2+}\r\nhi", b"x {2+}\r\nhi)",
        ):  # fmt: skip
            self.assertRaises(WireError, parse, text)


class AsFarAsItHasCome(SynchronousTestCase):
    @proves("M5")
    def test_the_mailbox_is_known_before_the_message_comes(self) -> None:
        self.assertEqual(
            headings(b"a APPEND &AOk- (\\Seen) {2+}\r\nhi\r\n"),
            [("é", Heading(flags=("\\Seen",)))],
        )
        self.assertEqual(
            headings(b"a APPEND {5+}\r\ninbox {2+}\r\nhi\r\n"), [None, ("INBOX", Heading())]
        )

    def test_of_further_messages_only_what_stands_before_them_is_looked_at(self) -> None:
        found = headings(
            b"a APPEND {1+}\r\nx UTF8 (~{2+}\r\nhi) (a) {2+}\r\nhi " + DATE + b" {2+}\r\nhi\r\n",
            lambda: Stream("sink"),
        )
        self.assertEqual(
            found,
            [
                None,
                ("x", Heading(utf8=True)),
                (None, Heading(flags=("a",))),
                (None, Heading(date=MOMENT)),
            ],
        )

    def test_what_is_wrong_shows_before_the_message_comes(self) -> None:
        for text in (b"x y {2}", b"x (a {2}", b"x(a) {2}", b'x "1-Jan" {2}', b"x (a)  {2}"):
            (refused,) = refusals(b"a APPEND " + text + b"\r\n")
            assert isinstance(refused, Rejected)
            self.assertEqual(refused.status.kind, "BAD", text)

    def test_a_message_that_was_kept_whole_is_followed_by_another_only_when_it_is_streamed(
        self,
    ) -> None:
        partial = Command(b"a", b"APPEND", (b"x ", b"hi", b" "))
        self.assertRaises(WireError, append_heading, partial)


def refusals(text: bytes) -> list[Event]:
    def ask(*_about: object) -> Verdict:
        assert reading.partial is not None
        append_heading(reading.partial)
        return None

    reading = CommandReader(LIMITS, ask)
    return read(text, source=reading)
