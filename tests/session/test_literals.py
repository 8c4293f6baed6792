"""LITERAL+: a client need not wait (RFC 7888). All that LITERAL- asks for is in it (RFC 9051)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Limits
from referrald.session.door import IN_MEMORY
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.inbox import say
from tests.session.native import Site
from tests.session.relayed import Both

SMALL = 4096
"""The longest literal that LITERAL- lets a client send without waiting."""


@proves("base:LITERAL+")
class Literals(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(SIMPLE)
        self.client = self.site.log_in(b"SELECT INBOX")

    def test_literal_plus_is_offered_always_and_literal_minus_never_beside_it(self) -> None:
        for client in (self.site.house.connect(), self.client):
            words = client.say(b"x CAPABILITY\r\n").split(b"\r\n")[-3].split(b" ")
            self.assertEqual([w for w in words if w.startswith(b"LITERAL")], [b"LITERAL+"])

    def test_every_command_takes_as_much_as_literal_minus_allows(self) -> None:
        long = b"x" * SMALL
        client = self.site.house.connect()
        answer = client.say(b"a LOGIN {%d+}\r\n%b {1+}\r\nx\r\n" % (SMALL, long))
        self.assertIn(b"a NO [AUTHENTICATIONFAILED] ", answer)
        for text in (b"STATUS {%d+}\r\n%b (MESSAGES)", b"SEARCH SUBJECT {%d+}\r\n%b"):
            answer = say(self.client, text % (SMALL, long))[0]
            self.assertNotIn(b"BAD", answer[:4])
        answer = say(self.client, b"APPEND INBOX {%d+}\r\n%b" % (SMALL, long))[0]
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)

    def test_a_message_may_be_as_long_as_with_waiting(self) -> None:
        size = 1_500_000
        answer = say(self.client, b"APPEND INBOX {%d+}\r\n%b" % (size, b"x" * size))[0]
        self.assertTrue(answer.startswith(b"OK [APPENDUID "), answer)

    def test_what_is_no_message_and_too_long_for_memory_is_dropped(self) -> None:
        size = IN_MEMORY + 1
        answer = self.client.say(b"x SEARCH TEXT {%d}\r\n" % size)
        self.assertTrue(answer.startswith(b"x BAD [TOOBIG] "), answer)
        self.assertEqual(self.client.say(b"x SEARCH TEXT {%d+}\r\n" % size), b"")
        for _ in range(16):
            self.assertEqual(self.client.say(b"x" * (size // 16)), b"")
            self.assertLessEqual(self.client.session.reader.buffered, size // 16)
        answer = self.client.say(b"x" * (size % 16) + b"\r\ny NOOP\r\n")
        self.assertRegex(answer, rb"\Ax BAD \[TOOBIG\] [^\r]*\r\ny OK [^\r]*\r\n\Z")

    def test_a_quota_that_is_used_up_while_the_message_is_on_its_way(self) -> None:
        size = 10_000_000
        self.client.say(b"x APPEND INBOX {60000000+}\r\n")
        for _ in range(6):
            self.client.say(b"x" * size)
        self.assertIn(b"x OK ", self.client.say(b"\r\n"))
        self.client.say(b"x APPEND INBOX {%d+}\r\n" % size)
        self.assertEqual(self.client.say(b"x" * size), b"")
        answer = self.client.say(b"\r\ny NOOP\r\n")
        self.assertRegex(answer, rb"\Ax NO \[OVERQUOTA\] [^\r]*\r\ny OK [^\r]*\r\n\Z")

    def test_before_login_nobody_sends_much(self) -> None:
        client = self.site.house.connect()
        answer = client.say(b"a LOGIN {%d+}\r\n" % (SMALL + 1))
        self.assertIn(b"* BYE [TOOBIG] ", answer)

    def test_a_message_for_another_server_goes_there_unasked(self) -> None:
        both = Both(limits=Limits(failure_delay=0.0))
        both.put("Team")
        text = b"x" * 100_000
        answer = both.log_in().say(b"b APPEND Team {%d+}\r\n%b" % (len(text), text))
        self.assertTrue(answer.startswith(b"b OK [APPENDUID "), answer)
