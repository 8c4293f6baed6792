"""The URL of a login referral (RFC 2221)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import login_referral
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
