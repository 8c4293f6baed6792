"""A real Dovecot that takes logins only from who shows a certificate."""

from __future__ import annotations

import imaplib
from pathlib import Path

from tests.interop.shared import open_client
from tests.interop.support import InteropCase, Referrald, make_certificate

HOST = "localhost"
ASKING = """
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_ca = <{front}
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_require_client_cert = yes
"""


class ShownToHomes(InteropCase):
    def setUp(self) -> None:
        folder = self.folder()
        self.certificate, key = make_certificate(folder, HOST)
        self.own, self.own_key = make_certificate(folder, "front.example")
        settings = ASKING.format(certificate=self.certificate, key=key, front=self.own)
        self.home = self.start_home([("alice", "secret")], settings=settings)

    def front(self, more: str) -> Referrald:
        return self.start_referrald(
            f"alice:{{PLAIN}}secret::::::host={HOST} port={self.home.port} nologin\n",
            f'[referral]\nlogin = "relay"\n[relay]\nca = "{self.certificate}"\n{more}',
        )

    def test_who_shows_one_is_let_in_and_who_does_not_is_not(self) -> None:
        shown = self.front(f'certificate = "{self.own}"\nkey = "{self.own_key}"\n')
        with open_client(shown.port) as client:
            self.assertEqual(client.select("INBOX")[1], [b"1"])
        with self.assertRaises(imaplib.IMAP4.error):
            open_client(self.front("").port)

    def test_one_that_the_home_does_not_know_is_of_no_use(self) -> None:
        other, key = make_certificate(Path(self.folder()), "other.example")
        with self.assertRaises(imaplib.IMAP4.error):
            open_client(self.front(f'certificate = "{other}"\nkey = "{key}"\n').port)
