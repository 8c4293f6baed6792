"""The mailboxes of one user, on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from zope.interface import implementer

from referrald.errors import NoSuchMailbox
from referrald.interfaces import IMailAccount, IQuotas
from referrald.mailmodel import (
    MailboxEntry,
    MailboxStatus,
    Namespaces,
    NewMessage,
    Placed,
    Quota,
)
from referrald.store.maildir import delivery, folders, trees
from referrald.store.maildir.contents import MaildirIncoming
from referrald.store.maildir.delivery import Draft
from referrald.store.maildir.filenames import unique
from referrald.store.maildir.folder import MaildirFolder
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index
from referrald.store.maildir.keeper import Keeper
from referrald.store.maildir.scanning import look_for_folders, look_into, looks_changed
from referrald.store.names import DELIMITER, checked, undelimited

Result = TypeVar("Result")
QUOTA_ROOT = "account"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@implementer(IMailAccount, IQuotas)
class MaildirAccount:
    """One user's mailboxes."""

    delimiter = DELIMITER

    def __init__(self, user: str, keeper: Keeper) -> None:
        self.user = user
        self._keeper = keeper
        self.append_limit = keeper.limits.message

    def namespaces(self) -> Namespaces:
        """Give the prefixes of the namespaces: all is personal."""
        return Namespaces()

    async def entries(self) -> list[MailboxEntry]:
        """Name every mailbox."""
        await self.look()
        return await self._keeper.run(trees.entries)

    async def look(self) -> None:
        """See what others have made of the folders."""
        self._keeper.tell(await self._keeper.run(look_for_folders, self._keeper.seen))

    async def subscriptions(self) -> frozenset[str]:
        """Name all that is subscribed."""
        return await self._keeper.run(trees.subscriptions)

    async def _found(self, name: str) -> Folder:
        """Give a mailbox; when it is not known, it may have come by other ways."""
        folder = await self._keeper.run(folders.find, name)
        if folder is None:
            await self.look()
            folder = await self._keeper.run(folders.get, name)
        return folder

    async def open(self, name: str, writable: bool) -> MaildirFolder:
        """Give the folder of that name."""
        return MaildirFolder(self._keeper, await self._found(name), writable)

    async def status(self, name: str) -> MailboxStatus:
        """Count without opening."""
        found = await self.statuses([name])
        if name not in found:
            await self.look()
            found = await self.statuses([name])
        if name not in found:
            raise NoSuchMailbox(name)
        return found[name]

    async def statuses(self, names: Sequence[str]) -> dict[str, MailboxStatus]:
        """Count many."""
        found, changed = await self._keeper.run(_statuses, names)
        self._keeper.tell(changed)
        return found

    async def incoming(self, name: str, size: int) -> MaildirIncoming:
        """Get ready to take a message."""
        await self._found(name)
        return await self._keeper.run(self._incoming, name, size)

    def _incoming(self, index: Index, name: str, size: int) -> MaildirIncoming:
        self._keeper.limits.check(index, [size])
        path = index.path(folders.get(index, name).directory, "tmp", unique())
        return MaildirIncoming(path, size, self._keeper.pool)

    async def append(self, name: str, messages: Sequence[NewMessage]) -> Placed:
        """Put messages into a mailbox."""
        arrived = [new.content for new in messages if isinstance(new.content, MaildirIncoming)]
        try:
            folder = await self._found(name)
            placed = await self._keeper.run(self._append, name, messages)
        finally:
            for each in arrived:
                each.discard()
        if placed.uids:
            self._keeper.tell([folder.id])
        return placed

    def _append(self, index: Index, name: str, messages: Sequence[NewMessage]) -> Placed:
        drafts: list[Draft] = []
        try:
            drafts.extend(_draft(new) for new in messages)
            return delivery.append(index, name, drafts, self._keeper.limits)
        finally:
            for draft in drafts:
                if isinstance(draft.content, str):
                    with suppress(OSError):  # All is well: it has another name now.
                        os.unlink(draft.content)

    async def create(self, name: str, special_use: Sequence[str] = ()) -> None:
        """Make a mailbox and the levels above it."""
        await self.look()
        await self._keeper.run(trees.create, undelimited(name), special_use)

    async def delete(self, name: str) -> None:
        """Remove a mailbox; what is below it stays."""
        await self.look()
        self._keeper.tell([await self._keeper.run(trees.delete, name)])

    async def rename(self, old: str, new: str) -> None:
        """Give a mailbox and all below it a new name."""
        await self.look()
        self._keeper.tell(await self._keeper.run(trees.rename, old, undelimited(new)))

    async def subscribe(self, name: str) -> None:
        """Add a name to the subscriptions."""
        await self._keeper.run(trees.subscribe, checked(undelimited(name)))

    async def unsubscribe(self, name: str) -> None:
        """Take a name from the subscriptions."""
        await self._keeper.run(trees.unsubscribe, undelimited(name))

    @property
    def resources(self) -> tuple[str, ...]:
        """Name what is limited, as the operator has it."""
        limits = (
            ("STORAGE", self._keeper.limits.storage),
            ("MESSAGE", self._keeper.limits.messages),
        )
        return tuple(name for name, limit in limits if limit is not None)

    async def quotas(self, name: str) -> list[Quota]:
        """Give what limits a mailbox."""
        found = await self.quota(QUOTA_ROOT)
        return [] if found is None else [found]

    async def quota(self, root: str) -> Quota | None:
        """Give what limits the account, None when nothing does."""
        limits = self._keeper.limits
        if root != QUOTA_ROOT or limits.storage is limits.messages is None:
            return None
        size, number = await self._keeper.run(folders.used)
        return Quota(
            root=QUOTA_ROOT,
            storage=None if limits.storage is None else (size, limits.storage),
            messages=None if limits.messages is None else (number, limits.messages),
        )


def _statuses(index: Index, names: Sequence[str]) -> tuple[dict[str, MailboxStatus], list[int]]:
    """Count mailboxes as they are now; gives those as well that have changed by that."""
    found, changed = {}, []
    for name in dict.fromkeys(names):
        counted = folders.counted(index, name)
        with suppress(NoSuchMailbox, FileNotFoundError):
            if counted is not None and looks_changed(index, counted[0]):
                folder = folders.get(index, name)
                if look_into(index, folder):
                    changed.append(folder.id)
                counted = folders.counted(index, name)
        if counted is not None:
            found[name] = counted[1]
    return found, changed


def _draft(new: NewMessage) -> Draft:
    received, zone = _moment(new.received)
    if isinstance(new.content, MaildirIncoming):
        content: bytes | str = new.content.take()
        size = new.content.size
    else:
        content = bytes(new.content)
        size = len(content)
    return Draft(content=content, size=size, flags=new.flags, received=received, zone=zone)


def _moment(given: datetime | None) -> tuple[int, int]:
    """Give the seconds since 1970 and the minutes east of UTC."""
    if given is None:
        return int(time.time()), 0
    aware = given if given.tzinfo else given.replace(tzinfo=UTC)
    zone = (aware.utcoffset() or timedelta()) // timedelta(minutes=1)
    return (aware - EPOCH) // timedelta(seconds=1), zone
