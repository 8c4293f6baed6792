"""Charsets of search texts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.session.charsets import CHARSETS, codec_of, decoded
from tests.mime.mail import SIMPLE
from tests.session.inbox import say
from tests.session.native import Site

GREEK = (
    b"Subject: x\r\nContent-Type: text/plain; charset=iso-8859-7\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=EB=FC=E3=EF=F2\r\n"
)
"""The word is a Greek one, in small letters."""


class Charsets(SynchronousTestCase):
    def test_every_charset_that_is_told_is_known(self) -> None:
        for name in CHARSETS:
            for spelling in (name, name.lower(), name.replace("-", "_")):
                codec = codec_of(spelling)
                assert codec is not None, spelling
                self.assertEqual(decoded(b"abc", codec), "abc")

    def test_usual_aliases_are_known_and_other_codecs_are_not(self) -> None:
        for name in ("latin1", "cp1252", "ASCII", "utf8", "SJIS", "ks_c-5601-1987"):
            self.assertIsNotNone(codec_of(name), name)
        for name in ("rot13", "hex", "base64", "idna", "unicode_escape", "../utf_8", "", "UTF-16"):
            self.assertIsNone(codec_of(name), name)

    def test_what_is_not_in_the_charset_is_refused(self) -> None:
        for name, text in (("UTF-8", b"\xff"), ("US-ASCII", b"\xff"), ("EUC-JP", b"\x8f")):
            self.assertRaises(WireError, decoded, text, codec_of(name))

    def test_texts_are_compared_whatever_charset_they_are_written_in(self) -> None:
        client = Site(SIMPLE, GREEK).log_in(b"SELECT INBOX")
        word = "\u039b\u03cc\u0393\u039f\u03a3"
        for charset in ("UTF-8", "ISO-8859-7", "windows-1253"):
            raw = word.encode(charset)
            keys = b"CHARSET %b BODY {%d+}\r\n%b" % (charset.encode(), len(raw), raw)
            self.assertEqual(say(client, b"SEARCH " + keys)[1], [[b"*", b"SEARCH", 2]])

    def test_no_charset_is_named_once_all_is_utf8(self) -> None:
        """RFC 6855 section 3; IMAP4rev2 still has them."""
        client = Site(SIMPLE).log_in(b"SELECT INBOX")
        client.session.enable(["IMAP4rev2"])
        self.assertTrue(say(client, b"SEARCH CHARSET UTF-8 ALL")[0].startswith(b"OK"))
        client.session.enable(["UTF8=ACCEPT"])
        self.assertTrue(say(client, b"SEARCH CHARSET UTF-8 ALL")[0].startswith(b"BAD"))
        self.assertTrue(say(client, b'SEARCH SUBJECT "\xc3\xa9"')[0].startswith(b"OK"))
