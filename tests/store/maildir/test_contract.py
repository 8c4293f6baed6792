"""The store on disk does what every store has to do, and still does after it was opened again."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.store import MaildirStore
from referrald.testing import MailStoreContract


class Maildir(MailStoreContract, TestCase):
    """In threads, with a limit."""

    too_much = 1_000_001

    def setUp(self) -> None:
        self.root = os.path.join(self.mktemp(), "%d", "%n")

    users = ("alice@example.org", "bob@example.org")

    def make_store(self) -> Any:
        return MaildirStore(self.root, reactor, limits=Limits(storage=1_000_000))

    def reopen(self, store: Any) -> Any:
        return self.make_store()


class AtOnce(MailStoreContract, TestCase):
    """Without a reactor, as command-line tools use it."""

    def setUp(self) -> None:
        self.root = os.path.join(self.mktemp(), "%u")

    def make_store(self) -> Any:
        return MaildirStore(self.root)

    def reopen(self, store: Any) -> Any:
        return self.make_store()
