"""The command reader on input that is as it should be, whole and in pieces."""

from __future__ import annotations

import gc
import time

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.reader import (
    Command,
    CommandReader,
    Continuation,
    Event,
    Fatal,
    Malformed,
    ReaderLimits,
    Rejected,
    Undecided,
)
from referrald.wire.response import Status, no
from tests.proves import proves
from tests.wire.support import LIMITS, accept, cut, cuts, drain, each_byte, read, reader

TAG_BYTES = b"!#$&',-./0123456789:;<=>?@ABCXYZ[]^_`abcxyz|}~"
PLAIN_BYTES = bytes(set(range(0x20, 0x7F)) - set(b'"{'))
QUOTABLE = bytes(set(range(1, 0x100)) - set(b'\r\n"\\'))


def of(alphabet: bytes, least: int = 0, most: int = 20) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(list(alphabet)), min_size=least, max_size=most).map(bytes)


quoted = st.lists(st.one_of(of(QUOTABLE, 1), st.sampled_from([b'\\"', b"\\\\"]))).map(
    lambda parts: b'"' + b"".join(parts) + b'"'
)
text = st.lists(st.one_of(of(PLAIN_BYTES), quoted), max_size=4).map(b"".join)
tags = of(TAG_BYTES, 1, 64)
line_ends = st.sampled_from([b"\r\n", b"\n"])


@attrs.frozen
class Sent:
    """A command as a client sends it, and the events that it shall give."""

    data: bytes
    events: list[Event]


@st.composite
def commands(draw: st.DrawFn) -> Sent:
    tag, name = draw(tags), draw(of(b"ABCdef", 1, 10))
    data = tag + b" " + name + b" "
    segments, binaries, events = [], [], []
    for _ in range(draw(st.integers(0, 4))):
        before = draw(text)
        if before.endswith(b"~"):
            before += b" "
        sync, binary = draw(st.booleans()), draw(st.booleans())
        value = draw(st.binary(max_size=30))
        if not binary:
            value = value.replace(b"\0", b"{")
        segments += [before, value]
        if binary:
            binaries.append(len(segments) - 1)
        header = b"%b{%d%b}" % (b"~" if binary else b"", len(value), b"" if sync else b"+")
        data += before + header + draw(line_ends) + value
        events += [Continuation()] if sync else []
    segments.append(draw(text))
    data += segments[-1] + draw(line_ends)
    command = Command(tag, name.upper(), tuple(segments), len(data), True, tuple(binaries))
    return Sent(data, [*events, command])


PIECES = (
    *(b"a", b"LOGIN", b" ", b"a X ", b"{", b"3", b"12", b"+", b"}", b'"', b"\\", b"\t", b"x" * 40),
    *(b"\r\n", b"\n", b"\r", b"\0", b"\xe9", b"{3}", b"{3+}", b"~{2+}", b"{0+}\r\n"),
    *(b"{9999+}", b"{99999999999+}", b"{70}\r\n", b"{2}\r\n", b"{2+}\r\n", b"~{40+}\r\n"),
)


class CommandsInPieces(SynchronousTestCase):
    @proves("S3", "base:literals", "base:LITERAL+")
    @settings(deadline=None)
    @given(st.lists(commands(), max_size=4), cuts)
    def test_commands_with_any_literals_split_anywhere_give_the_same_events(
        self, sent: list[Sent], places: list[int]
    ) -> None:
        data = b"".join(each.data for each in sent)
        expected = [event for each in sent for event in each.events]
        self.assertEqual(read(*cut(data, places)), expected)

    @proves("S3")
    @settings(deadline=None)
    @given(commands())
    def test_a_byte_at_a_time_gives_the_same_events(self, sent: Sent) -> None:
        self.assertEqual(read(*each_byte(sent.data)), sent.events)

    @proves("S2", "S3")
    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from(PIECES),
            max_size=40,
        ).map(b"".join),
        cuts,
    )
    def test_any_bytes_split_anywhere_give_the_same_events(
        self, data: bytes, places: list[int]
    ) -> None:
        whole = read(data, source=particular())
        self.assertEqual(read(*cut(data, places), source=particular()), whole)
        self.assertEqual(read(*each_byte(data), source=particular()), whole)

    @proves("S3")
    def test_a_literal_split_at_any_byte_gives_the_same_command(self) -> None:
        data = b'a LOGIN {5+}\r\nalice {8}\r\nse"c\r\n{t\r\n'
        whole = read(data)
        self.assertEqual(len(whole), 2)
        for at in range(len(data)):
            self.assertEqual(read(data[:at], data[at:]), whole)

    @proves("S3", "base:pipelining")
    def test_ten_thousand_commands_in_one_write_come_out_one_by_one(self) -> None:
        started = time.process_time()
        events = read(b"".join(b"t%d NOOP\r\n" % number for number in range(10_000)))
        self.assertEqual(len(events), 10_000)
        self.assertEqual(events[-1], Command(b"t9999", b"NOOP", (b"",), 12, False))
        self.assertLess(time.process_time() - started, 2.0)

    @proves("base:CPU traps")
    def test_a_backlog_that_grows_by_small_pieces_stays_linear(self) -> None:
        source = reader()
        source.feed(b"a NOOP\r\n" * 20_000)
        started = time.process_time()
        for _ in range(20_000):
            source.feed(b"b NOOP\r\n")
            assert source.next() is not None
        self.assertEqual(len(drain(source)), 20_000)
        self.assertLess(time.process_time() - started, 3.0)

    @proves("base:CPU traps")
    def test_a_long_line_a_byte_at_a_time_is_linear(self) -> None:
        line = b"a SEARCH " + b"x" * 250_000
        source = reader(ReaderLimits(line=300_000, literal=0, command=300_000))
        started = time.process_time()
        self.assertEqual(len(read(*each_byte(line + b"\r\n"), source=source)), 1)
        self.assertLess(time.process_time() - started, 4.0)


def particular() -> CommandReader:
    """Make a reader with small limits that refuses literals of three bytes."""

    def ask(
        tag: bytes, name: bytes, head: bytes, size: int, sync: bool, binary: bool
    ) -> Status | None:
        return no("Not three.") if size == 3 else None

    return CommandReader(ReaderLimits(line=120, literal=64, command=200), ask)


class WholeCommands(SynchronousTestCase):
    def test_a_command_has_a_tag_a_name_in_upper_case_and_its_arguments(self) -> None:
        (command,) = read(b"a1 login fred pw\r\n")
        assert isinstance(command, Command)
        self.assertEqual(command.tag, b"a1")
        self.assertEqual(command.name, b"LOGIN")
        self.assertEqual(command.segments, (b"fred pw",))
        self.assertEqual(command.size, 18)

    def test_the_space_after_the_name_is_told_apart(self) -> None:
        bare, spaced = read(b"a NOOP\r\nb NOOP \r\n")
        assert isinstance(bare, Command) and isinstance(spaced, Command)
        self.assertEqual((bare.segments, bare.has_args), ((b"",), False))
        self.assertEqual((spaced.segments, spaced.has_args), ((b"",), True))

    def test_a_line_may_end_in_lf_alone(self) -> None:
        self.assertEqual(
            [type(event) for event in read(b"a NOOP\nb LOGIN {1+}\nx y\n")], [Command, Command]
        )

    @proves("S4")
    def test_no_repr_shows_arguments(self) -> None:
        events = read(b"a LOGIN fred sekrit\r\nb LOGIN {4+}\r\nfred {6}\r\nsekrit\r\n")
        self.assertEqual(len(events), 3)
        self.assertNotIn("sekrit", repr(events))
        self.assertNotIn("fred", repr(events))
        self.assertIn("LOGIN", repr(events))

    def test_commands_are_equal_by_value_and_cannot_be_keys(self) -> None:
        self.assertEqual(read(b"a NOOP\r\n"), read(b"a NOOP\r\n"))
        self.assertNotEqual(read(b"a NOOP\r\n"), read(b"a NOOP \r\n"))
        self.assertNotEqual(read(b"a NOOP\r\n")[0], "a NOOP")
        self.assertRaises(TypeError, hash, read(b"a NOOP\r\n")[0])


class AskingBeforeLiterals(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.answer: Status | None = None
        self.partial: Command | None = None
        self.reader = CommandReader(LIMITS, self.ask)

    def ask(self, *about: object) -> Status | None:
        self.asked.append(about)
        self.partial = self.reader.partial
        return self.answer

    def test_it_is_asked_with_what_has_come_so_far(self) -> None:
        data = b"a append {5+}\r\nINBOX (\\Seen) ~{3}\r\nabc\r\n"
        read(data, source=self.reader)
        self.assertEqual(
            self.asked,
            [
                (b"a", b"APPEND", b"", 5, False, False),
                (b"a", b"APPEND", b"INBOX (\\Seen) ", 3, True, True),
            ],
        )
        assert self.partial is not None
        self.assertEqual(self.partial.segments, (b"", b"INBOX", b" (\\Seen) "))
        self.assertIsNone(self.reader.partial)

    @proves("M5")
    def test_a_refused_sync_literal_ends_the_command_there(self) -> None:
        self.answer = no("Elsewhere.")
        events = read(b"a APPEND x {5}\r\n", b"b NOOP\r\n", source=self.reader)
        self.assertEqual(events[0], Rejected(b"a", self.answer))
        self.assertIsInstance(events[1], Command)

    @proves("M5", "base:LITERAL+")
    def test_a_refused_non_sync_literal_is_dropped_with_the_rest_of_its_command(self) -> None:
        self.answer = no("Elsewhere.")
        data = b"a APPEND x {11+}\r\nz LOGOUT\r\n\r {3+}\r\ny X {7}\r\nb NOOP\r\n"
        events = read(data, source=self.reader)
        self.assertEqual(events[0], Rejected(b"a", self.answer))
        self.assertEqual([getattr(each, "tag", None) for each in events], [b"a", b"b"])
        self.assertEqual(len(self.asked), 1)

    def test_a_dropped_literal_is_not_kept(self) -> None:
        self.answer = no("Elsewhere.")
        self.reader.feed(b"a APPEND x {4096+}\r\n")
        self.assertIsNone(self.reader.next())
        for _ in range(40):
            self.reader.feed(b"x" * 100)
            self.assertIsNone(self.reader.next())
            self.assertEqual(self.reader.buffered, 0)

    def test_an_error_of_the_grammar_while_asking_refuses_the_command(self) -> None:
        def ask(*_about: object) -> Status | None:
            raise WireError("Mailbox name is not in modified UTF-7.")

        events = read(b"a APPEND x {5}\r\n", source=CommandReader(LIMITS, ask))
        assert isinstance(events[0], Rejected)
        self.assertEqual(events[0].status.kind, "BAD")
        self.assertEqual(events[0].status.text, "Mailbox name is not in modified UTF-7.")

    def test_a_literal_of_no_bytes_is_a_literal(self) -> None:
        command = read(b"a X {0}\r\n {0+}\r\n\r\n", source=self.reader)[-1]
        assert isinstance(command, Command)
        self.assertEqual(command.segments, (b"", b"", b" ", b"", b""))


class RawLines(SynchronousTestCase):
    def test_a_raw_line_comes_without_its_end(self) -> None:
        source = reader()
        source.feed(b"a AUTHENTICATE PLAIN\r\n")
        self.assertIsInstance(source.next(), Command)
        self.assertIsNone(source.line())
        source.feed(b"AGZyZW")
        self.assertIsNone(source.line())
        source.feed(b"QAcHc=\r\n*\nb NOOP\r\n")
        self.assertEqual(source.line(), b"AGZyZWQAcHc=")
        self.assertEqual(source.line(), b"*")
        self.assertIsInstance(source.next(), Command)

    @proves("S2")
    def test_a_raw_line_over_the_limit_is_fatal(self) -> None:
        source = reader(ReaderLimits(line=10, literal=0, command=10))
        source.feed(b"x" * 10)
        self.assertIsNone(source.line())
        source.feed(b"x")
        self.assertIsInstance(source.line(), Fatal)


class Holding(SynchronousTestCase):
    def test_it_says_how_much_it_holds(self) -> None:
        source = reader()
        source.feed(b"a NOOP\r\nb NO")
        self.assertEqual(source.buffered, 12)
        drain(source)
        self.assertEqual(source.buffered, 4)

    @proves("L11")
    def test_clearing_drops_what_was_pipelined_and_what_was_begun(self) -> None:
        source = reader()
        source.feed(b"a STARTTLS\r\nb LOGIN {1}\r\n")
        self.assertIsInstance(source.next(), Command)
        self.assertEqual(source.clear(), 13)
        self.assertEqual(read(b"c NOOP\r\n", source=source), read(b"c NOOP\r\n"))
        source.feed(b"d LOGIN {10}\r\n")
        self.assertIsInstance(source.next(), Continuation)
        source.feed(b"abc")
        self.assertEqual(source.clear(), 3)
        self.assertEqual(read(b"e NOOP\r\n", source=source), read(b"e NOOP\r\n"))

    def test_limits_can_grow_between_commands(self) -> None:
        source = reader(ReaderLimits(line=100, literal=10, command=100))
        source.feed(b"a NOOP\r\nb X {50}\r\n")
        self.assertIsInstance(source.next(), Command)
        source.limits = LIMITS
        self.assertIsInstance(source.next(), Continuation)

    def test_an_idle_reader_keeps_no_input_alive(self) -> None:
        source = reader()
        piece = b"a NOOP\r\n" * 1000
        before = len(gc.get_referrers(piece))
        source.feed(piece)
        drain(source)
        self.assertEqual(len(gc.get_referrers(piece)), before)
        self.assertEqual(source.buffered, 0)

    def test_a_command_may_not_be_allowed_less_than_a_line(self) -> None:
        self.assertRaises(ValueError, ReaderLimits, line=100, literal=10, command=99)

    def test_nothing_comes_of_nothing(self) -> None:
        source = CommandReader(LIMITS, accept)
        self.assertIsNone(source.next())
        source.feed(b"")
        self.assertIsNone(source.next())
        self.assertIsNone(source.line())
        self.assertNotIsInstance(source.next(), Malformed)


class Postponing(SynchronousTestCase):
    """Somebody has to find out first whether a literal is wanted."""

    def setUp(self) -> None:
        self.verdict: Status | Undecided | None = None
        self.asked: list[bytes] = []
        self.reader = CommandReader(ReaderLimits(), self.ask)

    def ask(
        self, tag: bytes, name: bytes, head: bytes, size: int, sync: bool, binary: bool
    ) -> Status | Undecided | None:
        self.asked.append(head)
        return self.verdict

    @proves("M5", "S3")
    def test_it_asks_again_and_nothing_is_lost(self) -> None:
        self.verdict = Undecided(b"a")
        self.reader.feed(b"a APPEND x (\\Seen) {2}\r\n")
        self.assertEqual(self.reader.next(), Undecided(b"a"))
        self.assertEqual(self.reader.next(), Undecided(b"a"))
        self.verdict = None
        self.assertEqual(self.reader.next(), Continuation())
        self.reader.feed(b"hi\r\nb NOOP\r\n")
        command = self.reader.next()
        assert isinstance(command, Command)
        self.assertEqual(command.segments, (b"x (\\Seen) ", b"hi", b""))
        self.assertEqual(self.asked, [b"x (\\Seen) "] * 3)
        self.assertEqual(self.reader.next(), Command(b"b", b"NOOP", (b"",), 8, False))

    @proves("M5", "S3")
    def test_it_asks_again_about_a_later_literal(self) -> None:
        self.reader.feed(b"a APPEND {1+}\r\nx (\\Seen) ~{2+}\r\nhi\r\nb NOOP\r\n")
        self.verdict = None
        first = iter([None, Undecided(b"a")])
        self.reader._ask = lambda *arguments: next(first)
        self.assertEqual(self.reader.next(), Undecided(b"a"))
        refused = no("Elsewhere.")
        self.reader._ask = lambda *arguments: refused
        self.assertEqual(self.reader.next(), Rejected(b"a", refused))
        self.assertEqual(self.reader.next(), Command(b"b", b"NOOP", (b"",), 8, False))

    @proves("M5")
    def test_once_decided_the_command_is_whole(self) -> None:
        self.reader.feed(b"a APPEND {1+}\r\nx (\\Seen) ~{2+}\r\n\0i\r\n")
        answers = iter([None, Undecided(b"a"), None])
        self.reader._ask = lambda *arguments: next(answers)
        self.assertEqual(self.reader.next(), Undecided(b"a"))
        command = self.reader.next()
        assert isinstance(command, Command)
        self.assertEqual(command.segments, (b"", b"x", b" (\\Seen) ", b"\0i", b""))
        self.assertEqual(command.binary, (3,))
