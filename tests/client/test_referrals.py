"""Referrals as servers really send them: what each line says, or why it is refused."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.client.referrals import (
    Context,
    Referral,
    RefusedReferral,
    Target,
    counts,
    login_target,
    login_targets,
    mailbox_targets,
    referral_in,
)
from referrald.imapurl import ImapUrl, parse
from tests.imapurl.strategies import URLS
from tests.proves import proves

U_AT_H = "imap://u;AUTH=*@h/"
BASE = ImapUrl(host="front.example", user="me")

# What comes out: the URLs to follow, the reason why there are none, or None without a referral.
Outcome = tuple[str, ...] | str | None

LOGIN_NO: list[tuple[str, str, Outcome]] = [
    (
        "I1",
        "A1 NO [REFERRAL imap://mike;AUTH=*@server2/] go",
        ("imap://mike;AUTH=*@server2/",),
    ),
    (
        "I2",
        "A1 NO [REFERRAL IMAP://user;AUTH=*@SERVER2/] go",
        ("imap://user;AUTH=*@server2/",),
    ),
    (
        "I4",
        "A1 NO [REFERRAL imap://nl;AUTH=PLAIN@imap2.example.com/] go",
        ("imap://nl;AUTH=PLAIN@imap2.example.com/",),
    ),
    (
        "I5",
        "A1 NO [REFERRAL imap://ssl;AUTH=PLAIN@imap2.example.com:993/] go",
        ("imap://ssl;AUTH=PLAIN@imap2.example.com:993/",),
    ),
    ("I7", "A1 NO [REFERRAL imap://server2/] go", ("imap://server2/",)),
    ("I8", "A1 NO [REFERRAL imap://server2] go", ("imap://server2/",)),
    (
        "I10",
        "A1 NO [REFERRAL imap://test%40mail1.example.com;AUTH=*@mail2.example.com/] go",
        ("imap://test%40mail1.example.com;AUTH=*@mail2.example.com/",),
    ),
    (
        "I11",
        "A1 NO [REFERRAL imap://test%40mail1.example.com;AUTH=*@/] go",
        "URL 1: an empty host (at offset 39)",
    ),
    ("I13", "A1 NO [REFERRAL imap://a%2fb%25c;AUTH=*@h/] go", ("imap://a%2Fb%25c;AUTH=*@h/",)),
    ("I14", "A1 NO [REFERRAL imap://a%20b;AUTH=*@h/] go", ("imap://a%20b;AUTH=*@h/",)),
    (
        "I16",
        "A1 NO [REFERRAL imap://j%c3%bcrgen;AUTH=*@h/] go",
        ("imap://j%C3%BCrgen;AUTH=*@h/",),
    ),
    ("I17", "A1 NO [REFERRAL imap://u%5Dx;AUTH=*@h/] go", ("imap://u%5Dx;AUTH=*@h/",)),
    ("I19", "A1 NO [REFERRAL imap://user@ex.com;AUTH=*@h/] go", "an @ in a user is written %40"),
    ("I20", "A1 NO [REFERRAL imap://u;AUTH=GSSAPI@h/] go", ("imap://u;AUTH=GSSAPI@h/",)),
    ("I22", "A1 NO [REFERRAL imap://u;AUTH=@h/] go", "an empty auth"),
    ("I23", "A1 NO [REFERRAL imap://u;FOO=bar@h/] go", "AUTH"),
    (
        "I25",
        "A1 NO [REFERRAL imap://u;AUTH=*@[::1]:1143/] go",
        ("imap://u;AUTH=*@[::1]:1143/",),
    ),
    (
        "I26",
        "A1 NO [REFERRAL imap://v6;AUTH=PLAIN@2001%3adb8%3a%3a9/] go",
        "address in a name",
    ),
    ("I28", "A1 NO [REFERRAL imap://u;AUTH=*@h:0/] go", "not a number from 1 to 65535"),
    ("I29", "A1 NO [REFERRAL imap://u;AUTH=*@h:65536/] go", "not a number from 1 to 65535"),
    (
        "I31",
        "A1 NO [REFERRAL imap://u;AUTH=*@h:143%2Fnotls%2Fnovalidate-cert/] go",
        "digits",
    ),
    ("I32", "A1 NO [REFERRAL imap://u;AUTH=*@h%00.evil/] go", "an encoded NUL"),
    (
        "I34",
        "A1 NO [REFERRAL imap://u;AUTH=*@xn--bcher-kva.example/] go",
        ("imap://u;AUTH=*@xn--bcher-kva.example/",),
    ),
    (
        "I35",
        "A1 NO [REFERRAL imap://u;AUTH=*@bücher.example/] go",
        ("imap://u;AUTH=*@xn--bcher-kva.example/",),
    ),
    ("I37", "A1 NO [REFERRAL imap:u@h] go", "// must follow the scheme"),
    ("I38", "A1 NO [REFERRAL http://h/] go", "not an imap: URL"),
    ("I40", "A1 NO [REFERRAL //u;AUTH=*@h/] go", (U_AT_H,)),
    (
        "I41",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/ imap://u;AUTH=*@h2/] go",
        (U_AT_H, "imap://u;AUTH=*@h2/"),
    ),
    (
        "I43",
        "A1 NO [REFERRAL imap://u;AUTH=*@127.0.0.1:1143/] go",
        ("imap://u;AUTH=*@127.0.0.1:1143/",),
    ),
    ("I44", "A1 NO [REFERRAL imap://u;AUTH=*@h/INBOX] go", ("imap://u;AUTH=*@h/INBOX",)),
    ("I46", f"A1 NO [REFERRAL imap://u;AUTH=*@{'h' * 260}/] go", "not a host name"),
]

LOGIN_OTHER: list[tuple[str, str, Outcome]] = [
    ("I47", "A1 NO [referral imap://u;AUTH=*@h/] lower", (U_AT_H,)),
    ("I49", "A1 NO [REFERRAL imap://u;AUTH=*@h/", (U_AT_H,)),
    ("I50", "A1 NO [REFERRAL]", "a referral without a URL"),
    ("I52", "A1 NO [REFERRAL  imap://u;AUTH=*@h/] two spaces", (U_AT_H,)),
    ("I53", 'A1 NO [REFERRAL "imap://u;AUTH=*@h/"] quoted', (U_AT_H,)),
    ("I55", "A1 BAD [REFERRAL imap://u;AUTH=*@h/] bad", None),
    (
        "I56",
        "A1 OK [REFERRAL imap://MATTHEW@SERVER2/] personal mailboxes on Server2",
        ("imap://MATTHEW@server2/",),
    ),
    (
        "I58",
        "* OK [CAPABILITY IMAP4rev1] hi\r\nA1 OK [REFERRAL imap://u;AUTH=*@h/] Try referral URL",
        (U_AT_H,),
    ),
    ("I59", "* NO [REFERRAL imap://u;AUTH=*@h/] untagged\r\nA1 NO fail", None),
    ("I61", "* OK [REFERRAL imap://u@h/] greeting", None),
    ("I62", "* PREAUTH [REFERRAL imap://u@h/] hi", None),
    ("I109", "A1 OK [[REFERRAL imap://u;AUTH=*@h/] Try referral URL", (U_AT_H,)),
]

MAILBOX_NO: list[tuple[str, str, Outcome]] = [
    (
        "I64",
        "A1 NO [REFERRAL IMAP://user;AUTH=*@SERVER2/SHARED/FOO]Remote mailbox",
        ("imap://user;AUTH=*@server2/SHARED/FOO",),
    ),
    (
        "I65",
        "A1 NO [REFERRAL imap://;AUTH=*@be1.example.com/user/joe/%C3%A9t%C3%A9%20x] "
        "Remote mailbox.",
        ("imap://;AUTH=*@be1.example.com/user/joe/%C3%A9t%C3%A9%20x",),
    ),
    (
        "I67",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/a%23b] Remote mailbox.",
        ("imap://u;AUTH=*@h/a%23b",),
    ),
    (
        "I68",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/a%5Db] Remote mailbox.",
        ("imap://u;AUTH=*@h/a%5Db",),
    ),
    ("I70", "A1 NO [REFERRAL imap://u;AUTH=*@h/%26-x] Remote mailbox.", ("imap://u;AUTH=*@h/&-x",)),
    (
        "I71",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/%26AOk-] Remote mailbox.",
        ("imap://u;AUTH=*@h/&AOk-",),
    ),
    (
        "I73",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/Sent%20Items/;UID=20] Remote mailbox.",
        ("imap://u;AUTH=*@h/Sent%20Items/;UID=20",),
    ),
    (
        "I74",
        "A1 NO [REFERRAL imap://u;AUTH=*@S1/FOO imap://u;AUTH=*@S2/BAR] Remote mailbox.",
        ("imap://u;AUTH=*@s1/FOO", "imap://u;AUTH=*@s2/BAR"),
    ),
    (
        "I76",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/%2e%2e/x] Remote mailbox.",
        ("imap://u;AUTH=*@h/%2E%2E/x",),
    ),
    (
        "I77",
        "A1 NO [REFERRAL imap://u;AUTH=*@h/INBOX?SUBJECT%20x] Remote mailbox.",
        ("imap://u;AUTH=*@h/INBOX?SUBJECT%20x",),
    ),
]


def followed(lines: str, context: Context) -> Referral | None:
    """Read lines as a client does: the first referral that counts."""
    for line in lines.split("\r\n"):
        tag, kind, text = line.split(" ", 2)
        greets = tag == "*" and context == "login"
        if counts(kind, tag != "*", "greeting" if greets else context):
            return referral_in(kind, text.encode(), base=BASE)
    return None


def one(text: str) -> ImapUrl:
    """Read a tagged ``NO`` with one URL."""
    referral = referral_in("NO", text.encode())
    assert referral is not None
    (url,) = referral.urls
    return url


class LineTests(SynchronousTestCase):
    def check(self, line: str, context: Context, outcome: Outcome) -> None:
        """Compare what a client makes of ``line`` with what it should."""
        if isinstance(outcome, str):
            error = self.assertRaises(RefusedReferral, followed, line, context)
            self.assertIn(outcome, str(error))
            return
        referral = followed(line, context)
        self.assertEqual(referral and tuple(map(str, referral.urls)), outcome)

    @proves("L2", "U4", "U5")
    def test_answers_to_a_login_say_where_to_go_or_are_refused_with_the_reason(self) -> None:
        for name, line, outcome in LOGIN_NO:
            with self.subTest(name):
                self.check(line, "login", outcome)

    def test_what_servers_make_of_the_code_is_understood(self) -> None:
        for name, line, outcome in LOGIN_OTHER:
            with self.subTest(name):
                self.check(line, "login", outcome)

    @proves("U4", "M13")
    def test_answers_about_a_mailbox_say_where_it_is(self) -> None:
        for name, line, outcome in MAILBOX_NO:
            with self.subTest(name):
                self.check(line, "mailbox", outcome)


class CodeTests(SynchronousTestCase):
    def refused(self, text: str, reason: str) -> None:
        """Expect ``text`` to be refused for ``reason``."""
        error = self.assertRaises(RefusedReferral, referral_in, "NO", text.encode())
        self.assertIn(reason, str(error))
        self.assertEqual(error.public, "The server's referral cannot be followed.")

    def test_a_line_without_the_code_is_no_referral(self) -> None:
        for text in ("", "go", "[ALERT] go", "[REFERRALS imap://h/]", "REFERRAL imap://h/", "[]"):
            with self.subTest(text):
                self.assertIsNone(referral_in("NO", text.encode()))
        self.assertIsNone(referral_in("NO", b"see [REFERRAL imap://h/]"))

    def test_the_text_for_people_is_kept_without_control_characters(self) -> None:
        for text in (
            b"[REFERRAL imap://h/] go\x1b[1m \xff\r\n",
            b"[REFERRAL imap://h/]go\x1b[1m \xff",
        ):
            referral = referral_in("NO", text)
            assert referral is not None
            self.assertEqual(referral.text, "go [1m \ufffd")

    @proves("L4")
    def test_only_ok_says_that_the_login_succeeded(self) -> None:
        for kind, elsewhere in [("OK", True), ("ok", True), ("NO", False), ("BYE", False)]:
            referral = referral_in(kind, b"[REFERRAL imap://h/]")
            assert referral is not None
            self.assertIs(referral.personal_elsewhere, elsewhere)

    @proves("U4")
    def test_only_the_bracket_behind_an_address_does_not_end_the_code(self) -> None:
        self.assertEqual(one("[REFERRAL imap://[::1]] go").host, "::1")
        self.assertEqual(one("[REFERRAL imap://u@[::1]:993/a] ]go").port, 993)
        self.assertEqual(one("[REFERRAL imap://h/a] [x]").mailbox, "a")
        doubled = referral_in("NO", b"[[REFERRAL imap://h/a]] x")
        self.assertEqual(doubled, Referral(urls=(parse("imap://h/a"),), text="x"))
        self.refused("[REFERRAL imap://u;AUTH=*@[::1/] go", "it is not clear where it ends")
        self.refused("[REFERRAL imap://u;AUTH=*@[::1", "it is not clear where it ends")
        self.refused("[REFERRAL imap://h/a[1]] go", "'['")

    @proves("L12")
    def test_a_stray_bracket_or_a_cut_never_makes_another_host(self) -> None:
        self.refused("[REFERRAL imap://u]x;AUTH=*@h/] go", "it is not clear where it ends")
        self.refused("[REFERRAL imap://u;AUTH=*@mail.exam", "it is not clear where it ends")
        self.refused("[REFERRAL imap://h/ imap://mail.exam", "URL 2: it is not clear")
        self.refused("[REFERRAL imap://h/ go elsewhere", "it is not clear where it ends")

    def test_quotes_hold_what_they_hold(self) -> None:
        self.assertEqual(one('[REFERRAL "imap://h"').host, "h")
        self.refused('[REFERRAL "imap://h/] go', "a quote that does not end")
        self.refused('[REFERRAL imap://h/"] go', "a quote that does not end")
        self.refused('[REFERRAL "imap://h/ imap://i/"] go', "' '")
        self.refused('[REFERRAL ""] go', "not an imap: URL")

    def test_one_bad_url_spoils_the_referral(self) -> None:
        self.refused("[REFERRAL imap://h/ imap://h%00/] go", "URL 2: an encoded NUL")
        self.refused("[REFERRAL imap://h%2Fevil/] go", "not a host name")
        self.refused("[REFERRAL imap://h\x01/] go", "must be percent-encoded")
        self.refused("[REFERRAL\timap://h/] go", "not an imap: URL")
        self.refused("[REFERRAL imaps://h/] go", "not an imap: URL")
        self.refused("[referral ] go", "a referral without a URL")

    @proves("S4")
    def test_a_password_in_a_url_is_refused_and_not_repeated(self) -> None:
        for url in ("imap://user:secret@h/", "//user:secret;AUTH=*@h/", "imap://a@b:secret@h/"):
            with self.subTest(url):
                text = f"[REFERRAL {url}] go".encode()
                error = self.assertRaises(RefusedReferral, referral_in, "NO", text, base=BASE)
                self.assertIn("a password", str(error))
                self.assertNotIn("secret", repr(error))

    def test_a_long_line_full_of_separators_is_read_at_once(self) -> None:
        for part in (b":", b"@", b"[", b'"', b"]", b" ", b"//", b"[:", b"%00", b"a@", b"imap://["):
            text = b"[REFERRAL imap://" + part * 100_000
            before = time.process_time()
            self.assertRaises(RefusedReferral, referral_in, "NO", text)
            self.assertLess(time.process_time() - before, 2)

    @proves("U1")
    def test_references_need_a_base_and_a_leading_slash(self) -> None:
        self.refused("[REFERRAL //u;AUTH=*@h/] go", "not an imap: URL")
        referral = referral_in("NO", b"[REFERRAL /Public/a] go", base=BASE)
        assert referral is not None
        self.assertEqual(list(map(str, referral.urls)), ["imap://me@front.example/Public/a"])
        for word in (b"Public", b"h/x", b"?x"):
            text = b"[REFERRAL %b] go" % word
            self.assertRaises(RefusedReferral, referral_in, "NO", text, base=BASE)

    @given(st.binary())
    def test_any_bytes_without_the_code_in_front_are_no_referral(self, text: bytes) -> None:
        self.assertIsNone(referral_in("NO", b"x" + text))

    @given(
        st.sampled_from([b"[REFERRAL ", b" [[referral", b"[REFERRAL imap://", b""]),
        st.binary() | st.text('[]"/:;@ imap%0*.h\\\x00\xfc\r\n').map(str.encode),
        st.none() | st.just(BASE),
    )
    @example(b"[REFERRAL ", b"\xff://", None)
    @example(b"[REFERRAL imap://", b"\xed\xa0\x80@h/]", None)
    def test_any_bytes_behind_the_code_are_urls_or_refused_but_not_ignored(
        self, start: bytes, text: bytes, base: ImapUrl | None
    ) -> None:
        with contextlib.suppress(RefusedReferral):
            referral = referral_in("NO", start + text, base=base)
            if start.endswith((b" ", b"/")):
                self.assertIsNotNone(referral)

    @proves("U4", "U7")
    @given(
        st.lists(URLS, min_size=1, max_size=4),
        st.sampled_from(["{}", '"{}"', " {}", "{} "]),
        st.sampled_from(["] go", "]", "]go", "", "\r\n"]),
        st.sampled_from(["[REFERRAL ", "[[Referral ", " [referral  "]),
    )
    def test_every_url_comes_back_from_the_code_that_carries_it(
        self, urls: list[ImapUrl], frame: str, end: str, start: str
    ) -> None:
        text = start + " ".join(frame.format(url) for url in urls) + end
        referral = referral_in("NO", text.encode())
        assert referral is not None
        self.assertEqual(referral.urls, tuple(urls))
        self.assertEqual(referral.text, "go" if "go" in end else "")


class CountsTests(SynchronousTestCase):
    @proves("L3", "L4", "L6", "M2")
    def test_these_and_no_others_are_followed(self) -> None:
        yes = [
            ("NO", True, "login"),
            ("OK", True, "login"),
            ("NO", True, "mailbox"),
            ("BYE", False, "greeting"),
        ]
        self.assertEqual([case for case in self.cases() if counts(*case)], yes)
        self.assertTrue(counts("no", True, "mailbox"))

    def cases(self) -> Iterator[tuple[str, bool, Context]]:
        """Give everything that can be asked."""
        contexts: tuple[Context, ...] = ("login", "mailbox", "greeting")
        for context in contexts:
            for kind in ("NO", "OK", "BAD", "BYE", "PREAUTH"):
                yield kind, True, context
                yield kind, False, context


def referral(*urls: str) -> Referral:
    """Make a referral to ``urls``."""
    return Referral(urls=tuple(map(parse, urls)))


class TargetTests(SynchronousTestCase):
    def test_a_referral_has_a_url(self) -> None:
        self.assertRaises(ValueError, Referral, urls=())

    @proves("L8")
    def test_the_user_and_the_mechanism_are_those_of_the_url(self) -> None:
        for url, user, mechanism in [
            ("imap://there;AUTH=*@h/", "there", None),
            ("imap://there@h/", "there", None),
            ("imap://there;AUTH=gssapi@h/", "there", "GSSAPI"),
            ("imap://;AUTH=PLAIN@h/", "me", "PLAIN"),
            ("imap://;AUTH=*@h/", "me", None),
        ]:
            with self.subTest(url):
                expected = Target(
                    host="h", port=143, user=user, mechanism=mechanism, url=parse(url)
                )
                self.assertEqual(login_target(referral(url), "me"), expected)

    @proves("U6")
    def test_a_url_without_a_user_means_the_caller_never_anonymous(self) -> None:
        target = login_target(referral("imap://h/"), "me")
        self.assertEqual((target.user, target.mechanism), ("me", None))
        for url in ("imap://;AUTH=ANONYMOUS@h/", "imap://u;AUTH=anonymous@h/a"):
            for targets in (login_targets, mailbox_targets):
                error = self.assertRaises(RefusedReferral, targets, referral(url), "me")
                self.assertIn("anonymous", str(error))

    @proves("L2")
    def test_a_login_needs_only_the_server_and_further_urls_are_alternatives(self) -> None:
        first, second = login_targets(referral("imap://u@h:993/INBOX", "imap://u@i/"), "me")
        self.assertEqual((first.host, first.port, first.mailbox), ("h", 993, None))
        self.assertEqual(first.note, "the mailbox 'INBOX' does not count")
        self.assertEqual((second.host, second.port, second.note), ("i", 143, ""))

    @proves("M2")
    def test_mailboxes_come_in_the_order_of_the_server(self) -> None:
        found = mailbox_targets(referral("imap://u@s1/FOO", "imap://v@s2/B%C3%A4R"), "me", "x")
        self.assertEqual(
            [(target.host, target.user, target.mailbox, target.note) for target in found],
            [("s1", "u", "FOO", ""), ("s2", "v", "BäR", "")],
        )

    def test_more_than_a_mailbox_is_noted_and_less_is_made_up_for(self) -> None:
        for url, kind in [("imap://h/a/;UID=20", "message"), ("imap://h/a?x", "search")]:
            (target,) = mailbox_targets(referral(url), "me")
            self.assertEqual(target.mailbox, "a")
            self.assertEqual(target.note, f"only the mailbox counts, not the {kind}")
        (target,) = mailbox_targets(referral("imap://h/"), "me", "asked for")
        self.assertEqual(target.mailbox, "asked for")
        self.assertEqual(target.note, "the URL names no mailbox")
        error = self.assertRaises(RefusedReferral, mailbox_targets, referral("imap://h/"), "me")
        self.assertIn("without a mailbox", str(error))

    @proves("S4")
    def test_the_token_of_a_url_is_in_no_note_and_no_repr(self) -> None:
        url = f"imap://u@h/a/;UID=1;URLAUTH=anonymous:internal:{'d' * 32}"
        for targets in (login_targets, mailbox_targets):
            self.assertNotIn("d" * 32, repr(targets(referral(url), "me")))

    @given(URLS.filter(lambda url: url.auth != "ANONYMOUS"))
    def test_every_other_url_gives_a_target(self, url: ImapUrl) -> None:
        found = Referral(urls=(url,))
        (mailbox,) = mailbox_targets(found, "me", "x")
        self.assertEqual(mailbox.mailbox, url.mailbox or "x")
        self.assertEqual((mailbox.host, mailbox.port), (url.host, url.port or 143))
        self.assertIsNone(login_target(found, "me").mailbox)
