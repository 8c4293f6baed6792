"""What Linux says of directories, and what is heard of mailboxes with it and without."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from referrald.errors import Unavailable
from referrald.store.maildir.alarms import _EVENT, IN_Q_OVERFLOW, Alarms
from referrald.store.maildir.store import MaildirStore
from referrald.testing.storecase import once, put
from tests.proves import proves


class Told(TestCase):
    """With the system's own."""

    def setUp(self) -> None:
        self.told: list[set[str] | None] = []
        self.waiting: Deferred[None] | None = None
        self.alarms = Alarms(reactor, self.changed)
        self.alarms.start()
        self.addCleanup(self.alarms.stop)
        self.path = self.mktemp()
        os.mkdir(self.path)
        if not self.alarms.watch("first", [self.path]):
            raise SkipTest("there is no inotify here")

    def changed(self, names: set[str] | None) -> None:
        self.told.append(names)
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.callback(None)

    def make(self, name: str, path: str = "") -> None:
        """Make a file."""
        with open(os.path.join(path or self.path, name), "wb"):
            pass

    async def heard(self) -> None:
        """Wait for the next word."""
        self.waiting = Deferred()
        await self.waiting

    async def test_of_many_changes_it_tells_once(self) -> None:
        for name in ("a", "b", "c"):
            self.make(name)
        await self.heard()
        self.make("d")
        other = self.mktemp()
        os.mkdir(other)
        self.alarms.watch("second", [other])
        self.make("e", other)
        await self.heard()
        self.assertEqual(self.told, [{"first"}, {"second"}])

    async def test_watched_again_it_tells_again(self) -> None:
        for _turn in range(2):
            self.alarms.watch("first", [self.path])
            os.mkdir(os.path.join(self.path, str(_turn)))
            await self.heard()
        self.assertEqual(self.told, [{"first"}] * 2)

    async def test_what_is_forgotten_is_not_told(self) -> None:
        self.alarms.forget("first")
        self.alarms.forget("never watched")
        self.make("a")
        os.mkdir(self.path + "2")
        self.alarms.watch("second", [self.path + "2"])
        self.make("b", self.path + "2")
        await self.heard()
        self.assertEqual(self.told, [{"second"}])

    def test_a_directory_that_is_not_there_cannot_be_watched(self) -> None:
        self.assertFalse(self.alarms.watch("gone", [self.path, self.path + "/none"]))

    def test_nothing_is_watched_after_the_end(self) -> None:
        self.alarms.stop()
        self.assertFalse(self.alarms.watch("late", [self.path]))


class Limits(SynchronousTestCase):
    def test_the_limit_is_told_the_operator_once(self) -> None:
        class Full:
            def inotify_add_watch(self, *_arguments: Any) -> int:
                ctypes.set_errno(errno.ENOSPC)
                return -1

        said: list[str] = []

        def hear(event: Any) -> None:
            said.append(event.get("why", ""))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        alarms = Alarms(Clock(), lambda names: None)
        alarms._libc, alarms._handle = Full(), 0
        for _ in range(3):
            self.assertFalse(alarms.watch("x", ["/"]))
        self.assertEqual(said, [os.strerror(errno.ENOSPC)])

    def test_where_the_reactor_reads_no_files_it_watches_none(self) -> None:
        alarms = Alarms(Clock(), lambda names: None)
        alarms.start()
        self.assertFalse(alarms.watch("x", ["/"]))
        alarms.stop()

    def test_what_was_lost_may_be_anything(self) -> None:
        told: list[set[str] | None] = []
        alarms = Alarms(Clock(), told.append)
        alarms._handle, end = os.pipe()
        for handle in (alarms._handle, end):
            self.addCleanup(os.close, handle)
        os.write(end, _EVENT.pack(-1, IN_Q_OVERFLOW, 0, 0))
        alarms.doRead()
        self.assertEqual(told, [None])


@proves("K5", "K10")
class Heard(TestCase):
    """By who watches a mailbox."""

    async def started(self) -> MaildirStore:
        """Give a store that runs until the end of the test."""
        self.root = os.path.abspath(self.mktemp())
        store = MaildirStore(os.path.join(self.root, "%u"), reactor)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def delivered_is_heard(self, store: MaildirStore, user: str) -> None:
        """Deliver, again and again, and each time wait until it is heard."""
        account = await store.account(user)
        folder = await account.open("INBOX", True)
        for turn in range(3):
            told = once(folder)
            seen = (await folder.state()).modseq
            with open(os.path.join(self.root, user, "new", f"170000000{turn}.1.h"), "wb") as file:
                file.write(b"x\n")
            arrived: tuple[int, ...] = ()
            while not arrived:
                await told
                arrived = tuple((await folder.changes(seen)).arrived)
                told = once(folder)
        await folder.close()

    async def test_deliveries_are(self) -> None:
        await self.delivered_is_heard(await self.started(), "bob")

    async def test_they_are_where_nothing_tells_of_them(self) -> None:
        self.patch(Alarms, "start", lambda self: None)
        await self.delivered_is_heard(await self.started(), "bob")

    async def test_they_are_though_another_account_is_out_of_order(self) -> None:
        store = await self.started()
        broken = await store.account("alice")
        await put(broken, "INBOX", b"x")
        (await broken.open("INBOX", True)).watch(lambda: None)

        async def run(*_arguments: Any) -> Any:
            raise Unavailable("out of order")

        self.patch(broken._keeper, "run", run)
        await self.delivered_is_heard(store, "bob")

    async def test_a_mailbox_that_is_made_anew_is(self) -> None:
        """Its directory is another one then."""
        store = await self.started()
        account = await store.account("bob")
        for _turn in range(2):
            await account.create("box")
            folder = await account.open("box", True)
            told = once(folder)
            await deferLater(reactor, 0.01)
            path = os.path.join(self.root, "bob", ".box", "new", "1700000000.1.h")
            with open(path, "wb") as file:
                file.write(b"x\n")
            await told
            await folder.close()
            await account.delete("box")
