"""The command reader on bad input: what is wrong, where the next command begins, what is fatal."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from referrald.wire.reader import (
    MAX_LITERALS,
    Command,
    Continuation,
    Event,
    Fatal,
    Malformed,
    ReaderLimits,
    Rejected,
)
from tests.proves import proves
from tests.wire.support import each_byte, read, reader

GOOD = b"z NOOP\r\n"

MALFORMED: tuple[tuple[bytes, bytes | None, str], ...] = (
    (b"\r\n", None, "Empty line."),
    (b"\n", None, "Empty line."),
    (b"    \r\n", None, "Empty line."),
    (b" a NOOP\r\n", None, "Malformed tag."),
    (b"a+b NOOP\r\n", None, "Malformed tag."),
    (b"+ NOOP\r\n", None, "Malformed tag."),
    (b"* NOOP\r\n", None, "Malformed tag."),
    (b"a\xe9 NOOP\r\n", None, "Malformed tag."),
    (b"a\0 NOOP\r\n", None, "Malformed tag."),
    (b'"a" NOOP\r\n', None, "Malformed tag."),
    (b"a\tNOOP\r\n", None, "Malformed tag."),
    (b"t" * 65 + b" NOOP\r\n", None, "Malformed tag."),
    (b"\x16\x03\x01\x02\x00\x01\r\n", None, "Malformed tag."),
    (b"a\r\n", b"a", "Missing command."),
    (b"a \r\n", b"a", "Missing command."),
    (b"a   \r\n", b"a", "Missing command."),
    (b"a  NOOP\r\n", b"a", "Malformed command name."),
    (b'a "NOOP"\r\n', b"a", "Malformed command name."),
    (b"a NOOP\0\r\n", b"a", "Malformed command name."),
    (b"a NOOP\r\r\n", b"a", "Malformed command name."),
    (b"a NOOP{5}\r\n", b"a", "Malformed command name."),
    (b"a N\xc3\xb6P\r\n", b"a", "Malformed command name."),
    (b"a X fred\0pw\r\n", b"a", "NUL is not allowed."),
    (b'a X "fred\0"\r\n', b"a", "NUL is not allowed."),
    (b"a X fred\rpw\r\n", b"a", "CR is not allowed without LF."),
    (b'a X "fred\rpw"\r\n', b"a", "CR is not allowed without LF."),
    (b"a X fr\tpw\r\n", b"a", "Control characters are not allowed."),
    (b"a X fr\x7fpw\r\n", b"a", "Control characters are not allowed."),
    (b"a X fr\xe9d pw\r\n", b"a", "8-bit characters are allowed in strings only."),
    (b'a X "fred\r\n', b"a", "Malformed quoted string."),
    (b'a X "fred\\\r\n', b"a", "Malformed quoted string."),
    (b'a X "fr\\ed"\r\n', b"a", "Malformed quoted string."),
    (b'a X "fred {5}\r\n', b"a", "Malformed quoted string."),
    (b"a X {5\r\n", b"a", "Malformed literal."),
    (b"a X {}\r\n", b"a", "Malformed literal."),
    (b"a X {+}\r\n", b"a", "Malformed literal."),
    (b"a X {-1}\r\n", b"a", "Malformed literal."),
    (b"a X {+1}\r\n", b"a", "Malformed literal."),
    (b"a X {1_0}\r\n", b"a", "Malformed literal."),
    (b"a X { 1}\r\n", b"a", "Malformed literal."),
    (b"a X {1 }\r\n", b"a", "Malformed literal."),
    (b"a X {1-}\r\n", b"a", "Malformed literal."),
    (b"a X {0x1}\r\n", b"a", "Malformed literal."),
    (b"a X {1} \r\n", b"a", "Malformed literal."),
    (b"a X {\xd9\xa1}\r\n", b"a", "Malformed literal."),
    (b"a X {1}}\r\n", b"a", "Malformed literal."),
    (b"a X {4294967296}\r\n", b"a", "Literal size is not a 32-bit number."),
    (b"a X {99999999999999}\r\n", b"a", "Literal size is not a 32-bit number."),
    (b"a X {" + b"9" * 5000 + b"}\r\n", b"a", "Literal size is not a 32-bit number."),
)


class MalformedLines(SynchronousTestCase):
    @proves("S2", "base:literals", "base:line length")
    def test_each_is_named_and_leaves_the_connection_usable(self) -> None:
        for line, tag, reason in MALFORMED:
            bad, good = read(line + GOOD)
            self.assertEqual(bad, Malformed(tag, reason), line)
            self.assertIsInstance(good, Command)
            self.assertEqual(read(*each_byte(line + GOOD)), [bad, good])

    @proves("S4")
    def test_no_reason_repeats_what_was_sent(self) -> None:
        for line in (b'a LOGIN fred "sekrit\r\n', b"sekrit+ sekrit\r\n", b"a X sek\xe9rit {9\r\n"):
            (event,) = read(line)
            assert isinstance(event, Malformed)
            self.assertNotIn("sek", event.reason)

    @proves("base:quoted strings")
    def test_braces_inside_a_quoted_string_are_no_literal(self) -> None:
        (command,) = read(b'a LOGIN "fred {5}" "{3+}"\r\n')
        assert isinstance(command, Command)
        self.assertEqual(command.segments, (b'"fred {5}" "{3+}"',))

    @proves("base:literals")
    def test_nul_may_stand_in_a_literal8_only(self) -> None:
        bad, good = read(b"a X {3+}\r\na\0b {4+}\r\nz X \r\nb X ~{3+}\r\na\0b\r\n")
        self.assertEqual(bad, Malformed(b"a", "NUL is allowed in a literal8 only."))
        assert isinstance(good, Command)
        self.assertEqual(good.segments, (b"", b"a\0b", b""))
        self.assertEqual(good.binary, (1,))

    def test_leading_zeros_of_a_size_do_no_harm(self) -> None:
        command = read(b"a X {" + b"0" * 5000 + b"3+}\r\nabc\r\n")[-1]
        assert isinstance(command, Command)
        self.assertEqual(command.segments, (b"", b"abc", b""))


class LiteralsBehindMalformedLines(SynchronousTestCase):
    @proves("S2", "base:LITERAL+", "base:quoting/injection")
    def test_what_was_sent_as_a_literal_never_runs_as_a_command(self) -> None:
        inner = b"x LOGOUT\r\n"
        heads: tuple[tuple[bytes, bytes | None], ...] = (
            (b"", None),
            (b"a+ ", None),
            (b"a  X ", b"a"),
            (b'a X "open ', b"a"),
            (b"a X \xe9 ", b"a"),
            (b"a X \0 ", b"a"),
            (b"a X {1} ", b"a"),
            (b"a NOOP", b"a"),
        )
        for head, tag in heads:
            events = read(head + b"{%d+}\r\n" % len(inner) + inner + b" more\r\n" + GOOD)
            self.assertEqual(len(events), 2, head)
            assert isinstance(events[0], Malformed)
            self.assertEqual(events[0].tag, tag)
            self.assertEqual(events[1:], read(GOOD))

    @proves("base:LITERAL+")
    def test_all_literals_of_a_malformed_command_are_dropped(self) -> None:
        data = b"a X \0{3+}\r\nx Y {4+}\r\nx Z\n \xff {0+}\r\n{0+}\r\n\r\n"
        self.assertEqual(read(data + GOOD)[1:], read(GOOD))

    @proves("base:literals")
    def test_a_line_that_goes_wrong_after_a_literal_ends_the_command(self) -> None:
        events = read(b'a X {3}\r\nabc "\r\n' + GOOD)
        self.assertEqual(events[0], Continuation())
        self.assertEqual(events[1], Malformed(b"a", "Malformed quoted string."))
        self.assertEqual(events[2:], read(GOOD))

    @proves("S2")
    def test_a_sync_literal_that_the_client_waits_for_ends_a_dropped_command(self) -> None:
        events = read(b"a X \0 {3+}\r\nabc {5}\r\n" + GOOD)
        self.assertEqual(events, [Malformed(b"a", "NUL is not allowed."), *read(GOOD)])

    @proves("S2", "base:LITERAL+")
    def test_one_that_cannot_be_dropped_is_fatal(self) -> None:
        for size in (b"4097", b"4294967296", b"99999999999999", b"9" * 5000):
            for head in (b"a X ", b"a X \0", b""):
                event = read(head + b"{" + size + b"+}\r\n" + GOOD)[0]
                assert isinstance(event, Fatal)
                self.assertEqual(str(event.code), "TOOBIG")


def limited(*pieces: bytes) -> list[Event]:
    return read(*pieces, source=reader(ReaderLimits(line=20, literal=30, command=50)))


class Limits(SynchronousTestCase):
    @proves("S2", "base:line length")
    def test_a_line_is_fatal_at_the_first_byte_over_the_limit(self) -> None:
        self.assertEqual(len(limited(b"a X 56789012345678\r\n")), 1)
        self.assertEqual(limited(b"a X 5678901234567890"), [])
        for line in (b"a X 56789012345678901", b"a X 56789012345678901\n", b"x" * 21, b" " * 99):
            self.assertEqual(limited(line), [Fatal("Line too long.")])
            self.assertEqual(limited(*each_byte(line)), [Fatal("Line too long.")])

    @proves("S2")
    def test_nothing_follows_what_is_fatal_and_nothing_is_kept(self) -> None:
        source = reader(ReaderLimits(line=20, literal=30, command=50))
        self.assertEqual(len(read(b"x" * 100, source=source)), 1)
        for _ in range(3):
            source.feed(GOOD)
            self.assertEqual(source.buffered, 0)
            self.assertIsNone(source.next())
            self.assertIsNone(source.line())

    @proves("S2", "base:DoS / limits")
    def test_a_sync_literal_over_the_limit_is_refused_before_it_comes(self) -> None:
        refused, good = limited(b"a X {31}\r\n" + GOOD)
        assert isinstance(refused, Rejected)
        self.assertEqual((refused.status.kind, str(refused.status.code)), ("BAD", "TOOBIG"))
        self.assertEqual([good], read(GOOD))
        self.assertEqual(limited(b"a X {30}\r\n"), [Continuation()])

    @proves("S2")
    def test_the_literals_of_one_command_count_together(self) -> None:
        events = limited(b"a X {25}\r\n" + b"x" * 25 + b" {20}\r\n" + GOOD)
        self.assertEqual(events[0], Continuation())
        self.assertIsInstance(events[1], Rejected)
        self.assertEqual(events[2:], read(GOOD))
        self.assertIsInstance(limited(b"a X {25+}\r\n" + b"x" * 25 + b" {20+}\r\n")[0], Fatal)

    @proves("S2")
    def test_dropped_literals_count_too(self) -> None:
        events = limited(b"a X \0{20+}\r\n" + b"x" * 20 + b"{20+}\r\n")
        self.assertIsInstance(events[0], Fatal)

    @proves("S2")
    def test_the_text_after_literals_counts_too(self) -> None:
        events = limited(b"a X {30+}\r\n" + b"x" * 30 + b" 34567890\r\n" + GOOD)
        self.assertEqual(events, [Malformed(b"a", "Command too long."), *read(GOOD)])

    @proves("S2")
    def test_a_command_has_so_many_literals_and_no_more(self) -> None:
        limits = ReaderLimits(line=100, literal=100, command=1_000_000)
        data = b"a X " + b"{0+}\r\n" * MAX_LITERALS
        (command,) = read(data + b"\r\n", source=reader(limits))
        self.assertIsInstance(command, Command)
        (event,) = read(data + b"{0+}\r\n", source=reader(limits))
        self.assertIsInstance(event, Fatal)


class CpuTraps(SynchronousTestCase):
    @proves("base:CPU traps")
    def test_hostile_lines_cost_time_in_proportion_to_their_length(self) -> None:
        size = 200_000
        limits = ReaderLimits(line=5 * size, literal=0, command=5 * size)
        started = time.process_time()
        for text in (
            b"\\" * size,
            b'"' + b"\\" * size,
            b'"' + b"\\\\" * size + b'" {',
            b'"" ' * size + b"\0",
            b'"' * (size + 1),
            b"{1" * size + b"}",
            b"{" * size,
            b"a" * size + b"{",
            b'"a" ' * size + b"\xff",
        ):
            events = read(b"a X " + text + b"\r\n" + GOOD, source=reader(limits))
            self.assertEqual(events[-1:], read(GOOD))
        self.assertLess(time.process_time() - started, 5.0)
