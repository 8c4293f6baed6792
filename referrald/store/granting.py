"""The table of rights as accounts use it: asked in threads, and watched for what others change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from referrald.errors import Unavailable
from referrald.store.rights import Held, Lists
from referrald.store.rightsfile import RightsFile
from referrald.workers import Pool

PAUSE: Final = 1.0
"""Seconds after which it is seen that another process has changed the table."""


class Granting:
    """Who may do what.

    pool: for what blocks. reactor: None where nobody waits for what other processes change.
    """

    log = Logger(namespace="referrald")

    def __init__(self, file: RightsFile, pool: Pool, reactor: Any = None) -> None:
        self.file = file
        self.pool = pool
        self._reactor = reactor
        self._watchers: dict[object, Callable[[], None]] = {}
        self._call: Any = None
        self._version: Any = None
        self._looking = False
        self._running = True

    async def start(self) -> None:
        """Open the file, so that an operator hears early of one that cannot be used."""
        with suppress(Unavailable):  # It has been logged, and users' own mail does not need it.
            await self.pool.run(self.file.version)

    async def stop(self) -> None:
        """Watch no more, and let go of the file."""
        self._running = False
        if self._call is not None:
            self._call.cancel()
            self._call = None
        await self.pool.run(self.file.close)

    # -- asking and changing -----------------------------------------------------------------

    async def lists(self, owner: str) -> Lists:
        """Give all lists of an owner by mailbox."""
        return await self.pool.run(self.file.lists, owner)

    async def held(self, owner: str, user: str) -> Held:
        """Give what a user may do with the mailboxes of an owner."""
        return Held(await self.lists(owner), user)

    async def owners(self, user: str) -> list[str]:
        """Name those who may have given a user rights."""
        return await self.pool.run(self.file.owners, user)

    async def change(
        self, owner: str, mailbox: str, identifier: str, letters: str, mode: int
    ) -> None:
        """Add (mode 1), remove (-1) or set (0) letters."""
        await self.pool.run(self.file.change, owner, mailbox, identifier, letters, mode)
        self._tell()

    async def drop(self, owner: str, mailbox: str) -> None:
        """Take away the list of a mailbox that is gone."""
        if await self.pool.run(self.file.drop, owner, mailbox):
            self._tell()

    async def copy(self, owner: str, old: str, new: str) -> bool:
        """Have a name, and all below it, go by the lists of another; says if it needs any."""
        done = await self.pool.run(self.file.copy, owner, old, new)
        if done:
            self._tell()
        return done

    async def drop_tree(self, owner: str, mailbox: str) -> None:
        """Take away the lists of a mailbox and of all below it."""
        await self.pool.run(self.file.drop_tree, owner, mailbox)
        self._tell()

    # -- watching ----------------------------------------------------------------------------

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever rights have changed; gives what ends that."""
        watch = object()
        self._watchers[watch] = changed
        self._wait()

        def end() -> None:
            self._watchers.pop(watch, None)

        return end

    def _wait(self) -> None:
        waits = self._call is not None or self._looking or self._reactor is None
        if self._running and self._watchers and not waits:
            self._call = self._reactor.callLater(PAUSE, self._look)

    def _look(self) -> None:
        self._call, self._looking = None, True
        Deferred.fromCoroutine(self._look_once()).addErrback(self._failed).addBoth(self._looked)

    async def _look_once(self) -> None:
        version = await self.pool.run(self.file.version)
        before, self._version = self._version, version
        if version != before:
            self._tell()

    def _failed(self, failure: Any) -> None:
        # The next who asks for rights is told; the file is looked at again.
        if failure.check(Unavailable) is None:
            self.log.failure("The table of rights could not be looked at", failure)

    def _looked(self, _result: object) -> None:
        self._looking = False
        self._wait()

    def _tell(self) -> None:
        for watch, changed in list(self._watchers.items()):
            if watch in self._watchers:
                try:
                    changed()
                except Exception:  # noqa: BLE001 - a watcher's fault is not the table's
                    self.log.failure("A watcher of rights failed")
