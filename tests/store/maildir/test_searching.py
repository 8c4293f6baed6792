"""Searches that take long, in threads of their own."""

from __future__ import annotations

from threading import Event
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from referrald.mailmodel import NewMessage
from referrald.query import All, Body, Flag, Not
from referrald.store.maildir import described
from referrald.store.maildir.store import SEARCHERS, WORKERS, MaildirStore
from tests.proves import proves


@proves("K12")
class Long(TestCase):
    """Reading messages takes until ``goes_on`` is set."""

    async def setUp(self) -> None:
        self.goes_on = Event()
        self.read: list[str] = []
        whole = described.whole

        def slow(path: str, file: Any) -> Any:
            self.read.append(path)
            assert self.goes_on.wait(60), "nobody let it go on"
            return whole(path, file)

        self.store = MaildirStore(self.mktemp() + "/%u", reactor)
        await self.store.start()
        self.account = await self.store.account("bob")
        new = [NewMessage(content=b"Subject: x\r\n\r\nabc") for _ in range(3)]
        self.uids = (await self.account.append("INBOX", new)).uids
        self.folder = await self.account.open("INBOX", True)
        self.patch(described, "whole", slow)

    async def tearDown(self) -> None:
        self.goes_on.set()
        await self.folder.close()
        await self.store.stop()

    def search(self, text: str) -> Deferred[Any]:
        """Begin a search that reads messages."""
        return Deferred.fromCoroutine(self.folder.search(Body(text)))

    async def test_everything_else_goes_on_meanwhile(self) -> None:
        searches = [self.search("abc") for _ in range(SEARCHERS + WORKERS)]
        self.assertEqual(tuple((await self.folder.state()).uids), self.uids)
        await self.folder.store(self.uids[:1], ["\\Seen"], 1)
        found = await self.folder.search(All((Not(Flag("\\Seen")),)))
        self.assertEqual(tuple(found.uids), self.uids[1:])
        self.assertFalse(any(each.called for each in searches))
        self.goes_on.set()
        for found in await gatherResults(searches):
            self.assertEqual(tuple(found.uids), self.uids)

    async def test_a_search_for_which_nobody_waits_ends(self) -> None:
        work = self.search("abc")
        waiting = [self.search("abc") for _ in range(SEARCHERS)]
        work.cancel()
        for each in waiting[1:]:
            each.cancel()
        for each in (work, *waiting[1:]):
            await self.assertFailure(each, CancelledError)
        self.goes_on.set()
        self.assertEqual(tuple((await waiting[0]).uids), self.uids)
        # Those that were given up have read one message at most, the other one all.
        self.assertLessEqual(len(self.read), len(self.uids) + SEARCHERS)
