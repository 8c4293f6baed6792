"""Parse every form of RFC 5092, and tell precisely what is wrong with all else."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import UrlError
from referrald.imapurl import ImapUrl, parse
from tests.proves import proves

TOKEN = "91354a473744909de610943775f92038"


class FormsTests(SynchronousTestCase):
    @proves("U1")
    def test_a_range_of_a_message_with_uidvalidity(self) -> None:
        url = parse(
            "imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024"
        )
        expected = ImapUrl(
            host="minbari.example.org",
            mailbox="gray-council",
            uidvalidity=385759045,
            uid=20,
            partial=(0, 1024),
        )
        self.assertEqual(url, expected)
        self.assertEqual(url.kind, "partial")

    @proves("U1")
    def test_names_of_parameters_in_any_case(self) -> None:
        url = parse("iMaP://;auth=gssapi@h/m;uidValidity=3/;uid=20/;Section=1.2/;partial=5")
        expected = ImapUrl(
            host="h",
            auth="GSSAPI",
            mailbox="m",
            uidvalidity=3,
            uid=20,
            section="1.2",
            partial=(5, None),
        )
        self.assertEqual(url, expected)

    @proves("U1")
    def test_the_kind_follows_from_the_parts(self) -> None:
        kinds = {
            "": "server",
            "/": "server",
            "/m": "list",
            "/m;UIDVALIDITY=1": "list",
            "/m?ALL": "search",
            "/m/;UID=1": "message",
            "/m/;UID=1/;SECTION=1": "section",
            "/m/;UID=1/;SECTION=1/;PARTIAL=0.1": "partial",
        }
        for path, kind in kinds.items():
            with self.subTest(path):
                self.assertEqual(parse(f"imap://h{path}").kind, kind)

    @proves("U1")
    def test_an_authorised_url(self) -> None:
        url = parse(
            "imap://joe@example.com/INBOX/;uid=20/;section=1.2"
            f";expire=2030-01-01T00:00:00Z;urlauth=Submit+fred:internal:{TOKEN}"
        )
        self.assertEqual(url.access, "submit+fred")
        self.assertEqual(url.urlauth, ("internal", TOKEN))
        self.assertEqual(url.expire, "2030-01-01T00:00:00Z")

    @proves("U1")
    def test_a_url_that_has_yet_to_be_authorised(self) -> None:
        url = parse("imap://joe@example.com/INBOX/;UID=20;URLAUTH=ANONYMOUS")
        self.assertEqual((url.access, url.urlauth), ("anonymous", None))

    @proves("S4")
    def test_a_token_does_not_show_in_a_repr(self) -> None:
        url = parse(f"imap://h/m/;UID=1;URLAUTH=authuser:INTERNAL:{TOKEN}")
        self.assertNotIn(TOKEN, repr(url))

    @proves("U1", "M13")
    def test_a_name_in_another_script(self) -> None:
        url = parse(
            "imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%E5%8F%B0%E5%8C%97"
        )
        self.assertEqual(url.mailbox, "~peter/日本語/台北")

    @proves("U1")
    def test_a_search_may_hold_a_literal_that_needs_no_continuation(self) -> None:
        url = parse(
            "imap://john;AUTH=*@h/babylon5/personel?charset%20UTF-8%20SUBJECT%20%7B13+%7D"
            "%0D%0A%E6%97%A5%E6%9C%AC%E8%AA%9E%20%C3%BC1"
        )
        self.assertEqual(url.search, "charset UTF-8 SUBJECT {13+}\r\n日本語 ü1")

    @proves("U1", "U7")
    def test_a_slash_at_the_end_belongs_to_the_mailbox(self) -> None:
        self.assertEqual(parse("imap://h/foo/").mailbox, "foo/")
        self.assertEqual(parse("imap://h/foo/;UID=1").mailbox, "foo")
        self.assertEqual(parse("imap://h/foo//;UID=1").mailbox, "foo/")
        self.assertEqual(parse("imap://h/foo/;UIDVALIDITY=1").mailbox, "foo/")

    @proves("U5")
    def test_dot_segments_are_paths_and_encoded_ones_are_names(self) -> None:
        self.assertEqual(parse("imap://h/a/./b/../c"), parse("imap://h/a/c"))
        self.assertEqual(parse("imap://h/../../.."), parse("imap://h/"))
        self.assertEqual(parse("imap://h/a/%2E%2E/c").mailbox, "a/../c")

    @proves("U6")
    def test_who_is_meant_when_the_url_does_not_say(self) -> None:
        meant = {"u@": "*", ";AUTH=PLAIN@": "PLAIN", "u;AUTH=PLAIN@": "PLAIN", ";AUTH=*@": "*"}
        for user, mechanism in meant.items():
            with self.subTest(user):
                self.assertEqual(parse(f"imap://{user}h/").authentication, mechanism)
        self.assertIsNone(parse("imap://h/").authentication)

    @proves("U3")
    def test_143_is_the_port_that_is_left_out(self) -> None:
        for text in ("imap://h/", "imap://h:143/", "imap://h:/", "imap://h:0143/"):
            with self.subTest(text):
                self.assertEqual(str(parse(text)), "imap://h/")
        self.assertEqual(parse("imap://h:65535/").port, 65535)


class HostsTests(SynchronousTestCase):
    @proves("U3")
    def test_one_host_has_one_form(self) -> None:
        forms = {
            "bücher.example": "xn--bcher-kva.example",
            "BÜCHER.Example": "xn--bcher-kva.example",
            "b%C3%BCcher.example": "xn--bcher-kva.example",
            "XN--Bcher-KVA.example": "xn--bcher-kva.example",
            "[2001:DB8:0:0::9]": "2001:db8::9",
            "192.0.2.1": "192.0.2.1",
            "%68ost": "host",
            "mail_1.example.": "mail_1.example.",
        }
        for written, host in forms.items():
            with self.subTest(written):
                self.assertEqual(parse(f"imap://{written}/").host, host)

    @proves("U3")
    def test_a_host_can_be_shown_as_people_write_it(self) -> None:
        self.assertEqual(parse("imap://xn--bcher-kva.example/").readable_host, "bücher.example")
        self.assertEqual(parse("imap://xn--99999999/").readable_host, "xn--99999999")

    @proves("U3", "U5", "U7")
    def test_what_is_no_host(self) -> None:
        wrong = [
            "h%2Fevil", "h%2fevil.example", "h%00", "h%0d%0a", "h%40x", "h%5Bx", "a..b", ".a", "-a",
            "a-", "h%20", "h;x", "1.2.3", "127.1", "0x7f.1", "1.2.3.04", "256.1.1.1", "2130706433",
            "::1", "[::1", "[1.2.3.4]", "[::1%25eth0]", "[v1.x]", "[::1]x", "[]", "[h]",
            "a\u2100b.example", "fa\u00df.example", "xn--\u00fc.example", f"{'a' * 64}.example",
            ".".join(["abcdefgh"] * 30),
        ]  # fmt: skip
        for host in wrong:
            with self.subTest(host):
                error = self.assertRaises(UrlError, parse, f"imap://{host}/")
                self.assertGreaterEqual(error.offset, 7)


class WrongTests(SynchronousTestCase):
    """What is wrong is told with its place."""

    def check(self, before: str, wrong: str, reason: str) -> None:
        text = before + wrong
        with self.subTest(text):
            error = self.assertRaises(UrlError, parse, text)
            self.assertEqual(error.offset, len(before), str(error))
            self.assertIn(reason, error.reason)

    @proves("U2", "U7")
    def test_in_the_user(self) -> None:
        self.check("imap://", "@h/", "empty user")
        self.check("imap://u", ";@h/", "AUTH")
        self.check("imap://u;AUTH=", "%2A@h/", "%2A")
        self.check("imap://u;AUTH=", "**@h/", "mechanism")
        self.check("imap://u;AUTH=", "a%20b@h/", "mechanism")
        self.check("imap://u;AUTH=", "X123456789012345678901@h/", "mechanism")
        self.check("imap://u;AUTH=PLAIN", ";X=1@h/", "';'")
        self.check("imap://u", ":password@h/", "':'")
        self.check("imap://a", "%0Ab@h/", "NUL, CR or LF")
        self.check("imap://", "ü@h/", "'ü'")

    @proves("U5", "U7")
    def test_in_percent_encoding(self) -> None:
        self.check("imap://h/abc", "%", "hexadecimal")
        self.check("imap://h/abc", "%4", "hexadecimal")
        self.check("imap://h/abc", "%4g", "hexadecimal")
        self.check("imap://h/a%20", "%FFb", "UTF-8")
        self.check("imap://h/%C3%BC", "%C3", "UTF-8")
        self.check("imap://h/a", "%C0%80", "UTF-8")
        self.check("imap://h/a", "%ED%A0%80", "UTF-8")
        self.check("imap://h/a%C3%BC", "%00", "NUL")
        self.check("imap://h/a", "%0dx", "NUL, CR or LF")
        self.check("imap://h/m?a", "%00", "NUL")
        self.check("imap://h/a", "\r\nx", "must be percent-encoded")
        self.check("imap://h/a", "[b", "'['")
        self.check("imap://h/a", '"b', "must be percent-encoded")

    @proves("U1", "U7")
    def test_in_the_path(self) -> None:
        self.check("imap://h", "?ALL", "/")
        self.check("imap://h/", "?ALL", "empty mailbox")
        self.check("imap://h/m?", "", "empty search")
        self.check("imap://h/m", "#x", "fragment")
        self.check("imap://h/", "/;UID=1", "empty mailbox")
        self.check("imap://h/m", ";UID=1", "parameter")
        self.check("imap://h/m", "/;FOO=1", "parameter")
        self.check("imap://h/m", ";", "parameter")
        self.check("imap://h/m/;UID=", "0", "4294967295")
        self.check("imap://h/m/;UID=", "01", "4294967295")
        self.check("imap://h/m/;UID=", "4294967296", "4294967295")
        self.check("imap://h/m/;UID=", "99999999999999999999", "4294967295")
        self.check("imap://h/m;UIDVALIDITY=", "x/;UID=1", "4294967295")
        self.check("imap://h/m/;UID=1", "/;UID=2", "not in its place")
        self.check("imap://h/m/;UID=1/;PARTIAL=0.1", "/;SECTION=1", "not in its place")
        self.check("imap://h/m/;SECTION=", "1", "without a uid")
        self.check("imap://h/m/;UID=1", "?ALL", "a message cannot have a search")
        self.check("imap://h/m/;UID=1/;PARTIAL=", "0.0", "range")
        self.check("imap://h/m/;UID=1/;PARTIAL=", "1-2", "range")
        self.check("imap://h/m/;UID=1/;SECTION=", "", "empty section")
        self.check("imap://h/m/;UID=1/;SECTION=", "1%5D%20BODY%5B2", "not a section")
        self.check("imap://h/m/;UID=1/;SECTION=", "0.1", "not a section")

    @proves("U1", "U7")
    def test_in_what_authorises(self) -> None:
        before = "imap://h/m/;UID=1"
        self.check(f"{before};EXPIRE=", "2030-01-01T00:00:00Z", "without a")
        self.check(f"{before};EXPIRE=", "2030-02-30T00:00:00Z;URLAUTH=authuser", "date")
        self.check(f"{before};EXPIRE=", "tomorrow;URLAUTH=authuser", "date")
        self.check(f"{before};URLAUTH=", "", "access identifier")
        self.check(f"{before};URLAUTH=", "everyone", "access identifier")
        self.check(f"{before};URLAUTH=", "user+", "access identifier")
        self.check(f"{before};URLAUTH=", "authuserx", "access identifier")
        self.check(f"{before};URLAUTH=authuser:", f"in%20ternal:{TOKEN}", "mechanism")
        self.check(f"{before};URLAUTH=authuser:", "internal:abcd", "token")
        self.check(f"{before};URLAUTH=authuser:", "internal", "texts")

    @proves("U5", "U7")
    def test_a_search_cannot_smuggle_commands(self) -> None:
        for wrong in (
            "ALL%0D%0AA2%20LOGOUT",
            "SUBJECT%20%7B3%7D%0D%0Aabc",
            "SUBJECT%20%7B9+%7D%0D%0Aabc",
            "SUBJECT%20%7B3+%7D%0D%0Aabc%0D%0Ax",
            "SUBJECT%20%7B5+%7D%0D%0Aa%0D%0Ab",
            "SUBJECT%20%7B3+%7D%0D%0Aa%0Db",
            "SUBJECT%20%7B3+%7D%0D%0Aa%0Ab",
            "SUBJECT%20%22%7B3+%7D%0D%0Aabc%22",
            "SUBJECT%20%7B3+%7D%0Aabc",
        ):
            self.check("imap://h/m?", wrong, "li")

    @proves("U7")
    def test_octets_that_are_no_text(self) -> None:
        error = self.assertRaises(UrlError, parse, "imap://ü/".encode() + b"\xff")
        self.assertEqual(error.offset, 9)
        error = self.assertRaises(UrlError, parse, "imap://h/\ud800")
        self.assertEqual(error.offset, 9)

    @proves("U7")
    def test_a_long_text_is_read_in_a_moment(self) -> None:
        long = "%41" * 200_000
        self.assertEqual(parse(f"imap://h/{long}").mailbox, "A" * 200_000)
        error = self.assertRaises(UrlError, parse, f"imap://h/{long}%FF")
        self.assertEqual(error.offset, 9 + len(long))
        error = self.assertRaises(UrlError, parse, f"imap://h:{'9' * 100_000}/")
        self.assertEqual(error.offset, 9)
