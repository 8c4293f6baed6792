"""Names, subtrees and patterns of mailboxes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.mailboxnames import (
    MailboxPattern,
    Match,
    checked_template,
    fill_template,
    fold_inbox,
    is_inbox,
    read_match,
)
from referrald.backends.servers import Wrong

NAMES = st.text("ab/I", max_size=8)
PATTERNS = st.text("ab/*%", max_size=8)


def as_expression(pattern: str) -> str:
    """Write a pattern as a regular expression."""
    words = {"*": ".*", "%": "[^/]*"}
    return "".join(words.get(char, re.escape(char)) for char in pattern)


class Patterns(SynchronousTestCase):
    @given(PATTERNS, NAMES)
    def test_a_star_crosses_levels_and_a_percent_sign_does_not(
        self, pattern: str, name: str
    ) -> None:
        wanted = bool(name) and bool(re.fullmatch(as_expression(pattern), name))
        self.assertEqual(MailboxPattern(pattern).matches(name), wanted)

    def test_inbox_fits_none(self) -> None:
        for pattern in ("*", "%", "INBOX", "inb*", "I%X"):
            for name in ("INBOX", "inbox", "Inbox"):
                self.assertFalse(MailboxPattern(pattern).matches(name))
        self.assertTrue(MailboxPattern("*").matches("INBOX/x"))

    def test_no_pattern_is_slow_and_an_endless_name_fits_none(self) -> None:
        slow = MailboxPattern("*a" * 300 + "b")
        self.assertFalse(slow.matches("a" * 1_000))
        self.assertTrue(MailboxPattern("*").matches("a" * 1_000))
        self.assertFalse(MailboxPattern("*").matches("a" * 1_001))


class Matches(SynchronousTestCase):
    def test_the_end_says_what_is_meant(self) -> None:
        for text, kind, name in (
            ("Archive", "name", "Archive"),
            ("#shared/", "subtree", "#shared"),
            ("#shared/*", "subtree", "#shared"),
            ("a/b/", "subtree", "a/b"),
            ("#shared*", "pattern", "#shared*"),
            ("*", "pattern", "*"),
            ("a/%", "pattern", "a/%"),
            ("%/b", "pattern", "%/b"),
            ("%/*", "pattern", "%/*"),
            ("a/**", "pattern", "a/**"),
            ("inbox/old", "name", "INBOX/old"),
            ("Inbox/old/", "subtree", "INBOX/old"),
            ("inbox/%", "pattern", "INBOX/%"),
            ("Entw\u00fcrfe \u2708", "name", "Entw\u00fcrfe \u2708"),
        ):
            self.assertEqual(read_match(text), Match(kind, name), text)  # type: ignore[arg-type]

    def test_what_can_be_no_mailbox_elsewhere_is_refused(self) -> None:
        for text in (
            "", "/", "/*", "//", "/a", "a//b", "a//", "a//*", "*//", "INBOX", "inbox", "Inbox/",
            "INBOX/*", "a\nb", "a\0", "\u0085", "x" * 1_001, "\u00e9" * 501, "a*\n", "\ud800",
        ):  # fmt: skip
            self.assertRaises(Wrong, read_match, text)

    def test_a_name_may_be_as_long_as_is_said(self) -> None:
        self.assertEqual(read_match("x" * 1_000).kind, "name")

    def test_only_ascii_letters_make_inbox(self) -> None:
        self.assertFalse(is_inbox("\u0131nbox"))
        self.assertEqual(fold_inbox("\u0131nbox/a"), "\u0131nbox/a")
        self.assertEqual(fold_inbox("iNbOx/a"), "INBOX/a")
        self.assertEqual(fold_inbox("inboxes"), "inboxes")


class Templates(SynchronousTestCase):
    def test_the_whole_name_and_percent_signs_are_filled_in(self) -> None:
        template = checked_template("100%% of %m and %m")
        self.assertEqual(fill_template(template, "a/%m"), "100% of a/%m and a/%m")

    def test_what_is_no_template_is_refused(self) -> None:
        for text in ("Archive", "%%m", "%u", "%", "%m%", "%m/%x", ""):
            self.assertRaises(Wrong, checked_template, text)
