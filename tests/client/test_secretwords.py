"""Credentials that a server repeats are seen nowhere."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.following import Credentials
from referrald.client.secretwords import SecretWords
from tests.proves import proves


def hide(text: str, user: str = "alice", secret: str = "hunter2") -> str:
    return SecretWords(user, secret).hide(text)


class SecretWordsTests(SynchronousTestCase):
    def test_a_quote_in_a_password_that_is_repeated(self) -> None:
        self.assertEqual(
            hide('LOGIN alice "a\\"b" or a"b', secret='a"b'), 'LOGIN alice "***" or ***'
        )

    def test_a_password_that_is_the_name_is_not_given_away_by_its_absence(self) -> None:
        self.assertEqual(hide("alice, go away", secret="alice"), "alice, go away")

    def test_without_a_secret_nothing_is_touched(self) -> None:
        self.assertEqual(hide("AAAAAAAA is no password", secret=""), "AAAAAAAA is no password")

    def test_a_password_in_a_url_is_blotted_out_whosever_it_is(self) -> None:
        self.assertEqual(hide("see imap://bob:s3cret@h/"), "see imap://bob:***@h/")

    @proves("S4")
    def test_a_password_that_is_no_utf_8_is_found_as_it_is_shown(self) -> None:
        secret = b"gr\xfcn77".decode("utf-8", "surrogateescape")
        shown = b"bad password gr\xfcn77".decode("utf-8", "replace")
        self.assertEqual(hide(shown, secret=secret), "bad password ***")

    @proves("S4")
    def test_a_masters_password_is_one_as_well(self) -> None:
        words = Credentials(user="bob", login_as="root", password="t0p-secret").words
        self.assertEqual(words.hide("no t0p-secret for bob"), "no *** for bob")

    @proves("S4")
    @given(st.text(min_size=6).filter(lambda text: "\0" not in text and text.isprintable()))
    def test_the_message_of_plain_is_found_whatever_is_in_it(self, secret: str) -> None:
        if secret == "alice":
            return
        sent = b64encode(f"\0alice\0{secret}".encode()).decode("ascii")
        self.assertNotIn(sent, hide(f"what is {sent} supposed to mean?", secret=secret))
