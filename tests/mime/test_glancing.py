"""What is seen of a message without taking it apart is what is found by taking it apart."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mime.criteria import Known
from referrald.mime.glancing import lacks, word_of
from referrald.mime.matching import Matcher
from referrald.query import Body, Query, Text

NOW = datetime(2024, 3, 1, tzinfo=UTC)
TEXTS = ("abc", "ABC def", "x-a: abc", "kelvin", "fi", " ", "a", "\xe9", "abc\tdef", "utf-7", ":")
LINES = (
    "abc", "xABC def", "abc\r\n def", "X-A: abc", "Content-Type: text/plain; charset=utf-7",
    'Content-Type: text/html; charset="utf-8"', "Content-Type: text/plain; charset=iso-2022-jp",
    "Content-Type: text/plain; charset=iso-8859-15", "Content-Type: message/rfc822",
    "Content-Type: text/plain; charset*=utf-16''x", "Content-Type: multipart/mixed; boundary=b",
    "Content-Transfer-Encoding: BASE64", "Content-Transfer-Encoding: quoted-printable",
    "Subject: =?utf-8?b?YWJj?=", "+AGEAYgBj-", "YWJj", "a=62c", "--b", "--b--", "", "",
    "\u212aelvin", "\ufb01", "\xe9", "\0abc",
)  # fmt: skip
contents = st.lists(st.sampled_from(LINES), max_size=12).map(
    lambda lines: "\r\n".join(lines).encode("utf-8")
)


def seen(query: Query, content: bytes, *, glances: bool) -> bool | None:
    """Look through a message."""
    matcher, known = Matcher(query, NOW), Known(1)
    matcher._glances = matcher._glances and glances
    for _ in matcher.look_at_content(known, content):
        pass
    return matcher.judge(known)


class GlancingTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=500)
    @given(st.sampled_from(TEXTS), contents)
    @example("abc", b"Content-Type: text/plain; charset=utf-7\r\n\r\n+AGEAYgBj-")
    @example("abc", b"Content-Transfer-Encoding: base64\r\n\r\nYWJj")
    @example("abc def", b"\r\n")
    def test_a_glance_misses_nothing(self, text: str, content: bytes) -> None:
        for query in (Body(text), Text(text)):
            whole = seen(query, content, glances=False)
            self.assertIs(seen(query, content, glances=True), whole)

    def test_what_is_plain_is_told_at_a_glance(self) -> None:
        for head in (b"", b"Content-Type: text/plain; charset=utf-8\r\n"):
            self.assertTrue(lacks(head + b"\r\nNothing of it.\r\n", [b"abc"]))

    def test_what_may_have_it_is_looked_into(self) -> None:
        for content in (b"xABCx", b"\xe9", b"=?", b"charset=utf-16", b"charset=utf-8x", b"Base64"):
            self.assertFalse(lacks(b"\r\n" + content, [b"abc"]))

    def test_the_longest_word_is_what_stands_there_however_lines_are_folded(self) -> None:
        self.assertEqual(word_of("to: somebody else"), b"somebody")
        for text in ("", " ", ":", "\xe9", "a\0b", "a\tb"):
            self.assertIsNone(word_of(text))
