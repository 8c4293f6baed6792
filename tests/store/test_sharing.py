"""Stores whose users share mailboxes do what every store has to do, in memory and on disk."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from referrald.store.maildir.delivery import Limits
from referrald.store.room import ACCOUNT_BYTES
from referrald.store.sharing import SharingStore
from referrald.testing import MailStoreContract
from referrald.testing.storepublic import PublicContract
from tests.store.sharing import allow, in_memory, on_disk


class InMemory(MailStoreContract, TestCase):
    """Where everybody may use what is public."""

    too_much = ACCOUNT_BYTES

    def make_store(self) -> SharingStore:
        return in_memory("lrswipkxte")


class InMemoryByRights(PublicContract, TestCase):
    def make_store(self) -> SharingStore:
        return in_memory()

    def let(self, store: SharingStore, user: str, letters: str) -> None:
        allow(store, user, letters)


class OnDisk(MailStoreContract, TestCase):
    """As a server uses it, with limits."""

    too_much = 2_000_001

    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.mkdir(self.directory)

    def make_store(self) -> SharingStore:
        limits = Limits(storage=2_000_000, messages=1000, message=1_900_000)
        store = on_disk(self.directory, reactor, limits)
        allow(store, "anyone", "lrswipkxte")
        return store

    def reopen(self, store: SharingStore) -> SharingStore:
        return self.make_store()

    def second_store(self, store: SharingStore) -> SharingStore:
        return self.make_store()


class OnDiskByRights(PublicContract, TestCase):
    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.mkdir(self.directory)

    def second_store(self, store: SharingStore) -> SharingStore:
        return self.make_store()

    def make_store(self) -> SharingStore:
        return on_disk(self.directory, reactor)

    def let(self, store: SharingStore, user: str, letters: str) -> None:
        allow(store, user, letters)


class OnDiskAtOnce(OnDisk):
    """Without a reactor, as command-line tools use it; nobody hears of other processes."""

    too_much = None  # type: ignore[assignment]

    def make_store(self) -> SharingStore:
        store = on_disk(self.directory)
        allow(store, "anyone", "lrswipkxte")
        return store

    def second_store(self, store: SharingStore) -> SharingStore:
        self.skipTest("nobody waits for news")
        raise AssertionError
