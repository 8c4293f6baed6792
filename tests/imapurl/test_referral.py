"""The URLs of login referrals (RFC 2221) and mailbox referrals (RFC 2193)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import ImapUrl, login_referral, mailbox_referral, parse
from tests.proves import proves


class LoginReferralTests(SynchronousTestCase):
    @proves("L2", "L8", "U2", "U3", "U4")
    def test_user_always_slash_always_143_never(self) -> None:
        urls: dict[tuple[Any, ...], str] = {
            ("h", 143, "alice"): "imap://alice;AUTH=*@h/",
            ("h", None, "alice"): "imap://alice;AUTH=*@h/",
            ("H.Example", 993, "alice"): "imap://alice;AUTH=*@h.example:993/",
            ("192.0.2.1", 143, "a@b.example"): "imap://a%40b.example;AUTH=*@192.0.2.1/",
            ("h", 143, "a@b@c"): "imap://a%40b%40c;AUTH=*@h/",
            ("h", 143, 'a] "b'): "imap://a%5D%20%22b;AUTH=*@h/",
            ("h", 143, "jürgen"): "imap://j%C3%BCrgen;AUTH=*@h/",
            ("bücher.example", 143, "u"): "imap://u;AUTH=*@xn--bcher-kva.example/",
            ("h", 143, "u", "gssapi"): "imap://u;AUTH=GSSAPI@h/",
        }
        for arguments, url in urls.items():
            with self.subTest(url):
                self.assertEqual(login_referral(*arguments), url)

    @proves("U3", "U4", "U5")
    def test_what_no_referral_can_carry(self) -> None:
        wrong: list[tuple[Any, ...]] = [
            ("::1", 143, "u"),
            ("[::1]", 143, "u"),
            ("h", 0, "u"),
            ("h", 65536, "u"),
            ("h/x", 143, "u"),
            ("", 143, "u"),
            ("h", 143, ""),
            ("h", 143, "a\nb"),
            ("h", 143, "\udc80"),
            ("h", 143, "u", ""),
            ("h", 143, "u", "a b"),
        ]
        for arguments in wrong:
            with self.subTest(repr(arguments)):
                self.assertRaises(UrlError, login_referral, *arguments)


class MailboxReferralTests(SynchronousTestCase):
    @proves("M13", "U4", "U5")
    def test_a_name_is_percent_encoded_utf_8(self) -> None:
        names = {
            "INBOX": "INBOX",
            "Shared/Team": "Shared/Team",
            "Entwürfe": "Entw%C3%BCrfe",
            "台北": "%E5%8F%B0%E5%8C%97",
            "\U0001f4ec": "%F0%9F%93%AC",
            "a b": "a%20b",
            "a]b": "a%5Db",
            'a"b': "a%22b",
            "a#b?c;d": "a%23b%3Fc%3Bd",
            "50%": "50%25",
            "%41": "%2541",
            "R&D": "R&D",
            "&AOk-": "&AOk-",
            "a\\b": "a%5Cb",
            "a\x7f\tb": "a%7F%09b",
            ";UIDVALIDITY=1": "%3BUIDVALIDITY=1",
            "/etc": "%2Fetc",
            "//h": "%2F/h",
            ".": "%2E",
            "./a": "%2E/a",
            "../a": "%2E%2E/a",
            "a/../b": "a/%2E%2E/b",
            "a/..": "a/%2E%2E",
            "a...b/.c": "a...b/.c",
        }
        for name, encoded in names.items():
            with self.subTest(name):
                url = mailbox_referral("h", 143, "u", name)
                self.assertEqual(url, f"imap://u;AUTH=*@h/{encoded}")

    @proves("M13")
    def test_user_mechanism_and_port_are_as_in_a_login_referral(self) -> None:
        self.assertEqual(
            mailbox_referral("H.Example", 993, "a@b.example", "INBOX", "gssapi"),
            "imap://a%40b.example;AUTH=GSSAPI@h.example:993/INBOX",
        )

    @proves("M13", "U4", "U5")
    def test_what_no_mailbox_referral_can_carry(self) -> None:
        wrong: list[tuple[Any, ...]] = [
            ("::1", 143, "u", "INBOX"),
            ("[::1]", 143, "u", "INBOX"),
            ("", 143, "u", "INBOX"),
            ("h/x", 143, "u", "INBOX"),
            ("h", 65536, "u", "INBOX"),
            ("h", 143, "", "INBOX"),
            ("h", 143, "u\n", "INBOX"),
            ("h", 143, "u", ""),
            ("h", 143, "u", "a\0"),
            ("h", 143, "u", "a\r"),
            ("h", 143, "u", "a\nb"),
            ("h", 143, "u", "\ud800"),
            ("h", 143, "u", "INBOX", "a b"),
            ("h", 143, "u", "INBOX", ""),
        ]
        for arguments in wrong:
            with self.subTest(repr(arguments)):
                self.assertRaises(UrlError, mailbox_referral, *arguments)

    @proves("M13", "U4", "U7")
    @given(st.text(min_size=1), st.text(min_size=1))
    def test_what_is_made_stands_in_a_response_code_and_means_what_was_meant(
        self, user: str, name: str
    ) -> None:
        try:
            meant = ImapUrl(host="h.example", user=user, auth="*", mailbox=name)
        except UrlError:
            self.assertRaises(UrlError, mailbox_referral, "h.example", 143, user, name)
            return
        url = mailbox_referral("h.example", 143, user, name)
        self.assertRegex(url, r"\A[!#-\\^-~]+\Z")
        self.assertEqual(url, str(meant))
        self.assertEqual(parse(url), meant)
