"""An open mailbox, for somebody who may have but some rights on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from zope.interface import implementer

from referrald.errors import NoPermission, NoSuchMailbox
from referrald.interfaces import IMailFolder, IRecents
from referrald.mailmodel import Changes, Column, FolderState, Placed, Stored, StoredMessage
from referrald.query import Found, Query
from referrald.store import carrying, rights
from referrald.store.rights import CHANGING

if TYPE_CHECKING:
    from referrald.store.sharedaccount import SharedAccount, Where

READ_ONLY = "This mailbox is open for reading only."


@implementer(IMailFolder, IRecents)
class SharingFolder:
    """A mailbox of the user's own, whose messages can go into mailboxes of others as well.

    folder: the `IMailFolder` and `IRecents` of the account that has it.
    """

    def __init__(self, name: str, folder: Any, account: SharedAccount, where: Where) -> None:
        self.name = name
        self.folder = folder
        self._account = account
        self._where = where

    @property
    def writable(self) -> bool:
        """False when nothing can be changed through this folder."""
        return bool(self.folder.writable)

    async def state(self) -> FolderState:
        """Tell all that SELECT needs."""
        state: FolderState = await self.folder.state()
        return state

    async def recent_from(self, last: int) -> int:
        """Give the first UID of which nobody was told; they are now, up to ``last``."""
        first: int = await self.folder.recent_from(last)
        return first

    async def changes(self, since: int) -> Changes:
        """Tell what has happened since a state."""
        changes: Changes = await self.folder.changes(since)
        return changes

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after every change."""
        end: Callable[[], None] = self.folder.watch(changed)
        return end

    async def fetch(self, uids: Sequence[int]) -> Sequence[StoredMessage]:
        """Tell of messages what is known without reading them."""
        found: Sequence[StoredMessage] = await self.folder.fetch(uids)
        return found

    async def rows(self, uids: Sequence[int], columns: Sequence[Column]) -> Sequence[Any]:
        """Give for each message a tuple of its UID and the columns."""
        found: Sequence[Any] = await self.folder.rows(uids, columns)
        return found

    async def content(self, uid: int) -> bytes | None:
        """Give a whole message, None when it is gone."""
        content: bytes | None = await self.folder.content(uid)
        return content

    async def read(self, uid: int) -> Any:
        """Open a message for reading, None when it is gone."""
        return await self.folder.read(uid)

    async def search(self, query: Query) -> Found:
        """Find messages."""
        found: Found = await self.folder.search(query)
        return found

    async def store(
        self,
        uids: Sequence[int],
        flags: Sequence[str],
        mode: int,
        unchanged_since: int | None = None,
    ) -> Stored:
        """Add (mode 1), remove (-1) or set (0) flags."""
        stored: Stored = await self.folder.store(uids, flags, mode, unchanged_since)
        return stored

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """Remove messages marked ``\\Deleted``."""
        gone: Sequence[int] = await self.folder.expunge(uids)
        return gone

    async def copy(self, uids: Sequence[int], target: str) -> Placed:
        """Copy messages into a mailbox, with those flags that the user may set there."""
        into = await self._account.may(target, "i")
        if self._is_near(into):
            near: Placed = await self.folder.copy(uids, into.name)
            return near
        return await carrying.copy(self.folder, uids, into.account, into.name, into.letters)

    async def move(self, uids: Sequence[int], target: str) -> Placed:
        """Move messages into a mailbox.

        Into one of another owner they are copied before they are removed: what breaks that off
        leaves some in both, and loses none.
        """
        into = await self._account.may(target, "i")
        if self._is_near(into):
            near: Placed = await self.folder.move(uids, into.name)
            return near
        if not self.writable:
            raise NoPermission(self.name, public=READ_ONLY)
        placed = await carrying.copy(self.folder, uids, into.account, into.name, into.letters)
        if placed.sources:
            await self.folder.store(placed.sources, ["\\Deleted"], 1)
            await self.folder.expunge(placed.sources)
        return placed

    def _is_near(self, into: Where) -> bool:
        """Say whether the account that has both can do it alone, flags and all."""
        return into.owner == self._where.owner and set("stw") <= set(into.letters)

    async def close(self) -> None:
        """Let go of it."""
        await self.folder.close()


class GuardedFolder(SharingFolder):
    """A mailbox of somebody else. Rights count as they are when something is done."""

    def __init__(self, name: str, folder: Any, account: SharedAccount, where: Where) -> None:
        super().__init__(name, folder, account, where)
        self._letters = where.letters
        self._ends: list[Callable[[], None]] = []

    @property
    def writable(self) -> bool:
        """False when nothing can be changed, as far as is known."""
        return bool(self.folder.writable) and not CHANGING.isdisjoint(self._letters)

    async def _held(self) -> str:
        """Give the letters now."""
        granting, where = self._account.granting, self._where
        held = await granting.held(where.owner, self._account.user)
        self._letters = held.letters(where.key)
        return self._letters

    async def _check_readable(self) -> str:
        letters = await self._held()
        if "r" not in letters:
            raise NoPermission(self.name) if "l" in letters else NoSuchMailbox(self.name)
        return letters

    async def _check(self, *wanted: str) -> str:
        letters = await self._held()
        if not self.folder.writable:
            raise NoPermission(self.name, public=READ_ONLY)
        if not set(wanted) <= set(letters):
            raise NoPermission(self.name)
        return letters

    async def state(self) -> FolderState:
        """Tell all that SELECT needs, and which flags the user can change."""
        letters = await self._check_readable()
        state = await super().state()
        return attrs.evolve(state, permanent=rights.settable(state.permanent, letters))

    async def recent_from(self, last: int) -> int:
        """Give the first UID of which nobody was told; who may only read takes nothing away."""
        if self.writable or not self.folder.writable:
            return await super().recent_from(last)
        looking = await self._where.account.open(self._where.name, False)
        try:
            first: int = await looking.recent_from(last)
        finally:
            await looking.close()
        return first

    async def changes(self, since: int) -> Changes:
        """Tell what has happened since a state."""
        await self._check_readable()
        return await super().changes(since)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after every change, of rights too."""
        ends = (super().watch(changed), self._account.granting.watch(changed))

        def end() -> None:
            for each in ends:
                each()

        self._ends.append(end)
        return end

    async def store(
        self,
        uids: Sequence[int],
        flags: Sequence[str],
        mode: int,
        unchanged_since: int | None = None,
    ) -> Stored:
        """Add (mode 1), remove (-1) or set (0) those of the flags that the user may change."""
        letters = await self._check()
        allowed = rights.settable(flags, letters)
        if not set("stw").isdisjoint(letters) and (allowed or (mode == 0 and not flags)):
            if set("stw") <= set(letters):
                return await super().store(uids, flags, mode, unchanged_since)
            if mode != 0:
                return await super().store(uids, allowed, mode, unchanged_since)
            return await self._replace(uids, allowed, letters, unchanged_since)
        raise NoPermission(self.name)

    async def _replace(
        self, uids: Sequence[int], flags: Sequence[str], letters: str, since: int | None
    ) -> Stored:
        """Set the flags that the user may change, and leave the others as they are."""
        wanted = {flag.lower() for flag in flags}
        known = rights.settable((await self.folder.state()).flags, letters)
        others = [flag for flag in known if flag.lower() not in wanted]
        first = await super().store(uids, others, -1, since)
        spared = set(first.unchanged)
        rest = [uid for uid in first.flags if uid not in spared]
        then = await super().store(rest, flags, 1)
        return Stored(
            flags={**first.flags, **then.flags},
            modseqs={**first.modseqs, **then.modseqs},
            unchanged=first.unchanged,
        )

    async def expunge(self, uids: Sequence[int] | None = None) -> Sequence[int]:
        """Remove messages marked ``\\Deleted``."""
        await self._check("e")
        return await super().expunge(uids)

    async def move(self, uids: Sequence[int], target: str) -> Placed:
        """Move messages: that takes the rights to mark them as deleted, and to remove them."""
        await self._check("t", "e")
        return await super().move(uids, target)

    async def close(self) -> None:
        """Let go of it: watches that were not ended are."""
        for end in self._ends:
            end()
        self._ends.clear()
        await super().close()
