"""One round after another through all that somebody watches: has another process changed it?

Where the system says by itself that something has changed (`referrald.store.maildir.alarms`) only
that is looked at, and soon; the rest all the same now and then, for what it has not said. The same
rounds bring flags into file names, which nobody has to wait for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from referrald.errors import ReferraldError
from referrald.store.maildir import folders, mirroring
from referrald.store.maildir.alarms import Alarms
from referrald.store.maildir.index import Index
from referrald.store.maildir.keeper import Keeper
from referrald.workers import Pool

PAUSE = 0.5
"""Seconds between two rounds."""

SOON = 0.1
"""Seconds after which it is looked at what the system says has changed."""

EVERYTHING = 60
"""Rounds of which one looks at everything."""

TICK = 50_000_000
"""Nanoseconds within which two changes may leave the same trace."""

Trace = tuple[tuple[int, int], ...] | None


@attrs.frozen
class Seen:
    """What an account looked like. watched: its mailboxes that somebody watches.

    paths: what is looked at; directories: where the system tells of changes.
    """

    watched: tuple[int, ...]
    paths: tuple[str, ...]
    directories: tuple[str, ...]
    trace: Trace


class Rounds:
    """Looks at the accounts again and again, in a thread, as long as the store runs."""

    log = Logger(namespace="referrald")

    def __init__(self, reactor: Any, pool: Pool, keepers: Mapping[str, Keeper]) -> None:
        self._reactor = reactor
        self._pool = pool
        self._keepers = keepers
        self._alarms = Alarms(reactor, self._alarmed)
        self._traces: dict[str, Seen] = {}
        self._due: set[str] = set()
        self._rounds = 0
        self._call: Any = None
        self._early: Any = None
        self._going: Deferred[None] | None = None
        self._running = False

    def start(self) -> None:
        """Begin, where there is a clock."""
        self._running = True
        self._alarms.start()
        self._wait()

    def _alarmed(self, roots: set[str] | None) -> None:
        """Look soon at what has changed, not at once: a change seldom comes alone."""
        self._due.update(self._traces if roots is None else roots)
        if self._early is None and self._running:
            self._early = self._reactor.callLater(SOON, self._look_early)

    def _look_early(self) -> None:
        self._early = None
        if self._going is None:
            self._set_going(self._look())

    def _wait(self) -> None:
        if self._running and self._reactor is not None:
            self._call = self._reactor.callLater(PAUSE, self._begin)

    def _begin(self) -> None:
        self._call = None
        if self._going is None:
            self._set_going(self._go())
        else:
            self._wait()

    def _set_going(self, work: Coroutine[Any, Any, None]) -> None:
        self._going = Deferred.fromCoroutine(work)
        self._going.addErrback(self._failed).addCallback(self._gone)

    def _failed(self, failure: Any) -> None:
        if failure.check(CancelledError, ReferraldError) is None:
            self.log.failure("A round through the mailboxes failed", failure)

    def _gone(self, _result: object) -> None:
        self._going = None
        if self._call is None:
            self._wait()

    async def stop(self) -> None:
        """End, once all flags are in file names."""
        self._running = False
        for call in (self._call, self._early):
            if call is not None:
                call.cancel()
        self._call = self._early = None
        if self._going is not None:
            await self._going
        self._alarms.stop()
        for keeper in list(self._keepers.values()):
            # Where it cannot be done now, it is when the account is used again.
            with suppress(ReferraldError):
                await self._mirror(keeper)

    async def _go(self) -> None:
        self._rounds += 1
        if self._rounds % EVERYTHING == 0:
            self._due.update(self._traces)
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
            self._alarms.forget(root)
        for root, keeper in keepers.items():
            watched = tuple(sorted(keeper.watched))
            if root not in self._traces or self._traces[root].watched != watched:
                # One account that is out of order keeps nobody else from being told.
                with suppress(ReferraldError):
                    parts = await keeper.run(_paths, watched)
                    paths = (*keeper.traces(), *parts)
                    self._traces[root] = Seen(watched, paths, (root, *parts), None)
                    self._due.add(root)
        due, self._due = self._due, set()
        asked = {root: self._traces[root] for root in due if root in self._traces}
        found = await self._pool.run(_traces, asked, self._alarms) if asked else {}
        for root, (trace, again) in found.items():
            seen = self._traces.get(root)
            if seen is None:
                continue
            self._traces[root] = attrs.evolve(seen, trace=trace)
            if again:
                self._due.add(root)
            if trace is None or trace != seen.trace:
                keepers[root].tell(seen.watched)

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


def _traces(asked: Mapping[str, Seen], alarms: Alarms) -> dict[str, tuple[Trace, bool]]:
    """Say what files look like, and whether to look at them in the next round again.

    The trace is None where they have changed so lately that they may again without another trace.
    """
    found: dict[str, tuple[Trace, bool]] = {}
    for root, seen in asked.items():
        told = alarms.watch(root, seen.directories)
        trace = tuple(map(_trace, seen.paths))
        now = time.time_ns()
        fresh = any(now - changed < TICK for changed, _size in trace)
        found[root] = (None if fresh else trace, fresh or not told)
    return found


def _trace(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
