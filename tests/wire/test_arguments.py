"""The cursor: each production of the grammar, what it takes and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire import response
from referrald.wire.arguments import LITERAL_AHEAD, Arguments
from referrald.wire.reader import Literal
from tests.proves import proves
from tests.wire.support import one


def over(text: bytes, *, utf8: bool = False) -> Arguments:
    command = one(b"a X " + text + b"\r\n")
    command.utf8 = utf8
    return Arguments(command)


def take(method: Callable[..., Any], text: bytes, *, utf8: bool = False, **options: Any) -> Any:
    """Let one method read ``text`` to its end."""
    arguments = over(text, utf8=utf8)
    taken = method(arguments, **options)
    arguments.end()
    return taken


class Strings(SynchronousTestCase):
    @proves("S3", "base:quoted strings", "base:literals")
    @settings(deadline=None)
    @given(st.binary().filter(lambda value: b"\0" not in value))
    def test_every_string_comes_back_through_quoting_reader_and_grammar(self, value: bytes) -> None:
        for form in (response.astring(value), response.string(value), response.literal(value)):
            self.assertEqual(take(Arguments.astring, form), value)
            self.assertEqual(take(Arguments.astring, form.replace(b"}\r\n", b"+}\r\n", 1)), value)
        self.assertEqual(take(Arguments.string, response.string(value)), value)
        self.assertEqual(take(Arguments.nstring, response.nstring(value)), value)

    @proves("S3", "base:quoted strings")
    def test_escapes_are_taken_off(self) -> None:
        self.assertEqual(take(Arguments.astring, rb'"p\"w\\"'), b'p"w\\')
        self.assertEqual(take(Arguments.astring, b'"' + rb"\\" * 4000 + b'"'), b"\\" * 4000)

    def test_quoted_strings_may_hold_8_bit_and_atoms_may_not(self) -> None:
        self.assertEqual(take(Arguments.astring, b'"j\xc3\xbcrgen"'), b"j\xc3\xbcrgen")

    def test_nstring_tells_nil_from_a_string_that_says_nil(self) -> None:
        self.assertIsNone(take(Arguments.nstring, b"nil"))
        self.assertEqual(take(Arguments.nstring, b'"NIL"'), b"NIL")
        self.assertRaises(WireError, take, Arguments.nstring, b"NILS")
        self.assertEqual(take(Arguments.astring, b"NIL"), b"NIL")

    def test_a_literal8_is_taken_only_where_one_may_stand(self) -> None:
        self.assertEqual(take(Arguments.literal, b"~{2+}\r\n\0a"), Literal(b"\0a", True))
        self.assertEqual(take(Arguments.literal, b"{2+}\r\nab"), Literal(b"ab", False))
        self.assertRaises(WireError, take, Arguments.astring, b"~{2+}\r\nab")
        self.assertRaises(WireError, take, Arguments.literal, b'"ab"')

    def test_wrong_strings_are_refused(self) -> None:
        for text in (b"", b"(a)", b"a(b", b'a"b"', b'"a"b', b"a%", b"a*", b"a\\b", b" a", b"a "):
            self.assertRaises(WireError, take, Arguments.astring, text)
        self.assertRaises(WireError, take, Arguments.string, b"atom")

    @proves("S4", "S2")
    def test_errors_say_what_is_wrong_and_not_what_was_there(self) -> None:
        error = self.assertRaises(WireError, take, Arguments.string, b"sekrit")
        self.assertEqual(error.public, "Expected a quoted string or a literal.")
        error = self.assertRaises(WireError, take, Arguments.astring, b"")
        self.assertEqual(error.public, "Missing argument: a string.")
        error = self.assertRaises(WireError, take, Arguments.astring, b"a sekrit")
        self.assertEqual(error.public, "Too many arguments.")


class Words(SynchronousTestCase):
    def test_atoms(self) -> None:
        self.assertEqual(take(Arguments.atom, b"BODY.PEEK[HEADER"), b"BODY.PEEK[HEADER")
        for text in (b"", b"a]", b'"a"', b"{1+}\r\na", b"\\Seen"):
            self.assertRaises(WireError, take, Arguments.atom, text)

    def test_numbers(self) -> None:
        self.assertEqual(take(Arguments.number, b"0"), 0)
        self.assertEqual(take(Arguments.number, b"007"), 7)
        self.assertEqual(take(Arguments.nz_number, b"4294967295"), 4294967295)
        for text in (b"", b"-1", b"+1", b"1_0", b"4294967296", b"9" * 5000, b"1a"):
            self.assertRaises(WireError, take, Arguments.number, text)
        for text in (b"0", b"01"):
            self.assertRaises(WireError, take, Arguments.nz_number, text)

    def test_sequence_sets(self) -> None:
        self.assertEqual(take(Arguments.sequence_set, b"1:3,*").spans, ((1, 3), (0, 0)))
        self.assertRaises(WireError, take, Arguments.sequence_set, b"a")
        self.assertRaises(WireError, take, Arguments.sequence_set, b"1:a")

    @proves("base:mailbox names")
    def test_mailboxes(self) -> None:
        self.assertEqual(take(Arguments.mailbox, b"iNbOx"), "INBOX")
        self.assertEqual(take(Arguments.mailbox, b'"inbox"'), "INBOX")
        self.assertEqual(take(Arguments.mailbox, b"{5+}\r\ninbox"), "INBOX")
        self.assertEqual(take(Arguments.mailbox, b"&AOk-"), "é")
        self.assertEqual(take(Arguments.mailbox, b"&AOk-", utf8=True), "&AOk-")
        self.assertEqual(take(Arguments.mailbox, '"é"'.encode(), utf8=True), "é")
        for text in (b"&AC8-", b'"\xc3\xa9"', b"{2+}\r\n\xc3\xa9", b'"a\tb"', b"a%"):
            self.assertRaises(WireError, take, Arguments.mailbox, text)

    def test_patterns(self) -> None:
        for text, pattern in ((b"%", "%"), (b'"a b*"', "a b*"), (b"&AOk-/*", "é/*"), (b'""', "")):
            self.assertEqual(take(Arguments.list_mailbox, text), pattern)
        self.assertEqual(take(Arguments.list_mailbox, '"é%"'.encode(), utf8=True), "é%")
        self.assertRaises(WireError, take, Arguments.list_mailbox, b"")

    @proves("base:STORE")
    def test_flags(self) -> None:
        self.assertEqual(take(Arguments.flag_list, b"()"), ())
        self.assertEqual(
            take(Arguments.flag_list, b"(\\seen $Junk \\Other)"), ("\\Seen", "$Junk", "\\Other")
        )
        for text in (
            b"\\Seen",
            b"(\\Recent)",
            b"(\\*)",
            b"(a",
            b"(a b",
            b"(a  b)",
            b"(a )",
            b"( a)",
        ):
            self.assertRaises(WireError, take, Arguments.flag_list, text)

    def test_dates(self) -> None:
        self.assertEqual(
            take(Arguments.date_time, b'"17-jul-1996 02:44:25 -0730"'),
            datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7, minutes=-30))),
        )
        self.assertEqual(take(Arguments.date_time, b'" 1-Jan-2000 00:00:00 +0000"').day, 1)
        for text in (
            *(b'"31-Feb-2000 00:00:00 +0000"', b'"01-Foo-2000 00:00:00 +0000"'),
            *(b'"1-Jan-2000 00:00:00 +0000"', b'"01-Jan-2000 24:00:00 +0000"'),
            *(b'"01-Jan-2000 00:00:00 +2400"', b'"01-Jan-0000 00:00:00 +0000"'),
            *(b'"01-Jan-2000 00:00:00"', b"01-Jan-2000", b""),
        ):
            self.assertRaises(WireError, take, Arguments.date_time, text)


class TheCursor(SynchronousTestCase):
    def test_it_moves_through_segments(self) -> None:
        arguments = over(b'a {1+}\r\nb "c" ({1+}\r\nd e)')
        self.assertEqual(arguments.peek(), ord("a"))
        self.assertEqual(arguments.astring(), b"a")
        arguments.space()
        self.assertEqual(arguments.peek(), LITERAL_AHEAD)
        self.assertFalse(arguments.at_end)
        self.assertEqual(arguments.astring(), b"b")
        arguments.space()
        self.assertEqual(arguments.astring(), b"c")
        arguments.space()
        self.assertEqual(arguments.paren(arguments.astring), (b"d", b"e"))
        self.assertEqual(arguments.peek(), -1)
        self.assertTrue(arguments.at_end)
        arguments.end()

    def test_exactly_one_space_stands_between_arguments(self) -> None:
        arguments = over(b"a  b")
        arguments.atom()
        arguments.space()
        self.assertRaises(WireError, arguments.atom)

    def test_a_space_alone_is_no_end(self) -> None:
        self.assertRaises(WireError, over(b"").end)
        Arguments(one(b"a X\r\n")).end()

    def test_lists_need_an_item_unless_told_otherwise(self) -> None:
        for text in (b"()", b"(", b"a"):
            arguments = over(text)
            self.assertRaises(WireError, arguments.paren, arguments.atom)
        arguments = over(b"()")
        self.assertEqual(arguments.paren(arguments.atom, empty=True), ())

    @proves("S3")
    def test_the_rest_is_one_line_with_literals_as_quoted_strings(self) -> None:
        arguments = over(b'1 FROM {4+}\r\na"\\b TO ~{0+}\r\n')
        arguments.number()
        arguments.space()
        self.assertRaises(WireError, arguments.rest)
        self.assertEqual(over(b'FROM {4+}\r\na"\\b x').rest(), b'FROM "a\\"\\\\b" x')
        self.assertRaises(WireError, over(b"{3+}\r\na\nb").rest)
