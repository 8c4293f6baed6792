"""References that are relative to another URL (RFC 5092 section 7, RFC 3986 section 5)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import parse, resolve
from tests.proves import proves

PART = parse("imap://u;AUTH=GSSAPI@h:1143/council/;UID=20/;SECTION=1.2")
DEEP = parse("imap://h/a/b/c?OLD")


class RelativeTests(SynchronousTestCase):
    @proves("U1")
    def test_the_examples_of_the_rfc(self) -> None:
        server = "imap://u;AUTH=GSSAPI@h:1143"
        examples = {
            ";section=1.4": f"{server}/council/;UID=20/;SECTION=1.4",
            "/foo/;UID=20/..": f"{server}/foo",
            "/foo": f"{server}/foo",
            "../;UID=21": f"{server}/council/;UID=21",
            "../;UID=21/;section=1/;partial=0": f"{server}/council/;UID=21/;SECTION=1/;PARTIAL=0",
            ";section=1.4/;partial=0.5": f"{server}/council/;UID=20/;SECTION=1.4/;PARTIAL=0.5",
            ";partial=3": f"{server}/council/;UID=20/;PARTIAL=3",
            "": str(PART),
        }
        for reference, url in examples.items():
            with self.subTest(reference):
                self.assertEqual(str(resolve(PART, reference)), url)

    @proves("U1")
    def test_a_uid_is_relative_to_the_mailbox(self) -> None:
        url = resolve(parse("imap://h/foo/;UID=1"), ";UID=20")
        self.assertEqual(str(url), "imap://h/foo/;UID=20")

    @proves("U1", "U5")
    def test_dots_with_a_uidvalidity_are_a_name(self) -> None:
        url = resolve(parse("imap://h/foo"), "..;UIDVALIDITY=385759045/;UID=20")
        self.assertEqual((url.mailbox, url.uidvalidity, url.uid), ("..", 385759045, 20))

    @proves("U1")
    def test_paths_are_merged_and_dots_taken_away(self) -> None:
        paths = {
            "d": "/a/b/d",
            "./d": "/a/b/d",
            "../d": "/a/d",
            "../../d": "/d",
            "../../../d": "/d",
            "d/": "/a/b/d/",
            "d/./e/../f": "/a/b/d/f",
            "..": "/a",
            ".": "/a/b",
            "/x/../y": "/y",
            "?NEW": "/a/b/c?NEW",
            "d?NEW": "/a/b/d?NEW",
            "d?../..": "/a/b/d?../..",
            "...": "/a/b/...",
            "d/%2E%2E/e": "/a/b/d/%2E%2E/e",
        }
        for reference, path in paths.items():
            with self.subTest(reference):
                self.assertEqual(str(resolve(DEEP, reference)), f"imap://h{path}")
                self.assertEqual(resolve(DEEP, reference.encode()), resolve(DEEP, reference))

    @proves("U1", "U6")
    def test_another_server_inherits_nothing(self) -> None:
        self.assertEqual(resolve(PART, "//other/x"), parse("imap://other/x"))
        self.assertEqual(resolve(PART, "imap://other"), parse("imap://other/"))

    @proves("U1", "U6")
    def test_user_and_mechanism_are_inherited_with_the_server(self) -> None:
        url = resolve(PART, "/x")
        self.assertEqual((url.user, url.auth, url.port), ("u", "GSSAPI", 1143))

    @proves("U7")
    def test_what_is_wrong_is_told_with_its_place_in_the_reference(self) -> None:
        wrong = {
            "http://h/": 0,
            "imap:x": 5,
            "//h:x/": 4,
            "/m/;UID=0": 8,
            "/a/b/../c%zz": 9,
            "/a/../m;UIDVALIDITY=1/;UID=x": 27,
            "/a/../m/;FOO=1": 7,
            ";section=]": 9,
            "?ALL": 0,
            "#x": 0,
            "/m#x": 2,
            "//": 2,
            "/x\ud800": 2,
        }
        for reference, offset in wrong.items():
            with self.subTest(reference):
                error = self.assertRaises(UrlError, resolve, PART, reference)
                self.assertEqual(error.offset, offset, str(error))
