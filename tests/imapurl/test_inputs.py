"""URLs seen in the field and in the RFCs, one by one: what each means or where it is wrong."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import ImapUrl, in_response_code, parse
from tests.proves import proves

ANY = {"auth": "*"}
U_AT_H: dict[str, Any] = {"user": "u", "auth": "*", "host": "h"}

SERVERS: list[tuple[str, dict[str, Any]]] = [
    ("imap://mike;AUTH=*@server2/", {"user": "mike", "host": "server2", **ANY}),
    ("IMAP://user;AUTH=*@SERVER2/", {"user": "user", "host": "server2", **ANY}),
    (
        "imap://nl;AUTH=PLAIN@imap2.example.com/",
        {"user": "nl", "auth": "PLAIN", "host": "imap2.example.com"},
    ),
    (
        "imap://ssl;AUTH=PLAIN@imap2.example.com:993/",
        {"user": "ssl", "auth": "PLAIN", "host": "imap2.example.com", "port": 993},
    ),
    ("imap://server2/", {"host": "server2"}),
    ("imap://server2", {"host": "server2"}),
    (
        "imap://test%40mail1.example.com;AUTH=*@mail2.example.com/",
        {"user": "test@mail1.example.com", "host": "mail2.example.com", **ANY},
    ),
    ("imap://a%2fb%25c;AUTH=*@h/", {**U_AT_H, "user": "a/b%c"}),
    ("imap://a%20b;AUTH=*@h/", {**U_AT_H, "user": "a b"}),
    ("imap://j%c3%bcrgen;AUTH=*@h/", {**U_AT_H, "user": "jürgen"}),
    ("imap://u%5Dx;AUTH=*@h/", {**U_AT_H, "user": "u]x"}),
    ("imap://u;AUTH=GSSAPI@h/", {**U_AT_H, "auth": "GSSAPI"}),
    ("imap://u;AUTH=*@[::1]:1143/", {**U_AT_H, "host": "::1", "port": 1143}),
    ("imap://u;AUTH=*@xn--bcher-kva.example/", {**U_AT_H, "host": "xn--bcher-kva.example"}),
    ("imap://u;AUTH=*@bücher.example/", {**U_AT_H, "host": "xn--bcher-kva.example"}),
    ("imap://u;AUTH=*@h/", U_AT_H),
    ("imap://MATTHEW@SERVER2/", {"user": "MATTHEW", "host": "server2"}),
    ("imap://u@h/", {"user": "u", "host": "h"}),
]

MAILBOXES: list[tuple[str, dict[str, Any]]] = [
    ("imap://u;AUTH=*@h/INBOX", {**U_AT_H, "mailbox": "INBOX"}),
    (
        "IMAP://user;AUTH=*@SERVER2/SHARED/FOO",
        {"user": "user", "host": "server2", "mailbox": "SHARED/FOO", **ANY},
    ),
    (
        "imap://;AUTH=*@be1.example.com/user/joe/%C3%A9t%C3%A9%20x",
        {"host": "be1.example.com", "mailbox": "user/joe/été x", **ANY},
    ),
    ("imap://u;AUTH=*@h/a%23b", {**U_AT_H, "mailbox": "a#b"}),
    ("imap://u;AUTH=*@h/a%5Db", {**U_AT_H, "mailbox": "a]b"}),
    # Names in URLs are UTF-8: what looks like modified UTF-7 is a name of its own.
    ("imap://u;AUTH=*@h/%26-x", {**U_AT_H, "mailbox": "&-x"}),
    ("imap://u;AUTH=*@h/%26AOk-", {**U_AT_H, "mailbox": "&AOk-"}),
    ("imap://u;AUTH=*@h/Sent%20Items/;UID=20", {**U_AT_H, "mailbox": "Sent Items", "uid": 20}),
    ("imap://u;AUTH=*@S1/FOO", {**U_AT_H, "host": "s1", "mailbox": "FOO"}),
    ("imap://u;AUTH=*@S2/BAR", {**U_AT_H, "host": "s2", "mailbox": "BAR"}),
    ("imap://u;AUTH=*@h/%2e%2e/x", {**U_AT_H, "mailbox": "../x"}),
    ("imap://u;AUTH=*@h/INBOX?SUBJECT%20x", {**U_AT_H, "mailbox": "INBOX", "search": "SUBJECT x"}),
]

WRONG: list[tuple[str, int, str]] = [
    ("imap://test%40mail1.example.com;AUTH=*@/", 39, "empty host"),
    ("imap://user@ex.com;AUTH=*@h/", 11, "%40"),
    ("imap://u;AUTH=@h/", 14, "empty auth"),
    ("imap://u;FOO=bar@h/", 8, "AUTH"),
    ("imap://v6;AUTH=PLAIN@2001%3adb8%3a%3a9/", 21, "address in a name"),
    ("imap://u;AUTH=*@h:0/", 18, "1 to 65535"),
    ("imap://u;AUTH=*@h:65536/", 18, "1 to 65535"),
    ("imap://u;AUTH=*@h:143%2Fnotls%2Fnovalidate-cert/", 21, "digits"),
    ("imap://u;AUTH=*@h%00.evil/", 17, "NUL"),
    ("imap:u@h", 5, "//"),
    ("http://h/", 0, "not an imap"),
    ("//u;AUTH=*@h/", 0, "not an imap"),
    ("imap://u;AUTH=*@h/ imap://u;AUTH=*@h2/", 18, "' '"),
    ("imap://u;AUTH=*@127.0.0.1:SELF/", 26, "digits"),
    (f"imap://u;AUTH=*@{'h' * 300}/", 16, "host name"),
    ('"imap://u;AUTH=*@h/"', 0, "not an imap"),
    (" imap://u;AUTH=*@h/", 0, "not an imap"),
]


class InputsTests(SynchronousTestCase):
    @proves("U1", "U2", "U3", "U5", "L2")
    def test_server_urls_say_what_they_mean(self) -> None:
        for text, parts in SERVERS:
            with self.subTest(text):
                self.assertEqual(parse(text), ImapUrl(**parts))
                self.assertEqual(parse(text).kind, "server")

    @proves("U1", "U5", "M13")
    def test_mailbox_urls_say_what_they_mean(self) -> None:
        for text, parts in MAILBOXES:
            with self.subTest(text):
                self.assertEqual(parse(text), ImapUrl(**parts))
                self.assertNotEqual(parse(text).kind, "server")

    @proves("U3", "U4", "U5", "U7")
    def test_wrong_urls_are_refused_with_the_place(self) -> None:
        for text, offset, reason in WRONG:
            with self.subTest(text):
                error = self.assertRaises(UrlError, parse, text)
                self.assertEqual(error.offset, offset)
                self.assertIn(reason, error.reason)
                self.assertEqual(error.text, text)

    @proves("U4")
    def test_brackets_of_an_address_are_read_by_grammar_and_never_sent(self) -> None:
        url = parse("imap://u;AUTH=*@[::1]:1143/")
        self.assertEqual((url.host, url.port), ("::1", 1143))
        self.assertRaises(UrlError, in_response_code, url)
