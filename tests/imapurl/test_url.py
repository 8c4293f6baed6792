"""A wrong URL cannot be made; a right one has one written form."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import ImapUrl
from tests.proves import proves


class ValuesTests(SynchronousTestCase):
    @proves("U2", "U3", "U5", "U7")
    def test_a_wrong_part_is_refused(self) -> None:
        message = {"mailbox": "m", "uid": 1}
        wrong: list[dict[str, Any]] = [
            {"host": ""}, {"host": "a b"}, {"host": "[::1]"}, {"host": "h/"}, {"host": 5},
            {"host": None}, {"user": ""}, {"user": "a\0"}, {"user": "a\r"}, {"user": "a\n"},
            {"user": "\udc80"}, {"user": b"u"}, {"auth": ""}, {"auth": "PLAIN "}, {"auth": "**"},
            {"auth": "pla\u0131n"}, {"auth": 1}, {"port": 0}, {"port": 65536}, {"port": True},
            {"port": "1"}, {"mailbox": ""}, {"mailbox": "a\nb"},
            {"mailbox": "m", "uidvalidity": 0}, {"uidvalidity": 1}, {"uid": 1}, {"search": "ALL"},
            {"mailbox": "m", "search": ""}, {"mailbox": "m", "search": "a\0"},
            {"mailbox": "m", "search": "a\r\nb"}, {"mailbox": "m", "search": 1},
            {**message, "search": "ALL"}, {**message, "uid": 2**32}, {**message, "section": "1]"},
            {**message, "section": ""}, {**message, "partial": (-1, None)},
            {**message, "partial": (0, 0)}, {**message, "partial": 1},
            {**message, "access": "user+"}, {**message, "access": "ANONYMOUS"},
            {**message, "expire": "2030-01-01T00:00:00Z"}, {**message, "urlauth": ("a", "b" * 32)},
            {**message, "access": "authuser", "urlauth": ("a", "b")},
            {**message, "access": "authuser", "urlauth": ("", "b" * 32)},
            {**message, "access": "authuser", "urlauth": "a"},
            {**message, "access": "authuser", "expire": 5}, {"mailbox": "m", "section": "1"},
            {"mailbox": "m", "partial": (0, 1)},
        ]  # fmt: skip
        for parts in wrong:
            with self.subTest(repr(parts)):
                self.assertRaises(UrlError, lambda parts=parts: ImapUrl(**{"host": "h", **parts}))

    @proves("U2")
    def test_a_user_is_encoded_exactly_where_it_must_be(self) -> None:
        url = ImapUrl(host="h", user="a;/?#[]@:% \x01\x7fé&=!$'()*+,-._~")
        self.assertEqual(
            str(url),
            "imap://a%3B%2F%3F%23%5B%5D%40%3A%25%20%01%7F%C3%A9&=!$'()*+,-._~@h/",
        )

    @proves("U5")
    def test_a_mailbox_cannot_be_taken_for_a_path(self) -> None:
        forms = {
            "/m": "%2Fm",
            "//m": "%2F/m",
            "/": "%2F",
            "..": "%2E%2E",
            "./a": "%2E/a",
            "a/../b/.": "a/%2E%2E/b/%2E",
            "a..b/.c": "a..b/.c",
            "a;b?c#d": "a%3Bb%3Fc%23d",
            "INBOX/ü": "INBOX/%C3%BC",
            "a:b@c": "a:b@c",
        }
        for name, path in forms.items():
            with self.subTest(name):
                self.assertEqual(str(ImapUrl(host="h", mailbox=name)), f"imap://h/{path}")

    @proves("U2", "U3")
    def test_spelling_that_means_nothing_makes_no_difference(self) -> None:
        one = ImapUrl(host="BÜCHER.example", port=143, auth="plain")
        two = ImapUrl(host="xn--bcher-kva.example", auth="PLAIN")
        self.assertEqual(one, two)
        self.assertEqual(hash(one), hash(two))

    @proves("U1")
    def test_the_server_of_a_url(self) -> None:
        url = ImapUrl(host="h", port=9, user="u", auth="*", mailbox="m", uid=1)
        self.assertEqual(url.server(), ImapUrl(host="h", port=9, user="u", auth="*"))
