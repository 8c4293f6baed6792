"""Keeps the watch of a store going, and says in the log when it cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from referrald.backends.keyvalue.keys import user_of
from referrald.backends.keyvalue.store import Store
from referrald.backends.watching import Watchers
from referrald.errors import Unavailable

AGAIN: Final = 1.0
"""Seconds until a store that cannot be reached is tried again."""


class Follower:
    """Tells ``watchers`` of users whose keys have changed, as long as it runs."""

    log = Logger(namespace="referrald")

    def __init__(self, store: Store, watchers: Watchers, prefix: str, reactor: Any) -> None:
        self._store = store
        self._watchers = watchers
        self._prefix = prefix
        self._reactor = reactor
        self._running: Deferred[None] | None = None
        self._stopped = False
        self._down = False

    async def start(self) -> None:
        """Find out where to begin, and begin; a store that is down is tried again and again."""
        try:
            await self._store.position()
        except Unavailable as error:
            self._note_down(str(error))
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(_ended)

    def stop(self) -> None:
        """End it."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while not self._stopped:
            rest = AGAIN
            try:
                rest = await self._store.follow(self._told, self._note_up)
            except CancelledError:
                raise
            except Unavailable as error:
                self._note_down(str(error))
            except Exception:  # noqa: BLE001 - whatever it is must not end the watch
                self.log.failure("watching {source} failed", source=self._store.name)
            if rest and not self._stopped:
                await deferLater(self._reactor, rest)

    def _told(self, keys: Iterable[bytes] | None) -> None:
        if keys is None:
            self._watchers.tell(None)
            return
        users = [user_of(self._prefix, key) for key in keys]
        self._watchers.tell([user for user in users if user is not None])

    def _note_down(self, error: str) -> None:
        if not self._down:
            self._down = True
            self.log.error(
                "{source} cannot be reached: {error}", source=self._store.name, error=error
            )

    def _note_up(self) -> None:
        if self._down:
            self._down = False
            self.log.info("{source} can be reached again", source=self._store.name)


def _ended(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]
