"""Modified UTF-7 and the patterns of LIST."""

from __future__ import annotations

import re
import time

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.names import (
    MAX_PATTERN,
    compile_pattern,
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


def model(pattern: str, name: str) -> bool:
    wild = {"*": ".*", "%": "[^/]*"}
    expression = "".join(wild.get(char) or re.escape(char) for char in pattern)
    return re.fullmatch(expression, name, re.DOTALL) is not None


class Patterns(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.text("ab/*%.", max_size=8), st.text("ab/.", max_size=10))
    def test_it_matches_what_the_obvious_expression_matches(self, pattern: str, name: str) -> None:
        self.assertEqual(compile_pattern("", pattern, "/")(name), model(pattern, name))

    def test_the_reference_goes_before_the_pattern(self) -> None:
        matches = compile_pattern("a/", "%", "/")
        self.assertEqual(
            [name for name in ("a", "a/", "a/b", "a/b/c") if matches(name)], ["a/", "a/b"]
        )

    def test_without_a_delimiter_percent_matches_anything(self) -> None:
        self.assertTrue(compile_pattern("", "a%", None)("a/b.c"))

    def test_inbox_is_meant_in_any_case(self) -> None:
        self.assertTrue(compile_pattern("", "inBox", "/")("INBOX"))
        self.assertTrue(compile_pattern("inbox", "/%", "/")("INBOX/a"))
        self.assertTrue(compile_pattern("", "inbox", None)("INBOX"))
        self.assertFalse(compile_pattern("", "inboxes", "/")("INBOXES"))
        self.assertFalse(compile_pattern("", "\u0131nbox", "/")("INBOX"))

    def test_special_characters_of_expressions_mean_nothing(self) -> None:
        self.assertFalse(compile_pattern("", "a.c*", "/")("abc"))
        self.assertTrue(compile_pattern("", "(a[*", "/")("(a[x"))

    @proves("base:CPU traps")
    def test_many_wildcards_cost_no_more_than_one(self) -> None:
        started = time.process_time()
        for pattern in ("*a" * 400 + "b", "%a" * 400 + "b", "*%" * 500, "*" * 999 + "b"):
            self.assertEqual(compile_pattern("", pattern, "/")("a" * 20_000), pattern.endswith("%"))
        self.assertLess(time.process_time() - started, 3.0)

    @proves("S2")
    def test_a_pattern_has_a_greatest_length(self) -> None:
        compile_pattern("", "*" * MAX_PATTERN, "/")
        self.assertRaises(WireError, compile_pattern, "a", "*" * MAX_PATTERN, "/")
