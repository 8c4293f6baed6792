"""One round after another through all that somebody watches: has another process changed it?

The same rounds bring flags into file names, which nobody has to wait for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from referrald.errors import ReferraldError
from referrald.store.maildir import folders, mirroring
from referrald.store.maildir.index import Index
from referrald.store.maildir.keeper import Keeper
from referrald.workers import Pool

PAUSE = 0.5
"""Seconds between two rounds."""

TICK = 50_000_000
"""Nanoseconds within which two changes may leave the same trace."""

Trace = tuple[tuple[int, int], ...] | None


class Rounds:
    """Looks at the accounts again and again, in a thread, as long as the store runs."""

    log = Logger(namespace="referrald")

    def __init__(self, reactor: Any, pool: Pool, keepers: Mapping[str, Keeper]) -> None:
        self._reactor = reactor
        self._pool = pool
        self._keepers = keepers
        self._traces: dict[str, tuple[tuple[int, ...], tuple[str, ...], Trace]] = {}
        self._call: Any = None
        self._going: Deferred[None] | None = None
        self._running = False

    def start(self) -> None:
        """Begin, where there is a clock."""
        self._running = True
        self._wait()

    def _wait(self) -> None:
        if self._running and self._reactor is not None:
            self._call = self._reactor.callLater(PAUSE, self._begin)

    def _begin(self) -> None:
        self._call = None
        self._going = Deferred.fromCoroutine(self._go())
        self._going.addErrback(self._failed).addCallback(self._gone)

    def _failed(self, failure: Any) -> None:
        if failure.check(CancelledError, ReferraldError) is None:
            self.log.failure("A round through the mailboxes failed", failure)

    def _gone(self, _result: object) -> None:
        self._going = None
        self._wait()

    async def stop(self) -> None:
        """End, once all flags are in file names."""
        self._running = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._going is not None:
            await self._going
        for keeper in list(self._keepers.values()):
            # Where it cannot be done now, it is when the account is used again.
            with suppress(ReferraldError):
                await self._mirror(keeper)

    async def _go(self) -> None:
        await self._look()
        for keeper in list(self._keepers.values()):
            if keeper.behind:
                with suppress(ReferraldError):  # It is in the log; others have their turn.
                    await self._mirror(keeper)

    async def _look(self) -> None:
        """Tell those who watch what has left other traces than before."""
        keepers = {keeper.root: keeper for keeper in self._keepers.values() if keeper.watched}
        for root in self._traces.keys() - keepers.keys():
            del self._traces[root]
        for root, keeper in keepers.items():
            watched = tuple(sorted(keeper.watched))
            if self._traces.get(root, ((), (), None))[0] != watched:
                parts = await keeper.run(_paths, watched)
                self._traces[root] = (watched, (*keeper.traces(), *parts), None)
        asked = {root: paths for root, (_watched, paths, _trace) in self._traces.items()}
        found = await self._pool.run(_traces, asked) if asked else {}
        for root, trace in found.items():
            watched, paths, before = self._traces[root]
            self._traces[root] = (watched, paths, trace)
            if trace is None or trace != before:
                keepers[root].tell(watched)

    async def _mirror(self, keeper: Keeper) -> None:
        while keeper.behind:
            folder_id = keeper.behind.pop()
            if await keeper.run(_mirror, folder_id):
                keeper.behind.add(folder_id)


def _mirror(index: Index, folder_id: int) -> bool:
    folder = folders.by_id(index, folder_id)
    return folder is not None and mirroring.mirror(index, folder)


def _paths(index: Index, folder_ids: Iterable[int]) -> list[str]:
    """Name the directories that others change when they deliver or mark messages."""
    found = filter(None, (folders.by_id(index, folder_id) for folder_id in folder_ids))
    return [index.path(each.directory, part) for each in found for part in ("new", "cur")]


def _traces(asked: Mapping[str, Iterable[str]]) -> dict[str, Trace]:
    """Say what files look like; None where they have changed so lately that they may again."""
    now = time.time_ns()
    found: dict[str, Trace] = {}
    for root, paths in asked.items():
        trace = tuple(map(_trace, paths))
        fresh = any(now - changed < TICK for changed, _size in trace)
        found[root] = None if fresh else trace
    return found


def _trace(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
