"""PostgreSQL as a database: threads, connections, and one connection that listens for changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from referrald.backends.mailboxrows import is_for_many
from referrald.backends.sql import pgschema
from referrald.backends.sql.connection import QUEUE, Connection
from referrald.backends.sql.pgconnection import (
    READ_ONLY,
    WRITING,
    PgConnection,
    failing,
    make_tables,
    name_of,
)
from referrald.backends.sql.pglistener import Listener
from referrald.backends.watching import CHANGES_TOLD, Changed, Watchers
from referrald.errors import Unavailable
from referrald.workers import WorkerPool, apart

Result = TypeVar("Result")

AGAIN = 1.0
"""Seconds until a database that cannot be reached is tried again."""


class PgDatabase:
    """Looks up at ``read_dsn`` where there is one, else at ``dsn``, and there too when it fails.

    own: the tables are ours. channel: where changes are told, empty for nowhere. lag: seconds after
    a change during which replicas are not asked, because they may not know of it yet.
    """

    log = Logger(namespace="referrald")

    def __init__(
        self, dsn: str, reactor: Any, *, own: bool, channel: str, threads: int,
        read_dsn: str = "", lag: float = 5.0,
    ) -> None:  # fmt: skip
        self.name = name_of(dsn)
        self.watches = bool(channel)
        self._dsn = dsn
        self._read_dsn = read_dsn
        self._reactor = reactor
        self._own = own
        self._channel = channel
        self._lag = lag
        self._fresh_until = 0.0
        self._workers = WorkerPool(reactor, workers=threads, queue=QUEUE, name="postgresql")
        self._idle: dict[str, list[PgConnection]] = {}
        self._active: set[PgConnection] = set()
        self._listener: Listener | None = None
        self._later: Any = None
        self._down = False
        self._heard: dict[str, None] = {}
        self._telling = False
        self._kept: list[tuple[Callable[[Connection], Any], Callable[[Any], object]]] = []
        self._watchers = Watchers(self.name)

    def keep(self, work: Callable[[Connection], Any], adopt: Callable[[Any], object]) -> None:
        """Do ``work`` at the start and after every change; ``adopt`` gets what it gave."""
        self._kept.append((work, adopt))

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Have changes told."""
        return self._watchers.add(changed)

    async def start(self) -> None:
        """Connect; a database that is down is tried again and again, and logged."""
        await self._workers.start()
        await self._connect()

    async def stop(self) -> None:
        """Let go of everything."""
        self._watchers.clear()
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        stopping = self._workers.stop()
        # A server that hangs would never let its threads go.
        for connection in list(self._active):
            connection.abort()
        await stopping
        await apart(self._reactor, self._forget)

    def _forget(self) -> None:
        """Let go of the connections; may be called in a thread."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    # -- asking and changing -----------------------------------------------------------------

    def read(self, work: Callable[[Connection], Result]) -> Deferred[Result]:
        """Do ``work(connection)`` in a thread."""
        return self._workers.run(self._read, work)

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        if self._read_dsn and self._reactor.seconds() >= self._fresh_until:
            try:
                return self._read_at(self._read_dsn, work)
            except Unavailable:
                pass  # the primary may know better
        return self._read_at(self._dsn, work)

    def _read_at(self, dsn: str, work: Callable[[Connection], Result]) -> Result:
        """Ask with a connection that was used before, and with a new one when that has ended."""
        idle = self._idle.setdefault(dsn, [])
        try:
            connection, used = idle.pop(), True
        except IndexError:
            connection, used = PgConnection(dsn, self.name, READ_ONLY), False
        self._active.add(connection)
        try:
            if not self._workers.running:
                raise Unavailable(f"{self.name}: it is stopped")
            result = work(connection)
        except BaseException:
            ended = connection.raw.broken
            connection.close()
            if used and ended and self._workers.running:
                return self._read_at(dsn, work)
            raise
        finally:
            self._active.discard(connection)
        idle.append(connection)
        return result

    def write(self, work: Callable[[Connection], Result]) -> Deferred[Result]:
        """Do ``work(connection)`` in a thread and a transaction."""
        return self._workers.run(self._write, work)

    def _write(self, work: Callable[[Connection], Result]) -> Result:
        connection = PgConnection(self._dsn, self.name, WRITING)
        try:
            with connection.transaction():
                connection.query(pgschema.NOBODY_ELSE)
                return work(connection)
        finally:
            connection.close()

    # -- listening ---------------------------------------------------------------------------

    async def _connect(self) -> None:
        """Make our tables, listen, and take it that anything may have changed before."""
        self._later = None
        try:
            if self._own:
                await self._workers.run(make_tables, self._dsn, self.name)
            if self._channel:
                listening = await self._workers.run(self._listen)
                if not self._workers.running:
                    listening.close()
                    return
                self._listener = Listener(listening, self._reactor, self._told, self._lost)
            self._fresh_until = self._reactor.seconds() + self._lag
            await self._look_at_kept()
        except Unavailable as error:
            self._lost(error)
            return
        if self._down:
            self._down = False
            self.log.info("{source} can be reached again", source=self.name)
            self._watchers.tell(None)

    def _listen(self) -> PgConnection:
        from psycopg.sql import SQL, Identifier

        connection = PgConnection(self._dsn, self.name, "")
        with failing(self.name):
            connection.raw.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
        return connection

    def _lost(self, error: Unavailable) -> None:
        """Try again later; what is not told meanwhile is told then."""
        if not self._workers.running:
            return
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if not self._down:
            self._down = True
            self.log.error(
                "{source} cannot be reached: {error}", source=self.name, error=str(error)
            )
        if self._later is None:
            self._later = self._reactor.callLater(
                AGAIN, lambda: Deferred.fromCoroutine(self._connect())
            )

    def _told(self, users: list[str]) -> None:
        """Take note; what comes while others are being told of a change is told together."""
        self._heard.update(dict.fromkeys(users))
        if "" in self._heard or len(self._heard) > CHANGES_TOLD or any(map(is_for_many, users)):
            self._heard = {"": None}
        if not self._telling:
            self._telling = True
            Deferred.fromCoroutine(self._tell())

    async def _tell(self) -> None:
        try:
            while self._heard:
                users, self._heard = self._heard, {}
                self._fresh_until = self._reactor.seconds() + self._lag
                await self._look_at_kept()
                self._watchers.tell(None if "" in users else users)
        except Unavailable as error:
            self._lost(error)
        finally:
            self._telling = False

    async def _look_at_kept(self) -> None:
        for work, adopt in self._kept:
            adopt(await self.read(work))

    async def look(self) -> None:
        """Take in what has been told by now."""
        if self._listener is not None:
            self._listener.doRead()
