"""Redis as a source of homes: threads that ask, and a listener that tells of changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from referrald.backends.redis.clients import Client
from referrald.backends.redis.listening import Listener, Subscription
from referrald.backends.redis.servers import Servers
from referrald.backends.watching import Changed, Watchers
from referrald.errors import Unavailable
from referrald.workers import WorkerPool

Result = TypeVar("Result")

AGAIN = 1.0
"""Seconds until a server that cannot be reached is tried again."""

QUEUE = 1_000


class RedisSource:
    """Asks in threads; tells those who watch whoever has changed."""

    log = Logger(namespace="referrald")

    def __init__(
        self, servers: Servers, subscription: Subscription, reactor: Any, threads: int
    ) -> None:
        self.name = servers.name
        self.watches = bool(subscription)
        self._servers = servers
        self._subscription = subscription
        self._reactor = reactor
        self._pool = WorkerPool(reactor, workers=threads, queue=QUEUE, name="redis")
        self._listener: Listener | None = None
        self._running = False
        self._later: Any = None
        self._down = False
        self._watchers = Watchers(self.name)

    async def start(self) -> None:
        """Connect; a server that is down is tried again and again, and logged."""
        await self._pool.start()
        self._running = True
        await self._connect()

    async def stop(self) -> None:
        """Let go of everything."""
        self._running = False
        self._watchers.clear()
        if self._later is not None:
            self._later.cancel()
            self._later = None
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.stop()
        await self._pool.stop()
        self._servers.close()

    def read(self, work: Callable[[Client], Result]) -> Deferred[Result]:
        """Do ``work(client)`` in a thread."""
        return self._pool.run(self._servers.read, work)

    def write(self, work: Callable[[Client], Result]) -> Deferred[Result]:
        """Do ``work(client)`` in a thread, at the server that takes changes."""
        return self._pool.run(self._servers.write, work)

    def watch(self, changed: Changed) -> Callable[[], None]:
        """Have changes told."""
        return self._watchers.add(changed)

    def look(self) -> None:
        """Take it that anybody may have changed."""
        self._watchers.tell(None)

    # -- listening ---------------------------------------------------------------------------

    async def _connect(self) -> None:
        """Listen, and take it that anything may have changed before."""
        self._later = None
        try:
            await self._pool.run(self._servers.primary)
            if self._subscription:
                await self._listen()
        except Unavailable as error:
            self._lost(error)
            return
        if self._down:
            self._down = False
            self.log.info("{source} can be reached again", source=self.name)
            self._watchers.tell(None)

    async def _listen(self) -> None:
        listener = await self._pool.run(self._subscribed)
        listener.start()
        if self._running:
            self._listener = listener
        else:
            await listener.stop()

    def _subscribed(self) -> Listener:
        client = self._servers.listening()
        made = Listener(client, self._subscription, self._reactor, self._told, self._lost)
        made.subscribe()
        return made

    def _lost(self, error: Unavailable) -> None:
        """Try again later; what is not told meanwhile is told then."""
        self._listener = None
        if not self._running:
            return
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
        self._watchers.tell(None if "" in users else users)
