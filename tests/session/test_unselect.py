"""UNSELECT (RFC 3691)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.inbox import fetch, say
from tests.session.native import Site


class Unselecting(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Site(SIMPLE, SIMPLE).log_in(b"SELECT INBOX")

    @proves("base:UNSELECT/ENABLE/ID")
    def test_the_mailbox_is_left_and_nothing_is_expunged(self) -> None:
        say(self.client, b"STORE 1 +FLAGS (\\Deleted)")
        answer, untagged = say(self.client, b"UNSELECT")
        self.assertEqual((answer[:3], untagged), (b"OK ", []))
        for command in (b"FETCH 1 FLAGS", b"UNSELECT", b"CLOSE"):
            self.assertTrue(say(self.client, command)[0].startswith(b"BAD "), command)
        say(self.client, b"SELECT INBOX")
        self.assertEqual(fetch(self.client, b"1:* FLAGS")[1][b"FLAGS"], [b"\\Deleted"])

    def test_close_expunges(self) -> None:
        say(self.client, b"STORE 1 +FLAGS (\\Deleted)")
        self.assertEqual(say(self.client, b"CLOSE")[0][:3], b"OK ")
        self.assertEqual(say(self.client, b"SELECT INBOX")[1][0], [b"*", 1, b"EXISTS"])

    def test_it_takes_no_arguments(self) -> None:
        self.assertTrue(say(self.client, b"UNSELECT INBOX")[0].startswith(b"BAD "))
        self.assertTrue(say(self.client, b"FETCH 1 FLAGS")[0].startswith(b"OK "))
