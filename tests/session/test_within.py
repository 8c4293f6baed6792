"""WITHIN: messages by their age (RFC 5032)."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import NewMessage
from tests.session.inbox import say
from tests.session.native import Site, done
from tests.session.test_esearch import told

NOW = 1000
"""Seconds since the epoch, by the clock of the store."""


class Ages(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        account = done(self.site.store.account("bob"))
        for age in (0, 10, 100, 900):
            received = datetime.fromtimestamp(NOW - age, UTC)
            done(account.append("INBOX", [NewMessage(content=b"x", received=received)]))
        self.client = self.site.log_in(b"SELECT INBOX")

    def test_it_is_advertised_once_logged_in(self) -> None:
        self.assertIn(b" WITHIN", self.client.say(b"x CAPABILITY\r\n"))

    def test_younger_and_older_count_seconds_to_now(self) -> None:
        for keys, expected in (
            (b"YOUNGER 10", b" 1 2"),
            (b"younger 9", b" 1"),
            (b"OLDER 10", b" 2 3 4"),
            (b"OLDER 100 YOUNGER 500", b" 3"),
            (b"NOT OLDER 901", b" 1 2 3 4"),
            (b"OLDER 4294967295", b""),
            (b"YOUNGER 4294967295", b" 1 2 3 4"),
        ):
            self.assertEqual(told(self.client, b"SEARCH " + keys), b"* SEARCH" + expected, keys)

    def test_an_age_is_a_number_that_is_not_zero(self) -> None:
        for keys in (b"OLDER 0", b"YOUNGER", b"YOUNGER -1", b"OLDER 4294967296", b"OLDER 1d"):
            self.assertTrue(say(self.client, b"SEARCH " + keys)[0].startswith(b"BAD"), keys)
