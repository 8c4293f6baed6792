"""MULTIAPPEND: several messages in one command, all of them or none (RFC 3502)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NoPermission, OverQuota
from tests.session.arriving import Watched
from tests.session.inbox import Home, fetch, say
from tests.session.native import OTHER, Site
from tests.session.relayed import Both

THREE = (
    b'(\\Seen) "17-Jul-1996 02:44:25 -0700" {3+}\r\none (\\Flagged $x) {3+}\r\ntwo {5+}\r\nthree'
)


class Here(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(b"zero")
        self.client = self.site.log_in(b"SELECT INBOX")

    def contents(self) -> list[bytes]:
        found = fetch(self.client, b"1:* BODY.PEEK[]")
        return [found[number][b"BODY[]"] for number in sorted(found)]

    def test_it_is_offered_after_login(self) -> None:
        self.assertIn(b" MULTIAPPEND ", self.client.ask(b"x CAPABILITY")[0])
        stranger = self.site.house.connect()
        self.assertNotIn(b"MULTIAPPEND", stranger.say(b"x CAPABILITY\r\n"))

    def test_all_are_put_in_at_once_in_their_order(self) -> None:
        answer, untagged = say(self.client, b"APPEND INBOX " + THREE)
        self.assertRegex(answer, rb"\AOK \[APPENDUID \d+ 4:6\] Appended\.\Z")
        self.assertEqual(untagged, [[b"*", 4, b"EXISTS"], [b"*", 3, b"RECENT"]])
        self.assertEqual(self.contents(), [b"zero", b"one", b"two", b"three"])
        found = fetch(self.client, b"2:4 (FLAGS INTERNALDATE)")
        self.assertEqual(
            [sorted(found[n][b"FLAGS"]) for n in (2, 3, 4)],
            [[b"\\Recent", b"\\Seen"], [b"$x", b"\\Flagged", b"\\Recent"], [b"\\Recent"]],
        )
        dates = [found[n][b"INTERNALDATE"] for n in (2, 3)]
        self.assertEqual(dates[0], b"17-Jul-1996 02:44:25 -0700")
        self.assertNotEqual(dates[1], dates[0])

    def test_a_client_is_asked_for_each_of_them(self) -> None:
        for sent, answer in (
            (b"x APPEND {5}\r\n", b"+ Ready.\r\n"), (b"inbox {3}\r\n", b"+ Ready.\r\n"),
            (b"one (a) {3}\r\n", b"+ Ready.\r\n"), (b"two {1+}\r\n3 {0", b""),
        ):  # fmt: skip
            self.assertEqual(self.client.say(sent), answer)
        # A message of no bytes takes it all back.
        self.assertEqual(self.client.say(b"}\r\n")[:5], b"x NO ")
        self.assertEqual(self.contents(), [b"zero"])
        self.assertEqual(say(self.client, b"APPEND INBOX {0+}\r\n")[0][:3], b"NO ")

    def test_what_is_wrong_with_one_of_them_keeps_all_out(self) -> None:
        one = b"APPEND INBOX {3+}\r\none"
        for rest, kind in (
            (b" (a {3+}\r\ntwo", b"BAD "), (b' "x" {3+}\r\ntwo', b"BAD "),
            (b"{3+}\r\ntwo", b"BAD "),
            (b" {3+}\r\nt\0o", b"BAD "), (b" {3+}\r\ntwo (\\Seen)", b"BAD "),
            (b" (\\Odd) {3+}\r\ntwo", b"NO [CANNOT] "), (b" {0+}\r\n", b"NO "),
            (b" {67108865+}", b"* BYE [TOOBIG] "), (b" {67108864}", b"NO [OVERQUOTA] "),
        ):  # fmt: skip
            client = self.site.log_in()
            answer = client.say(b"x " + one + rest + b"\r\n")
            expected = kind if kind.startswith(b"*") else b"x " + kind
            self.assertTrue(answer.startswith(expected), (rest[:30], answer))
        self.assertEqual(self.contents(), [b"zero"])

    def test_a_mailbox_that_is_not_there(self) -> None:
        answer = say(self.client, b"APPEND none {3+}\r\none {3+}\r\ntwo")[0]
        self.assertTrue(answer.startswith(b"NO [TRYCREATE] "), answer)

    def test_no_more_than_a_thousand(self) -> None:
        many = b" {1+}\r\nx" * 1000
        self.assertRegex(
            say(self.client, b"APPEND INBOX" + many)[0], rb"\AOK \[APPENDUID \d+ 4:1003"
        )
        answer = self.client.say(b"x APPEND INBOX" + many + b" {1}\r\n")
        self.assertTrue(answer.startswith(b"x NO [LIMIT] "), answer)
        self.assertEqual(say(self.client, b"NOOP")[0], b"OK Nothing done.")


class Refused(SynchronousTestCase):
    """What the store says of one of them."""

    def setUp(self) -> None:
        site = Site()
        self.store = Watched(site)
        self.client = site.log_in()

    def test_the_second_is_refused_and_the_first_discarded(self) -> None:
        for refusal, code in ((OverQuota("full"), b"OVERQUOTA"), (NoPermission("no"), b"NOPERM")):
            for second in (b"{3}\r\n", b"{3+}\r\ntwo {3+}\r\nand\r\n"):
                self.setUp()
                self.store.refusals = [None, refusal]
                self.client.say(b"x APPEND INBOX {3}\r\n")
                answer = self.client.say(b"one " + second + b"y NOOP\r\n")
                self.assertRegex(answer, rb"\Ax NO \[%b\] [^\r]*\r\ny OK [^\r]*\r\n\Z" % code)
                self.assertEqual([sink.discarded for sink in self.store.sinks], [True])
                self.assertEqual(self.store.appended, [])

    def test_after_a_fault_no_further_one_is_asked_for(self) -> None:
        self.store.fault = OverQuota("disk full")
        self.client.say(b"x APPEND INBOX {3}\r\n")
        answer = self.client.say(b"one {3}\r\n")
        self.assertTrue(answer.startswith(b"x NO [OVERQUOTA] "), answer)
        self.assertEqual([sink.discarded for sink in self.store.sinks], [True])


class Elsewhere(SynchronousTestCase):
    """At other servers, which get one message after the other, and in accounts of others."""

    def test_all_come_to_the_other_server(self) -> None:
        both = Both()
        both.put("Team", fill=[b"zero"])
        answer = both.log_in().say(b"b APPEND Team " + THREE)
        self.assertRegex(answer, rb"\Ab OK \[APPENDUID \d+ 2:4\] Appended\.\r\n\Z")
        self.assertEqual(both.at(OTHER, "Team"), [b"zero", b"one", b"two", b"three"])

    def test_none_is_left_there_where_one_is_refused(self) -> None:
        both = Both()
        both.put("Team", fill=[b"zero"])
        account: Any = both.stores[OTHER]._accounts["bob"]
        account._own.room.left = 1200
        big = b"x" * 1500
        answer = both.log_in().say(b"b APPEND Team {3+}\r\none {1500+}\r\n" + big)
        self.assertTrue(answer.startswith(b"b NO [OVERQUOTA]"), answer)
        self.assertEqual(both.at(OTHER, "Team"), [b"zero"])

    def test_all_come_into_an_imailbox(self) -> None:
        home = Home(b"zero")
        client = home.log_in()
        answer = say(client, b"APPEND INBOX " + THREE)[0]
        self.assertEqual(answer, b"OK [APPENDUID 1001 2:4] Appended.")
        self.assertEqual([bytes(each.content) for each in home.inbox.messages][1:], TEXTS)

    def test_none_is_left_in_an_imailbox_where_one_is_refused(self) -> None:
        home = Home(b"zero")
        home.account.room.left = 1200
        client = home.log_in()
        answer = say(client, b"APPEND INBOX {3+}\r\none {1500+}\r\n" + b"x" * 1500)[0]
        self.assertTrue(answer.startswith(b"NO "), answer)
        self.assertEqual(len(home.inbox.messages), 1)


TEXTS = [b"one", b"two", b"three"]
