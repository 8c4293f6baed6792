"""The store on disk does what every store has to do, and still does after it was opened again."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.store import MaildirStore
from referrald.testing import MailStoreContract


class InThreads(MailStoreContract, TestCase):
    """As a server uses it, with limits."""

    users = ("alice@example.org", "bob@example.org")
    too_much = 1_000_001

    def setUp(self) -> None:
        self.root = os.path.join(self.mktemp(), "%d", "%n")

    def make_store(self) -> MaildirStore:
        limits = Limits(storage=1_000_000, messages=1000, message=900_000)
        return MaildirStore(self.root, reactor, limits=limits)

    def reopen(self, store: MaildirStore) -> MaildirStore:
        return self.make_store()

    def second_store(self, store: MaildirStore) -> MaildirStore:
        return self.make_store()


class AtOnce(MailStoreContract, TestCase):
    """Without a reactor, as command-line tools use it."""

    def setUp(self) -> None:
        self.root = os.path.join(self.mktemp(), "%u")

    def make_store(self) -> MaildirStore:
        return MaildirStore(self.root)

    def reopen(self, store: MaildirStore) -> MaildirStore:
        return self.make_store()
