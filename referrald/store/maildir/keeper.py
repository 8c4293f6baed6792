"""One account's index, used by one piece of work at a time, and those who watch its mailboxes."""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

import attrs
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from referrald.errors import CorruptMailbox, ReferraldError
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.disk import Step, no_step
from referrald.store.maildir.index import INDEX, Index, set_aside, translated
from referrald.store.maildir.scanning import Seen
from referrald.workers import Pool

Result = TypeVar("Result")
Given = ParamSpec("Given")
Watcher = Callable[[], None]

OPEN = 200
"""Indexes that are open at a time; those of more accounts are opened when they are asked for."""


class Opened:
    """The open indexes, the one used last at the end."""

    def __init__(self, at_most: int = OPEN) -> None:
        self.at_most = at_most
        self._keepers: OrderedDict[str, Keeper] = OrderedDict()

    def use(self, keeper: Keeper) -> list[Keeper]:
        """Note that an index is used; gives those that are to be closed for it."""
        self._keepers[keeper.root] = keeper
        self._keepers.move_to_end(keeper.root)
        over = max(0, len(self._keepers) - self.at_most)
        return [self._keepers.popitem(last=False)[1] for _ in range(over)]

    def drain(self) -> list[Keeper]:
        """Give all of them, and forget them."""
        keepers = list(self._keepers.values())
        self._keepers.clear()
        return keepers


@attrs.frozen(kw_only=True)
class Pools:
    """Threads. blocking: for what does not take long; searching: for what may."""

    blocking: Pool
    searching: Pool


class Keeper:
    """What belongs to one account, whoever has it open.

    pool: runs what blocks; searchers: the same for searches that read messages. step: see `Index`.
    """

    log = Logger(namespace="referrald")

    def __init__(
        self, root: str, pools: Pools, opened: Opened, limits: Limits, step: Step = no_step
    ) -> None:
        self.root = root
        self.pool = pools.blocking
        self.searchers = pools.searching
        self.limits = limits
        self.seen = Seen()
        self.behind: set[int] = set()
        self._opened = opened
        self._step = step
        self._turn = DeferredLock()
        self._mutex = Lock()
        self._index: Index | None = None
        self._watchers: dict[int, dict[object, Watcher]] = {}

    # -- working -----------------------------------------------------------------------------

    async def run(
        self,
        work: Callable[Concatenate[Index, Given], Result],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """Give the result of ``work(index, …)``, done in a thread when its turn has come."""
        await self._turn.acquire()
        try:
            for other in self._opened.use(self):
                await self.pool.run(other.shut)
            return await self.pool.run(partial(self.do, work, *arguments, **named))
        finally:
            self._turn.release()

    def do(
        self,
        work: Callable[Concatenate[Index, Given], Result],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """Give the result of ``work(index, …)``; for a thread, which may have to wait."""
        # Who has given up no longer holds the turn, but what it began may still be going on.
        with self._mutex:
            try:
                if self._index is not None and self._index.replaced:
                    self._close()
                    self.seen = Seen()
                if self._index is None:
                    self._index = Index(self.root, self._step)
                return work(self._index, *arguments, **named)
            except ReferraldError:
                raise
            except (OSError, sqlite3.Error) as error:
                raise self._failed(error) from error

    def _failed(self, error: Exception) -> ReferraldError:
        """Tell the operator; a damaged index is put away, so that a new one is made."""
        told = translated(error, self.root)
        self.log.error("Mailboxes cannot be used as they are: {reason}", reason=str(told))
        if isinstance(told, CorruptMailbox):
            self._close()
            with suppress(OSError):
                aside = set_aside(self.root)
                self.log.error("A new index is made; the damaged one is {aside}", aside=aside)
            self.seen = Seen()
        return told

    def shut(self) -> None:
        """Close the index until it is asked for again. For a thread."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        if self._index is not None:
            with suppress(sqlite3.Error, OSError):
                self._index.close()
            self._index = None

    # -- watching ----------------------------------------------------------------------------

    @property
    def watched(self) -> list[int]:
        """Give the mailboxes that somebody watches."""
        return list(self._watchers)

    def watch(self, folder_id: int, changed: Watcher) -> Callable[[], None]:
        """Call ``changed`` whenever a mailbox changes; gives what ends that."""
        watch = object()
        self._watchers.setdefault(folder_id, {})[watch] = changed

        def end() -> None:
            watchers = self._watchers.get(folder_id, {})
            watchers.pop(watch, None)
            if not watchers:
                self._watchers.pop(folder_id, None)

        return end

    def tell(self, folder_ids: Iterable[int]) -> None:
        """Tell those who watch; what one of them raises is logged and stops no other."""
        for folder_id in folder_ids:
            for watch, changed in list(self._watchers.get(folder_id, {}).items()):
                if watch in self._watchers.get(folder_id, {}):
                    try:
                        changed()
                    except Exception:  # noqa: BLE001 - a watcher's fault is not the store's
                        self.log.failure("A watcher of a mailbox failed")

    def traces(self) -> tuple[str, ...]:
        """Name the files that change when another process changes the index."""
        path = os.path.join(self.root, INDEX)
        return (path, path + "-wal")
