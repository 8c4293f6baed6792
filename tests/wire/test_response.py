"""The writer: whatever the data, an answer stays one clean line."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.wire import response
from referrald.wire.response import Code, Status, StatusError, bad, bye, no, ok, referral, render
from tests.proves import proves
from tests.wire.support import read

KINDS: tuple[response.Kind, ...] = ("OK", "NO", "BAD", "BYE", "PREAUTH")
URL = "imap://mike;AUTH=*@server2/"


class Cleanliness(SynchronousTestCase):
    def assert_one_line(self, line: bytes) -> None:
        self.assertTrue(line.endswith(b"\r\n"))
        self.assertTrue(all(0x20 <= byte < 0x7F for byte in line[:-2]), line)

    @proves("S5", "base:quoting/injection")
    @settings(deadline=None)
    @given(st.sampled_from(KINDS), st.text())
    def test_any_text_gives_one_line_of_printable_ascii(
        self, kind: response.Kind, text: str
    ) -> None:
        line = render(b"a1", Status(kind, text))
        self.assert_one_line(line)
        said = line[:-2].split(b" ", 2)[2]
        self.assertTrue(said)
        self.assertFalse(said.startswith(b"["), "data passes for a response code")

    @proves("S5", "U4", "base:quoting/injection")
    @settings(deadline=None)
    @given(st.text(max_size=20), st.text(max_size=20), st.text())
    def test_any_code_is_refused_or_stays_inside_its_brackets(
        self, name: str, args: str, text: str
    ) -> None:
        try:
            code = Code(name, args)
        except ValueError:
            return
        line = render(None, no(text, code))
        self.assert_one_line(line)
        self.assertTrue(line.startswith(b"* NO [" + str(code).encode() + b"] "))
        self.assertNotIn("]", str(code))

    @proves("S5")
    @settings(deadline=None)
    @given(st.lists(st.one_of(st.text(), st.binary(), st.integers()), min_size=1))
    def test_untagged_parts_are_refused_or_clean(self, parts: list[response.Part]) -> None:
        try:
            line = response.untagged(*parts)
        except ValueError:
            return
        self.assert_one_line(line)

    @proves("S5", "base:quoting/injection")
    def test_line_breaks_in_a_text_do_not_begin_another_response(self) -> None:
        line = render(b"a", no("No such mailbox: x\r\n* BYE\0 jürgen"))
        self.assertEqual(line, b"a NO No such mailbox: x * BYE? j?rgen\r\n")

    def test_an_empty_text_is_filled_in_and_a_long_one_is_cut(self) -> None:
        self.assertEqual(render(b"a", ok("")), b"a OK Done.\r\n")
        self.assertEqual(render(b"a", ok(" \r\n ")), b"a OK Done.\r\n")
        self.assertEqual(len(response.clean("x" * 5000)), response.MAX_TEXT)

    def test_bad_codes_are_refused(self) -> None:
        for name, args in (
            ("", ""),
            ("A B", ""),
            ("A]", ""),
            ("Ä", ""),
            ("A\r\n", ""),
            ("REFERRAL", "imap://[::1]/"),
            ("REFERRAL", "imap://a/\r\n"),
            ("X", "\0"),
            ("X", "é"),
            ("X", " a"),
            ("X", "a "),
        ):
            self.assertRaises(ValueError, Code, name, args)


class Statuses(SynchronousTestCase):
    def test_a_status_is_rendered_with_its_tag_code_and_text(self) -> None:
        self.assertEqual(render(b"a1", ok("Done.")), b"a1 OK Done.\r\n")
        self.assertEqual(render(None, bad("What?")), b"* BAD What?\r\n")
        code = Code("AUTHENTICATIONFAILED")
        self.assertEqual(render(b"x", no("No.", code)), b"x NO [AUTHENTICATIONFAILED] No.\r\n")
        self.assertEqual(response.body(no("No.")), b"NO No.\r\n")

    def test_bye_and_preauth_are_never_tagged(self) -> None:
        self.assertEqual(render(b"a", bye("Ciao.")), b"* BYE Ciao.\r\n")
        self.assertEqual(render(b"a", Status("PREAUTH", "Hi.")), b"* PREAUTH Hi.\r\n")

    @proves("L2", "M2")
    def test_a_referral_carries_its_urls(self) -> None:
        self.assertEqual(
            render(b"a", referral("NO", URL, "Log in there.")),
            b"a NO [REFERRAL imap://mike;AUTH=*@server2/] Log in there.\r\n",
        )
        two = referral("NO", ["imap://a/x", "imap://b/x"], "There.")
        self.assertEqual(str(two.code), "REFERRAL imap://a/x imap://b/x")

    @proves("U4", "S5")
    def test_a_referral_refuses_urls_that_would_break_out(self) -> None:
        for url in ("", "imap://[::1]/", "imap://a b/", 'imap://"a"/', "imap://é/", "imap://a\r\n"):
            self.assertRaises(ValueError, referral, "NO", url, "x")
        self.assertRaises(ValueError, referral, "NO", [], "x")
        self.assertRaises(ValueError, referral, "NO", [URL, "a b"], "x")

    def test_a_status_can_be_raised(self) -> None:
        self.assertEqual(StatusError(no("Not now.")).status, no("Not now."))


class Parts(SynchronousTestCase):
    def test_an_untagged_response_is_made_of_parts(self) -> None:
        line = response.untagged(
            "LIST", response.paren_list("\\Noselect", b"\\Marked"), response.quoted("/"), b"x"
        )
        self.assertEqual(line, b'* LIST (\\Noselect \\Marked) "/" x\r\n')
        self.assertEqual(response.untagged(3, "EXISTS"), b"* 3 EXISTS\r\n")
        self.assertEqual(response.paren_list(), b"()")

    @proves("S5")
    def test_only_the_writer_makes_literals(self) -> None:
        made = response.string(b"two\r\nlines")
        self.assertEqual(response.untagged("X", made), b"* X {10}\r\ntwo\r\nlines\r\n")
        self.assertRaises(ValueError, response.untagged, "X", b"{10}\r\ntwo\r\nlines")
        self.assertRaises(ValueError, response.untagged, "X", b"")

    @proves("base:quoted strings", "base:quoting/injection")
    def test_strings_take_the_simplest_form_that_can_hold_them(self) -> None:
        for value, form in (
            (b"abc", b"abc"),
            (b"a]b", b"a]b"),
            (b"", b'""'),
            (b"nil", b'"nil"'),
            (b"a b", b'"a b"'),
            (b'a"\\b', b'"a\\"\\\\b"'),
            (b"a*", b'"a*"'),
            (b"a{3}", b'"a{3}"'),
            (b"a\r\nb", b"{4}\r\na\r\nb"),
            (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        ):
            self.assertEqual(response.astring(value), form)
        self.assertEqual(response.nstring(None), b"NIL")
        self.assertEqual(response.nstring(b"NIL"), b'"NIL"')

    @proves("S5")
    def test_what_cannot_be_said_is_refused(self) -> None:
        for value in (b"a\r", b"a\n", b"a\0", b"\x80"):
            self.assertRaises(ValueError, response.quoted, value)
        self.assertRaises(ValueError, response.quoted, "é")
        self.assertRaises(ValueError, response.literal, b"a\0b")
        self.assertEqual(response.literal(b"a\0b", binary=True), b"~{3}\r\na\0b")
        for number in (-1, 1 << 63):
            self.assertRaises(ValueError, response.number, number)

    @proves("base:mailbox names")
    def test_mailbox_names_are_encoded_and_quoted(self) -> None:
        self.assertEqual(response.mailbox("INBOX"), b"INBOX")
        self.assertEqual(response.mailbox("Été & co"), b'"&AMk-t&AOk- &- co"')
        self.assertEqual(response.mailbox("a%"), b'"a%"')
        self.assertRaises(ValueError, response.mailbox, "a\r\nb")


class Continuations(SynchronousTestCase):
    def test_a_continuation_request_has_a_space_even_without_text(self) -> None:
        self.assertEqual(response.continuation(), b"+ \r\n")
        self.assertEqual(response.continuation("Ready."), b"+ Ready.\r\n")
        self.assertRaises(ValueError, response.continuation, b"a\r\nb")

    @proves("base:AUTH challenge")
    @settings(deadline=None)
    @given(st.binary(max_size=500))
    def test_a_challenge_has_no_line_breaks(self, data: bytes) -> None:
        line = response.challenge(data)
        self.assertEqual(line.count(b"\n"), 1)
        self.assertEqual(base64.b64decode(line[2:-2], validate=True), data)

    @settings(deadline=None)
    @given(st.text())
    def test_what_we_say_is_no_command(self, text: str) -> None:
        (event,) = read(render(None, ok(text)))
        self.assertIn("Malformed", repr(event))
