"""BINARY and UTF8 in APPEND: what a literal8 may hold (RFC 3516, 4.4; RFC 6855, 4)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.session.appending import SLICE
from tests.session.inbox import Home, fetch, say
from tests.session.native import Site

UTF8 = "Subject: Entwürfe\r\n\r\nGrüße\r\n".encode()


class Binary(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.client = self.site.log_in(b"SELECT INBOX")

    def test_a_literal8_is_stored_as_it_is(self) -> None:
        text = b"Subject: a\r\n\r\n" + bytes(range(1, 256))
        answer = say(self.client, b"APPEND INBOX ~{%d+}\r\n%b" % (len(text), text))[0]
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)
        self.assertEqual(fetch(self.client, b"1 BODY.PEEK[]")[1][b"BODY[]"], text)

    def test_it_may_wait_too(self) -> None:
        self.assertEqual(self.client.say(b"x APPEND INBOX ~{3}\r\n"), b"+ Ready.\r\n")
        self.assertIn(b"x OK ", self.client.say(b"abc\r\n"))

    def test_a_binary_part_with_nul_is_stored_in_base64(self) -> None:
        text = b"Content-Type: x/y\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\1\2"
        answer = say(self.client, b"APPEND INBOX ~{%d+}\r\n%b" % (len(text), text))[0]
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)
        stored = text.replace(b"binary", b"base64").replace(b"\0\1\2", b"AAEC\r\n")
        found = fetch(self.client, b"1 (BODY.PEEK[] RFC822.SIZE)")[1]
        self.assertEqual((found[b"BODY[]"], found[b"RFC822.SIZE"]), (stored, len(stored)))

    def test_a_long_one_has_room_for_that(self) -> None:
        text = b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(3_000_000)
        answer = say(self.client, b"APPEND INBOX ~{%d+}\r\n%b" % (len(text), text))[0]
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)

    def test_others_have_a_turn_while_it_is_looked_through(self) -> None:
        seconds = iter(range(10_000))
        site = Site(clock=lambda: float(next(seconds)))
        client = site.log_in()
        text = b"x" * 50_000
        turns: list[Any] = []
        soon = site.house.door.wheel.soon
        self.patch(site.house.door.wheel, "soon", lambda go_on: turns.append(1) or soon(go_on))
        answer = client.say(b"x APPEND INBOX ~{%d+}\r\n%b\r\n" % (len(text), text))
        self.assertEqual((answer, len(turns)), (b"", 1))
        site.house.clock.advance(0)
        self.assertIn(b"x OK ", client.read())
        self.assertEqual(len(turns), -(-len(text) // SLICE))

    def test_nul_anywhere_else_cannot_be_kept(self) -> None:
        for text in (b"a\0b", b"Subject: \0\r\n\r\n", b"Content-Type: text/plain\r\n\r\n\0"):
            answer = self.client.say(b"x APPEND INBOX ~{%d+}\r\n%b\r\n" % (len(text), text))
            self.assertEqual(answer, b"x NO [UNKNOWN-CTE] NUL is kept in binary parts only.\r\n")
        self.assertIn(b"(MESSAGES 0)", self.client.say(b"x STATUS INBOX (MESSAGES)\r\n"))

    def test_nul_in_a_plain_literal_is_no_message(self) -> None:
        answer = self.client.say(b"x APPEND INBOX {3+}\r\na\0b\r\n")
        self.assertEqual(answer, b"x BAD NUL is allowed in a literal8 only.\r\n")


class Utf8(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Site().log_in(b"SELECT INBOX")

    def append(self, rest: bytes) -> bytes:
        return say(self.client, b"APPEND INBOX (\\Seen) " + rest)[0]

    def test_it_has_to_be_enabled(self) -> None:
        answer = self.client.say(b"x APPEND INBOX UTF8 (~{3}\r\n")
        self.assertEqual(answer, b"x BAD UTF8 needs ENABLE UTF8=ACCEPT.\r\n")
        answer = self.append(b"UTF8 (~{3+}\r\nabc)")
        self.assertEqual(answer, b"BAD UTF8 needs ENABLE UTF8=ACCEPT.")

    def test_headers_in_utf8_are_stored_as_they_are(self) -> None:
        self.client.session.enable(["UTF8=ACCEPT"])
        answer = self.append(b"UTF8 (~{%d+}\r\n%b)" % (len(UTF8), UTF8))
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)
        found = fetch(self.client, b"1 (FLAGS BODY.PEEK[])")[1]
        self.assertEqual((found[b"FLAGS"], found[b"BODY[]"]), ([b"\\Seen", b"\\Recent"], UTF8))

    def test_several_may_be_mixed(self) -> None:
        self.client.session.enable(["UTF8=ACCEPT"])
        answer = self.append(b"UTF8 (~{3+}\r\none) {3+}\r\ntwo UTF8 (~{5+}\r\nthree)")
        self.assertRegex(answer, rb"\AOK \[APPENDUID \d+ \d+:\d+\] ")

    def test_what_is_wrong_is_refused(self) -> None:
        self.client.session.enable(["UTF8=ACCEPT"])
        for rest in (b"UTF8 ({3+}\r\none)", b"UTF8 (~{3+}\r\none", b"UTF8 ~{3+}\r\none"):
            self.assertEqual(self.append(rest)[:4], b"BAD ", rest)
        self.assertIn(b"(MESSAGES 0)", self.client.say(b"x STATUS INBOX (MESSAGES)\r\n"))


class Others(SynchronousTestCase):
    def test_an_imailbox_gets_a_literal8_as_well(self) -> None:
        home = Home(b"zero")
        answer = say(home.log_in(), b"APPEND INBOX ~{3+}\r\n\xff\xfe\xfd")[0]
        self.assertEqual(answer, b"OK [APPENDUID 1001 2] Appended.")
        self.assertEqual(home.inbox.messages[1].content, b"\xff\xfe\xfd")
