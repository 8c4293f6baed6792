"""ENVELOPE and BODYSTRUCTURE, read back by a reader that knows nothing of the writer."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime.parts import parse
from referrald.mime.structure import body_structure, envelope
from tests.mime.mail import NESTED, ODD, SIMPLE
from tests.proves import proves
from tests.session.responses import check_body, check_envelope, value


def structure(source: bytes, extended: bool = True) -> Any:
    return value(body_structure(parse(source), extended))


@proves("base:ENVELOPE")
class Envelope(SynchronousTestCase):
    def test_a_usual_message(self) -> None:
        fred = [[b"Fred Foobar", None, b"foobar", b"blurdybloop.example"]]
        self.assertEqual(
            value(envelope(parse(SIMPLE))),
            [
                b"Mon, 7 Feb 1994 21:52:25 -0800 (PST)",
                b"afternoon meeting",
                fred,
                fred,
                fred,
                [[None, None, b"mooch", b"owatagu.example"]],
                None,
                None,
                None,
                None,
            ],
        )

    def test_missing_fields_are_nil_and_empty_text_is_empty(self) -> None:
        shown = value(envelope(parse(b"Subject:\r\nFrom:\r\nTo: ,\r\nSender: a@b\r\n\r\n")))
        self.assertEqual(shown[:3], [None, b"", None])
        self.assertEqual(shown[3], [[None, None, b"a", b"b"]])
        self.assertEqual(shown[4:], [None] * 6)

    def test_folds_quotes_eight_bit_and_nul_stay_one_clean_string(self) -> None:
        source = b'Subject: a "b"\r\n \\c\r\nMessage-ID: \xfc\r\nDate: x\0y\r\n\r\n'
        rendered = envelope(parse(source))
        self.assertNotIn(b"\0", rendered)
        shown = value(rendered)
        self.assertEqual((shown[0], shown[1], shown[9]), (b"x y", b'a "b" \\c', b"\xfc"))

    def test_the_first_of_two_fields_counts(self) -> None:
        self.assertEqual(value(envelope(parse(b"Subject: 1\r\nSubject: 2\r\n\r\n")))[1], b"1")

    @given(ODD)
    def test_whatever_the_bytes_it_is_an_envelope(self, source: bytes) -> None:
        check_envelope(value(envelope(parse(source))))


@proves("base:BODYSTRUCTURE")
class BodyStructure(SynchronousTestCase):
    def test_plain_text_counts_bytes_and_lines_of_the_body_only(self) -> None:
        text = [b"text", b"plain", [b"charset", b"us-ascii"], None, None, b"7BIT", 35, 1]
        self.assertEqual(structure(SIMPLE, False), text)
        self.assertEqual(structure(SIMPLE), [*text, None, None, None, None])

    def test_a_nested_message(self) -> None:
        shown = structure(NESTED)
        plain, attached, message, inner = shown[:4]
        self.assertEqual(
            plain[:8], [b"text", b"plain", [b"charset", b"us-ascii"], None, None, b"7BIT", 5, 0]
        )
        self.assertEqual(attached[:3], [b"application", b"octet-stream", [b"Name", b"A;B.bin"]])
        self.assertEqual(attached[5:7], [b"BASE64", 4])
        self.assertEqual(attached[8], [b"attachment", [b"FileName", b"A;B.bin"]])
        self.assertEqual(shown[4:], [b"mixed", [b"boundary", b"Outer 1"], None, None, None])
        self.assertEqual(message[:2], [b"message", b"rfc822"])
        self.assertEqual(message[7][1], b"inside")
        self.assertEqual(message[8][2:], [b"mixed", [b"boundary", b"inner"], None, None, None])
        self.assertEqual(message[9], 13)
        gif = inner[0]
        self.assertEqual(gif[3], b"<gif@b.example>")
        self.assertEqual(gif[7:], [b"Q2hlY2s=", None, [b"en", b"de"], b"http://b.example/x.gif"])
        check_body(shown, True)
        check_body(structure(NESTED, False), False)

    def test_odd_content_types_do_not_break_it(self) -> None:
        for kind, expected in (
            (b'text/plain; charset="a;b";', [b"text", b"plain", [b"charset", b"a;b"]]),
            (b"text/plain;", [b"text", b"plain", [b"charset", b"us-ascii"]]),
            (b"garbage", [b"text", b"plain", [b"charset", b"us-ascii"]]),
            (b"image/png; name=\xfc.png", [b"image", b"png", [b"name", b"\xfc.png"]]),
        ):
            shown = structure(b"Content-Type: " + kind + b"\r\n\r\nx")
            self.assertEqual(shown[:3], expected)

    def test_an_empty_multipart_still_has_a_part(self) -> None:
        shown = structure(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n")
        check_body(shown, True)
        self.assertEqual(shown[0][6], 0)

    @given(ODD)
    def test_whatever_the_bytes_it_is_a_body(self, source: bytes) -> None:
        for extended in (True, False):
            check_body(structure(source, extended), extended)

    def test_depth_does_not_matter(self) -> None:
        for step in (
            b"Content-Type: message/rfc822\r\n\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        ):
            check_body(structure(step * 5000), True)
