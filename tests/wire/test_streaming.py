"""Literals that the reader hands out as they come, in place of keeping them."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.arguments import Arguments
from referrald.wire.reader import (
    MAX_LITERALS,
    Command,
    CommandReader,
    Continuation,
    Event,
    Fatal,
    Literal,
    Malformed,
    Piece,
    ReaderLimits,
    Rejected,
    Stream,
    Streamed,
    Undecided,
    Verdict,
)
from referrald.wire.response import Code, no
from tests.proves import proves
from tests.wire.support import cut, cuts, each_byte, read

LIMITS = ReaderLimits(line=100, literal=20, command=200, refused=50)
LIMIT = Code("LIMIT")
GOOD = b"z NOOP\r\n"


class Taker:
    """Streams the literals of APPEND, all but one for a name; keeps their pieces together."""

    def __init__(self, limits: ReaderLimits = LIMITS) -> None:
        self.came: list[bytes] = []
        self.reader = CommandReader(limits, self.ask)

    def ask(
        self, tag: bytes, name: bytes, head: bytes, size: int, sync: bool, binary: bool
    ) -> Verdict:
        if name != b"APPEND" or not head:
            return None
        self.came.append(b"")
        return Stream(len(self.came) - 1)

    def read(self, *pieces: bytes) -> list[Event]:
        """Give all events but the pieces, which are added to what came."""
        events = []
        for event in read(*pieces, source=self.reader):
            if isinstance(event, Piece):
                self.came[event.sink] += event.data
            else:
                events.append(event)
        return events


@attrs.frozen
class Sent:
    data: bytes
    events: list[Event]
    came: list[bytes]


@st.composite
def appends(draw: st.DrawFn) -> Sent:
    """Give an APPEND with messages of any bytes, and what it shall come out as."""
    data, segments = b"a APPEND ", [b"x "]
    events: list[Event] = []
    came: list[bytes] = []
    binary, streamed, size = [], [], 0
    data += segments[0]
    for _ in range(draw(st.integers(1, 3))):
        value, plus = draw(st.binary(max_size=300)), draw(st.sampled_from([b"", b"+"]))
        eight = b"\0" in value or draw(st.booleans())
        data += b"%b{%d%b}\r\n" % (b"~" if eight else b"", len(value), plus) + value
        streamed.append(Streamed(len(segments), len(value), len(came)))
        if eight:
            binary.append(len(segments))
        segments += [b"", draw(st.sampled_from([b" ", b' "q" ', b" (a) "]))]
        data += segments[-1]
        events += [] if plus else [Continuation()]
        came.append(value)
    data += b"\r\n"
    size = len(data) - sum(map(len, came))
    command = Command(
        b"a", b"APPEND", tuple(segments), size, True, tuple(binary), False, tuple(streamed)
    )
    return Sent(data, [*events, command], came)


@proves("S3", "base:literals", "base:memory")
class HandedOut(SynchronousTestCase):
    @settings(deadline=None)
    @given(appends(), cuts)
    def test_however_they_are_cut_the_same_comes_out(self, sent: Sent, places: list[int]) -> None:
        for pieces in (cut(sent.data + GOOD, places), each_byte(sent.data + GOOD)):
            taker = Taker(attrs.evolve(LIMITS, line=1000, command=1000))
            self.assertEqual(taker.read(*pieces), [*sent.events, *read(GOOD)])
            self.assertEqual(taker.came, sent.came)

    def test_nothing_is_kept_of_them(self) -> None:
        taker = Taker()
        taker.read(b"a APPEND x {100000+}\r\n")
        for _ in range(1000):
            (piece,) = read(b"x" * 100, source=taker.reader)
            self.assertEqual((type(piece), taker.reader.buffered), (Piece, 0))
        (command,) = taker.read(b"\r\n")
        assert isinstance(command, Command)
        self.assertEqual(command.segments, (b"x ", b"", b""))
        self.assertEqual(command.size, len(b"a APPEND x {100000+}\r\n\r\n"))

    def test_they_count_for_no_limit_and_all_else_does(self) -> None:
        text = b"a APPEND x" + b" {90+}\r\n" + b"x" * 90 + b" {90+}\r\n" + b"x" * 90
        self.assertIsInstance(Taker().read(text + b"\r\n")[0], Command)
        events = Taker().read(b"a APPEND x" + (b" {1+}\r\nx" * 30) + b"\r\n" + GOOD)
        self.assertEqual(events[0], Rejected(b"a", no("Too many messages in one command.", LIMIT)))
        self.assertEqual(events[1:], read(GOOD))

    def test_there_may_be_so_many_and_no_more(self) -> None:
        taker = Taker(ReaderLimits(line=100, literal=1, command=100_000, refused=1))
        many = b"a APPEND x" + b" {1+}\r\nx" * MAX_LITERALS
        self.assertIsInstance(taker.read(many + b"\r\n")[0], Command)
        self.assertIsInstance(taker.read(many + b" {1+}\r\nx\r\n")[0], Rejected)


class Wrong(SynchronousTestCase):
    def test_nul_ends_the_handing_out_and_is_told_at_the_end(self) -> None:
        for rest in (b"", b" {3+}\r\nabc", b" {3+}\r\na\0c"):
            taker = Taker()
            self.assertEqual(taker.read(b"a APPEND x {9+}\r\nabc", b"d\0f", b"ghi" + rest), [])
            self.assertEqual(taker.came, [b"abc"])
            events = taker.read(b"\r\n" + GOOD)
            wrong = Malformed(b"a", "NUL is allowed in a literal8 only.")
            self.assertEqual(events, [wrong, *read(GOOD)])

    def test_what_follows_may_be_wrong(self) -> None:
        for rest in (b"\0", b"\xff", b'"', b" \xff {3+}\r\nabc"):
            taker = Taker()
            event, *others = taker.read(b"a APPEND x {3+}\r\nabc" + rest + b"\r\n" + GOOD)
            self.assertIsInstance(event, Malformed, rest)
            self.assertEqual(others, read(GOOD), rest)

    def test_one_that_is_not_wanted_is_dropped_if_it_is_not_too_long(self) -> None:
        def refuse(*_about: object) -> Verdict:
            return no("No.")

        refused = Rejected(b"a", no("No."))
        for size in (21, 50):
            source = CommandReader(LIMITS, refuse)
            data = b"a APPEND x {%d+}\r\n%b\r\n" % (size, b"x" * size)
            self.assertEqual(read(*each_byte(data + GOOD), source=source), [refused, *read(GOOD)])
        (event,) = read(b"a APPEND x {51+}\r\n", source=CommandReader(LIMITS, refuse))
        self.assertIsInstance(event, Fatal)

    def test_one_may_be_decided_about_later(self) -> None:
        answers: list[Verdict] = [Undecided(b"a"), Stream("sink")]
        source = CommandReader(LIMITS, lambda *_: answers.pop(0))
        source.feed(b"a APPEND x {3}\r\n")
        self.assertEqual([source.next(), source.next()], [Undecided(b"a"), Continuation()])
        piece, command = read(b"abc\r\n", source=source)
        assert isinstance(piece, Piece) and isinstance(command, Command)
        self.assertEqual((piece.tag, piece.sink, piece.data), (b"a", "sink", b"abc"))
        self.assertEqual(command.streamed, (Streamed(1, 3, "sink"),))

    def test_only_who_asks_for_a_literal_gets_one_that_was_handed_out(self) -> None:
        command = Command(b"a", b"X", (b"", b"", b""), streamed=(Streamed(1, 3, "sink"),))
        self.assertEqual(Arguments(command).literal(), Literal(b"", False, Streamed(1, 3, "sink")))
        for read_one in (Arguments.astring, Arguments.string, Arguments.rest):
            self.assertRaises(WireError, read_one, Arguments(command))
