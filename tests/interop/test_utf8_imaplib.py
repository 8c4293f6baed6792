"""Python's imaplib with UTF8=ACCEPT, on mailboxes that are kept by us (RFC 6855)."""

from __future__ import annotations

import imaplib

from tests.interop.kept import KeptHere

NAME = "Entwürfe/größte"
MESSAGE = (
    "From: Jörg <joerg@home.example>\r\n"
    "To: al@home.example\r\n"
    "Subject: Grüße aus Köln\r\n"
    "Date: Mon, 2 Nov 2026 10:00:00 +0100\r\n"
    "Message-ID: <1@home.example>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "Straße\r\n"
).encode()


class Imaplib(KeptHere):
    def enabled(self) -> imaplib.IMAP4:
        client = self.client()
        self.assertEqual(client.enable("UTF8=ACCEPT")[0], "OK")
        return client

    def test_names_and_headers_go_both_ways_in_utf8(self) -> None:
        client = self.enabled()
        box = f'"{NAME}"'
        self.assertEqual(client.create(box)[0], "OK")
        self.assertIn(box, b"\n".join(client.list()[1]).decode())
        # imaplib writes the words UTF8 of the command into the message itself.
        appended = self.client().append('"Entw&APw-rfe/gr&APYA3w-te"', "", "", MESSAGE)
        self.assertEqual(appended[0], "OK")
        self.assertEqual(client.select(box), ("OK", [b"1"]))
        fetched = client.fetch("1", "(BODY.PEEK[])")[1][0]
        self.assertEqual(fetched[1], MESSAGE)
        for criterion, found in (
            ('SUBJECT "köln"', b"1"), ('FROM "Jörg"', b"1"), ('BODY "straße"', b"1"),
            ('SUBJECT "Bönn"', b""),
        ):  # fmt: skip
            self.assertEqual(client.search(None, criterion), ("OK", [found]), criterion)
        with self.assertRaises(imaplib.IMAP4.error):
            client.search("UTF-8", 'SUBJECT "köln"')

    def test_others_see_the_same_mailbox_in_utf7(self) -> None:
        self.enabled().create(f'"{NAME}"')
        other = self.client()
        self.assertIn(b"Entw&APw-rfe/gr&APYA3w-te", b"\n".join(other.list()[1]))
        self.assertEqual(other.select('"Entw&APw-rfe/gr&APYA3w-te"')[0], "OK")
