"""Modified UTF-7, and UTF-8."""

from __future__ import annotations

import time

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.names import (
    decode_utf7,
    decode_utf8,
    encode_utf7,
)
from tests.proves import proves

sayable = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=40
)
SAME = (
    ("INBOX", b"INBOX"),
    ("", b""),
    ("a & b", b"a &- b"),
    ("&&", b"&-&-"),
    ("é\té", b"&AOkACQDp-"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("☺!", b"&Jjo-!"),
    ("😀", b"&2D3eAA-"),
    ("\x7f", b"&AH8-"),
)
NOT_CANONICAL = {
    "an encoded slash": b"&AC8-",
    "encoded dots and slash": b"&AC4ALgAv-",
    "an encoded letter among others": b"&AOkAQQ-",
    "an encoded ampersand": b"&ACY-",
    "an encoded NUL": b"&AAA-",
    "an encoded CR": b"&AA0-",
    "an encoded LF": b"&AOkACg-",
    "a lone high surrogate": b"&2AA-",
    "a lone low surrogate": b"&3AA-",
    "surrogates the wrong way round": b"&3ADYPQ-",
    "a superfluous shift": b"&U,BTFw-&ZeVnLIqe-",
    "no shift back": b"&Jjo!",
    "no shift back at the end": b"&AOk",
    "an ampersand alone": b"&",
    "half a character": b"&AO-",
    "stray bits": b"&AOl-",
    "padding": b"&AOk=-",
    "the slash of plain base64": b"&U/BTFw-",
    "raw 8-bit": b"\xc3\xa9",
    "a raw control character": b"a\tb",
    "raw NUL": b"a\0b",
    "a raw line break": b"a\r\nb",
    "raw DEL": b"a\x7f",
}


class ModifiedUtf7(SynchronousTestCase):
    @proves("base:mailbox names")
    @settings(deadline=None)
    @given(sayable)
    def test_every_name_comes_back(self, name: str) -> None:
        raw = encode_utf7(name)
        self.assertTrue(all(0x20 <= byte < 0x7F for byte in raw))
        self.assertEqual(decode_utf7(raw), name)

    @proves("base:mailbox names")
    @settings(deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.sampled_from([b"&", b"-", b"A", b"AOk", b",", b"/", b"&AOk-"]), st.binary()
            ),
            max_size=12,
        ).map(b"".join)
    )
    @example(b"&AOk-&AOk-")
    def test_no_two_forms_mean_the_same_name(self, raw: bytes) -> None:
        try:
            name = decode_utf7(raw)
        except WireError:
            return
        self.assertEqual(encode_utf7(name), raw)

    def test_known_names(self) -> None:
        for name, raw in SAME:
            self.assertEqual(encode_utf7(name), raw)
            self.assertEqual(decode_utf7(raw), name)

    @proves("base:mailbox names", "base:quoting/injection")
    def test_only_the_canonical_form_is_taken(self) -> None:
        for what, raw in NOT_CANONICAL.items():
            error = self.assertRaises(WireError, decode_utf7, raw)
            self.assertEqual(error.public, "Mailbox name is not in modified UTF-7.", what)

    @proves("S5")
    def test_names_that_cannot_be_said_are_refused(self) -> None:
        for name in ("a\0", "a\r", "a\n", "\ud800"):
            self.assertRaises(ValueError, encode_utf7, name)

    @proves("base:CPU traps")
    def test_a_long_name_takes_linear_time(self) -> None:
        started = time.process_time()
        for raw in (b"&" * 100_000, b"&-" * 100_000, b"&AOk" * 50_000, b"&A" * 100_000 + b"-"):
            try:
                decode_utf7(raw)
            except WireError:
                continue
        self.assertLess(time.process_time() - started, 2.0)


class Utf8Names(SynchronousTestCase):
    def test_an_ampersand_stands_for_itself(self) -> None:
        self.assertEqual(decode_utf8("é &AOk-".encode()), "é &AOk-")

    @proves("base:mailbox names")
    def test_what_is_no_name_is_refused(self) -> None:
        for raw in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"a\0", b"a\r\n"):
            self.assertRaises(WireError, decode_utf8, raw)
