"""What holds for every URL and for every text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import ImapUrl, in_response_code, login_referral, parse, resolve
from tests.imapurl.strategies import HOSTS, MECHANISMS, TEXTS, URLS
from tests.proves import proves

PIECES = st.sampled_from(
    [
        "imap://", "IMAP:", "//", "/", ";AUTH=", "*", "user", "@", "h", "[::1]", ":143", ":", "%41",
        "%", "%zz", "%00", "%0d%0A", "%c3%bc", "%ff", "INBOX", ";UIDVALIDITY=", "7", "/;UID=",
        "/;SECTION=", "TEXT", "/;PARTIAL=", "0.5", ";EXPIRE=", "2030-01-01T00:00:00Z", ";URLAUTH=",
        "user+", "anonymous", ":internal:", "0123456789abcdef" * 2, "?", "#", "..", ".", "ü",
        "\udc80", "{1+}",
    ]
)  # fmt: skip
SHAPED = st.lists(PIECES, max_size=14).map("".join)
NOISE = st.one_of(st.text(max_size=40), SHAPED, SHAPED.map("imap://u;AUTH=*@h/".__add__))
FORBIDDEN = re.compile(r'[^\x21-\x7e]|[\]"\[\\<>^`{|}]')


class PropertiesTests(SynchronousTestCase):
    @proves("U1", "U2", "U5", "U7")
    @given(URLS)
    def test_a_url_comes_back_from_its_text(self, url: ImapUrl) -> None:
        self.assertEqual(parse(str(url)), url)
        self.assertEqual(parse(str(url).encode()), url)
        self.assertEqual(str(parse(str(url))), str(url))

    @proves("U1")
    @given(URLS, URLS)
    def test_an_absolute_path_means_the_same_on_any_base(self, base: ImapUrl, url: ImapUrl) -> None:
        there = resolve(url.server(), url.path)
        self.assertEqual(there, url)
        self.assertEqual(resolve(base, str(url)), url)
        self.assertEqual(resolve(base, str(url).removeprefix("imap:")), url)
        self.assertEqual(resolve(base, ""), base)
        self.assertEqual(resolve(base, url.path).server(), base.server())

    @proves("U4")
    @given(URLS)
    def test_nothing_stands_in_a_url_that_a_response_code_cannot_hold(self, url: ImapUrl) -> None:
        if ":" in url.host:
            self.assertRaises(UrlError, in_response_code, url)
        else:
            self.assertIsNone(FORBIDDEN.search(in_response_code(url)))

    @proves("U2", "U3", "U4", "L2", "L8")
    @given(HOSTS, st.none() | st.integers(1, 65535), TEXTS, MECHANISMS)
    def test_a_login_referral_names_server_user_and_mechanism_and_nothing_else(
        self, host: str, port: int | None, user: str, auth: str
    ) -> None:
        expected = ImapUrl(host=host, port=port, user=user, auth=auth)
        if ":" in host:
            self.assertRaises(UrlError, login_referral, host, port, user, auth)
            return
        text = login_referral(host, port, user, auth)
        self.assertEqual(text, str(expected))
        self.assertEqual(parse(text), expected)
        self.assertIsNone(FORBIDDEN.search(text))

    @proves("U7")
    @given(NOISE)
    def test_any_text_is_a_url_or_an_error_with_a_place_in_it(self, text: str) -> None:
        try:
            url = parse(text)
        except UrlError as error:
            self.assertTrue(error.reason)
            self.assertLessEqual(0, error.offset)
            self.assertLessEqual(error.offset, len(text))
        else:
            self.assertEqual(parse(str(url)), url)

    @proves("U7")
    @given(st.binary(max_size=30).map(b"imap://h/".__add__))
    def test_any_octets_are_a_url_or_an_error(self, octets: bytes) -> None:
        try:
            parse(octets)
        except UrlError as error:
            self.assertLessEqual(error.offset, len(octets))

    @proves("U1", "U7")
    @given(URLS, NOISE)
    def test_any_reference_resolves_or_is_an_error_with_a_place_in_it(
        self, base: ImapUrl, reference: str
    ) -> None:
        try:
            url = resolve(base, reference)
        except UrlError as error:
            self.assertLessEqual(0, error.offset)
            self.assertLessEqual(error.offset, len(reference))
        else:
            self.assertEqual(parse(str(url)), url)
