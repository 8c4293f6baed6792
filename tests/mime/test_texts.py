"""Text of messages, decoded piece by piece."""

from __future__ import annotations

import base64
import quopri

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime import decoding, headers, texts
from referrald.mime.parts import parse
from tests.mime.mail import NESTED, ODD

CHARSETS = (b"", b"us-ascii", b"utf-8", b"iso-8859-1", b"iso-2022-jp", b"big5", b"nope")


def text_of(message: bytes) -> list[str]:
    """Give the passages of a message, each in one piece."""
    return ["".join(passage) for passage in texts.passages(parse(message))]


def mail(body: bytes, charset: bytes = b"", encoding: bytes = b"8bit") -> bytes:
    """Make a message."""
    kind = b"text/plain" + (b"; charset=" + charset if charset else b"")
    head = b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n" % (kind, encoding)
    return head + body


class Pieces(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(decoding, "PIECE", 7)

    @given(st.binary(max_size=100), st.sampled_from(CHARSETS))
    def test_pieces_make_the_text_that_the_whole_is(self, body: bytes, charset: bytes) -> None:
        whole = headers.text(body, charset)
        self.assertEqual(text_of(mail(body, charset)), [whole])

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
    def test_a_byte_order_is_heeded_and_its_lack_forgiven(self, text: str) -> None:
        self.assertEqual(text_of(mail(text.encode("utf-16"), b"utf-16")), [text])
        self.assertEqual(text_of(mail(b"ordinary", b"utf-16")), ["ordinary"])

    @given(st.binary(max_size=100), st.sampled_from(CHARSETS[:4]))
    def test_base64_is_undone_wherever_the_pieces_end(self, body: bytes, charset: bytes) -> None:
        coded = base64.encodebytes(body).replace(b"\n", b"\r\n")
        self.assertEqual(text_of(mail(coded, charset, b"BASE64")), [headers.text(body, charset)])

    @given(st.binary(max_size=100), st.sampled_from(CHARSETS[:4]))
    def test_quoted_printable_too(self, body: bytes, charset: bytes) -> None:
        coded = quopri.encodestring(body)
        expected = headers.text(quopri.decodestring(coded), charset)
        self.assertEqual(text_of(mail(coded, charset, b"quoted-printable")), [expected])

    def test_what_follows_the_end_of_base64_is_no_text(self) -> None:
        self.assertEqual(
            text_of(mail(b"aGVsbG8=\r\nmailing list footer", b"", b"base64")), ["hello"]
        )

    @given(ODD)
    def test_no_message_breaks_it(self, source: bytes) -> None:
        for passage in texts.passages(parse(source)):
            for piece in passage:
                self.assertIsInstance(piece, str)


class Passages(SynchronousTestCase):
    def test_parts_and_their_headers_have_text_and_images_do_not(self) -> None:
        found = text_of(NESTED)
        for text in (
            "first",
            "subject: inside",
            "gr\u00fc\u00dfe",
            "deep body",
            "content-id: <gif@b.example>",
        ):
            self.assertIn(text, found)
        self.assertNotIn("subject: nested", found)
        self.assertFalse([text for text in found if text in ("GIF", "AAEC")])
