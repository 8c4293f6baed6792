"""The store on disk: accounts by user, threads, and a look at what other processes do."""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakValueDictionary

from zope.interface import implementer

from referrald.errors import Unavailable
from referrald.interfaces import ILifecycle, IMailStore
from referrald.store.maildir.account import MaildirAccount
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.disk import Step, no_step
from referrald.store.maildir.keeper import Keeper, Opened, Pools
from referrald.store.maildir.naming import root_of
from referrald.store.maildir.watching import Rounds
from referrald.workers import Inline, Pool, WorkerPool

WORKERS = 8
SEARCHERS = 4
"""Threads for searches that read messages, apart: nothing else has to wait for these."""
QUEUE = 10_000


@implementer(IMailStore, ILifecycle)
class MaildirStore:
    """Mailboxes in Maildir++.

    root: the directory of an account, see `root_of`. public_root: that of the account whose
    mailboxes are public, where there is one. reactor: None where nothing else goes on (a
    command-line tool); all is done at once then, and nobody hears of other processes.
    """

    def __init__(
        self,
        root: str,
        reactor: Any = None,
        *,
        public_root: str = "",
        limits: Limits | None = None,
        workers: int = WORKERS,
        step: Step = no_step,
    ) -> None:
        self.root = root
        self.public_root = public_root
        self.limits = limits or Limits()
        self._pool: Any = Inline()
        self._searchers: Any = self._pool
        if reactor is not None:
            self._pool = WorkerPool(reactor, workers=workers, queue=QUEUE, name="mailbox")
            self._searchers = WorkerPool(reactor, workers=SEARCHERS, queue=QUEUE, name="search")
        self._step = step
        self._opened = Opened()
        self._keepers: WeakValueDictionary[str, Keeper] = WeakValueDictionary()
        self._rounds = Rounds(reactor, self._pool, self._keepers)

    async def start(self) -> None:
        """Get ready."""
        for pool in (self._pool, self._searchers):
            if isinstance(pool, WorkerPool):
                await pool.start()
        self._rounds.start()

    async def stop(self) -> None:
        """Finish what is under way, and let go of files and threads."""
        await self._rounds.stop()
        if isinstance(self._searchers, WorkerPool):
            await self._searchers.stop()
        for keeper in self._opened.drain():
            await self._pool.run(keeper.shut)
        if isinstance(self._pool, WorkerPool):
            await self._pool.stop()

    @property
    def pool(self) -> Pool:
        """What runs what blocks, for those that belong to the store."""
        pool: Pool = self._pool
        return pool

    async def account(self, user: str) -> MaildirAccount:
        """Give the account of ``user``; its directory is made where it is missing."""
        return await self._account(user, root_of(self.root, user), self.limits)

    async def existing(self, user: str) -> MaildirAccount | None:
        """Give the account of ``user`` if it has a directory."""
        try:
            root = root_of(self.root, user)
        except Unavailable:  # No user of that name can have mail here.
            return None
        there = await self._pool.run(os.path.isdir, root)
        return await self._account(user, root, self.limits) if there else None

    async def public(self) -> MaildirAccount:
        """Give the account whose mailboxes are public; it may have as much as there is room for."""
        limits = Limits(message=self.limits.message)
        return await self._account("", self.public_root, limits)

    async def _account(self, user: str, root: str, limits: Limits) -> MaildirAccount:
        keeper = self._keepers.get(root)
        if keeper is None:
            pools = Pools(blocking=self._pool, searching=self._searchers)
            keeper = Keeper(root, pools, self._opened, limits, self._step)
            self._keepers[root] = keeper
        account = MaildirAccount(user, keeper)
        await account.look()
        return account
