"""An SQLite file as a database: threads, connections, and looks whether anything has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from referrald.backends.mailboxrows import is_for_many
from referrald.backends.sql.connection import QUEUE, Connection
from referrald.backends.sql.sqliteopen import (
    SqliteConnection,
    failing,
    identity,
    make_tables,
    open_reading,
)
from referrald.backends.watching import Changed, Watchers
from referrald.errors import Unavailable
from referrald.workers import WorkerPool, apart

Result = TypeVar("Result")

NEWEST = "SELECT coalesce(max(seq), 0) AS newest, coalesce(min(seq), 0) AS oldest FROM changes"
SINCE = "SELECT username FROM changes WHERE seq > :seen ORDER BY seq"


@attrs.frozen(kw_only=True)
class Seen:
    """What a look has seen.

    file: which file it was. version: SQLite's ``data_version``, which another connection's change
    makes another one. newest: the last of our own notes on changes.
    """

    file: tuple[int, int] | None
    version: int
    newest: int


@attrs.frozen(kw_only=True)
class News:
    """What has changed: users, or None for anybody. kept: what the kept work gave."""

    users: tuple[str, ...] | None
    kept: tuple[Any, ...] = ()


class SqliteFile:
    """Looks every ``poll`` seconds; a file that is replaced is opened anew.

    own: the tables are ours, so that they are made when missing, and say who has changed.
    """

    log = Logger(namespace="referrald")

    def __init__(self, path: str, reactor: Any, *, own: bool, poll: float, threads: int) -> None:
        self.name = path
        self.watches = True
        self._own = own
        self._poll = poll
        self._reactor = reactor
        self._workers = WorkerPool(reactor, workers=threads, queue=QUEUE, name="sqlite")
        self._idle: list[tuple[int, SqliteConnection]] = []
        self._active: set[SqliteConnection] = set()
        self._generation = 0
        self._watching: SqliteConnection | None = None
        self._seen: Seen | None = None
        self._lock = DeferredLock()
        self._down = False
        self._kept: list[tuple[Callable[[Connection], Any], Callable[[Any], object]]] = []
        self._watchers = Watchers(path)
        self._looking = LoopingCall(self._look_soon)
        self._looking.clock = reactor

    def keep(self, work: Callable[[Connection], Any], adopt: Callable[[Any], object]) -> None:
        """Do ``work`` at the start and after every change; ``adopt`` gets what it gave."""
        self._kept.append((work, adopt))

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Have changes told."""
        return self._watchers.add(changed)

    async def start(self) -> None:
        """Open the file, and make our tables where they are to be; raises `Unavailable`."""
        await self._workers.start()
        try:
            if self._own:
                await self._workers.run(make_tables, self.name)
            await self.look()
        except BaseException:
            await self._close()
            raise
        self._looking.start(self._poll, now=False)

    async def stop(self) -> None:
        """Let go of everything."""
        if self._looking.running:
            self._looking.stop()
        await self._close()

    async def _close(self) -> None:
        self._watchers.clear()
        stopping = self._workers.stop()
        for connection in list(self._active):
            connection.interrupt()
        await stopping
        # The last who closes a file with a write-ahead log writes it back, which takes its time.
        await apart(self._reactor, self._forget)

    def _forget(self) -> None:
        """Use none of the present connections again; may be called in a thread."""
        self._generation += 1
        while self._idle:
            self._idle.pop()[1].close()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    # -- asking and changing -----------------------------------------------------------------

    def read(self, work: Callable[[Connection], Result]) -> Deferred[Result]:
        """Do ``work(connection)`` in a thread."""
        return self._workers.run(self._read, work)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        generation, connection = self._take()
        self._active.add(connection)
        try:
            with failing(self.name):
                result = work(connection)
        except BaseException:
            connection.close()
            raise
        finally:
            self._active.discard(connection)
        self._idle.append((generation, connection))
        return result

    def _take(self) -> tuple[int, SqliteConnection]:
        """Give a connection to the file that is there now; threads may come at the same time."""
        while True:
            try:
                generation, connection = self._idle.pop()
            except IndexError:
                generation = self._generation
                return generation, open_reading(self.name)
            if generation == self._generation:
                return generation, connection
            connection.close()

    def write(self, work: Callable[[Connection], Result]) -> Deferred[Result]:
        """Do ``work(connection)`` in a thread and a transaction."""
        return self._workers.run(self._write, work)

    def _write(self, work: Callable[[Connection], Result]) -> Result:
        connection = SqliteConnection(self.name)
        try:
            with failing(self.name), connection.transaction():
                return work(connection)
        finally:
            connection.close()

    # -- looking -----------------------------------------------------------------------------

    def _look_soon(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._look_again())

    async def _look_again(self) -> None:
        try:
            await self.look()
        except Unavailable:
            pass  # it has been logged
        except Exception:  # noqa: BLE001 - or else nobody would ever look again
            self.log.failure("looking at {source} failed", source=self.name)

    def look(self) -> Deferred[None]:
        """Look whether anything has changed and tell it; raises `Unavailable`."""
        return self._lock.run(lambda: Deferred.fromCoroutine(self._look_and_tell()))

    async def _look_and_tell(self) -> None:
        try:
            news = await self._workers.run(self._news)
        except Unavailable as error:
            if self._workers.running:
                self._tell_down(error)
            raise
        self._tell(news)

    def _news(self) -> News | None:
        """Look, in a thread; None when nothing has changed."""
        before, self._seen = self._seen, None
        if before is None or identity(self.name) != before.file:
            self._forget()
        now = self._look(before)
        users: tuple[str, ...] | None = None
        if before is not None and before.file == now.file:
            if before == now:
                self._seen = now
                return None
            users = self._since(before, now)
        kept = tuple(self._read(work) for work, _ in self._kept)
        self._seen = now
        return News(users=users, kept=kept)

    def _look(self, before: Seen | None) -> Seen:
        file = identity(self.name)
        watching = self._watching = self._watching or open_reading(self.name)
        with failing(self.name):
            version = watching.query("PRAGMA data_version")[0]["data_version"]
            newest = 0
            if self._own and (before is None or before.version != version):
                newest = watching.query(NEWEST)[0]["newest"]
            elif before is not None:
                newest = before.newest
        return Seen(file=file, version=version, newest=newest)

    def _since(self, before: Seen, now: Seen) -> tuple[str, ...] | None:
        """Name who has changed between two looks, None when that may be anybody."""
        if not self._own or self._watching is None:
            return None
        with failing(self.name):
            oldest = self._watching.query(NEWEST)[0]["oldest"]
            if now.newest < before.newest or before.newest + 1 < oldest:
                return None
            rows = self._watching.query(SINCE, {"seen": before.newest})
        names = dict.fromkeys(row["username"] for row in rows)
        return None if any(map(is_for_many, names)) else tuple(names)

    def _tell(self, news: News | None) -> None:
        first = not self._looking.running
        if self._down:
            self._down = False
            self.log.info("{source} can be read again", source=self.name)
        if news is None:
            return
        for (_, adopt), found in zip(self._kept, news.kept, strict=True):
            adopt(found)
        if not first:
            self._watchers.tell(news.users)

    def _tell_down(self, error: Unavailable) -> None:
        """Log it once. Nobody is told, because nobody knows whether anything is different."""
        if not self._down:
            self._down = True
            self.log.error("{source} cannot be read: {error}", source=self.name, error=str(error))
