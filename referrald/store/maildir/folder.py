"""An open mailbox of the store on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from zope.interface import implementer

from referrald.errors import NoPermission
from referrald.interfaces import IMailFolder, IRecents
from referrald.mailmodel import Changes, Column, FolderState, Placed, Stored, StoredMessage
from referrald.query import Found, Query
from referrald.store.describing import FROM_CONTENT
from referrald.store.maildir import delivery, described, folders, messages
from referrald.store.maildir.contents import MaildirContent
from referrald.store.maildir.described import AT_ONCE, BRIEF
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index
from referrald.store.maildir.keeper import Keeper
from referrald.store.maildir.messages import File
from referrald.store.maildir.scanning import look_into
from referrald.store.maildir.searching import Shelf, is_short, search


@implementer(IMailFolder, IRecents)
class MaildirFolder:
    """A mailbox as it was found under a name; it ends when the name means another, or none."""

    def __init__(self, keeper: Keeper, folder: Folder, writable: bool) -> None:
        self.name = folder.name
        self.writable = writable
        self.id = folder.id
        self._keeper = keeper
        self._ends: list[Callable[[], None]] = []
        self._shelf = Shelf(keeper.do, self._here)

    def _here(self, index: Index) -> Folder:
        return folders.get(index, self.name, self.id)

    def _check_writable(self) -> None:
        if not self.writable:
            raise NoPermission(self.name, public="This mailbox is open for reading only.")

    async def state(self) -> FolderState:
        """Tell all that SELECT needs."""
        return await self._keeper.run(self._state)

    def _state(self, index: Index) -> FolderState:
        look_into(index, self._here(index))
        with index.reading():
            return messages.state(index, self._here(index))

    async def recent_from(self, last: int) -> int:
        """Give the first UID of which nobody was told; they are now, up to ``last``."""
        return await self._keeper.run(self._recent_from, last)

    def _recent_from(self, index: Index, last: int) -> int:
        if not self.writable:
            return self._here(index).first_recent
        folder = self._here(index)
        # Where that cannot be noted, the next one who looks is told again.
        with index.if_possible(), index.writing(lasting=False):
            folder = self._here(index)
            messages.tell_recent(index, folder, last)
        return folder.first_recent

    async def changes(self, since: int) -> Changes:
        """Tell what has happened since the state with that ``modseq``."""
        return await self._keeper.run(self._changes, since)

    def _changes(self, index: Index, since: int) -> Changes:
        look_into(index, self._here(index))
        with index.reading():
            return messages.changes(index, self._here(index), since)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after every change: ours at once, others' within a second."""
        end = self._keeper.watch(self.id, changed)
        self._ends.append(end)
        return end

    async def fetch(self, uids: Sequence[int]) -> list[StoredMessage]:
        """Tell of messages what is known without reading them."""
        return await self._keeper.run(self._fetch, uids)

    def _fetch(self, index: Index, uids: Sequence[int]) -> list[StoredMessage]:
        with index.reading():
            return messages.fetch(index, self._here(index).id, uids)

    async def rows(self, uids: Sequence[int], columns: Sequence[Column]) -> list[Any]:
        """Give for each message a tuple of its UID and the columns."""
        found = await self._keeper.run(self._rows, uids, columns)
        if FROM_CONTENT.isdisjoint(columns):
            return found
        unknown = [row[0] for row in found if None in row]
        if not unknown:
            return found
        loose = await self._describe(unknown, BRIEF.issuperset(FROM_CONTENT.intersection(columns)))
        again = await self._keeper.run(self._rows, uids, columns)
        if loose:
            again = [_filled(row, columns, loose.get(row[0], {})) for row in again]
        return [row for row in again if None not in row]

    def _rows(self, index: Index, uids: Sequence[int], columns: Sequence[Column]) -> list[Any]:
        with index.reading():
            return messages.rows(index, self._here(index), uids, columns)

    async def _describe(self, uids: Sequence[int], brief: bool) -> dict[int, dict[Column, bytes]]:
        """Look into messages, some at a time, so that others have their turn.

        brief: their headers are enough. Gives by UID what the index could not take.
        """
        loose: dict[int, dict[Column, bytes]] = {}
        for at in range(0, len(uids), AT_ONCE):
            path, files = await self._keeper.run(self._shelf.files, uids[at : at + AT_ONCE])
            if brief:
                files = await self._envelopes(path, files, loose)
            told = await self._keeper.pool.run(described.described, path, files)
            if not await self._keeper.run(described.keep, told):
                loose |= described.by_uid(files, told)
            if len(told) < len(files):
                await self._look_again()
        return loose

    async def _envelopes(
        self, path: str, files: Sequence[File], loose: dict[int, dict[Column, bytes]]
    ) -> list[File]:
        """Find envelopes out of headers, known ones if possible; gives those that had none."""
        known = await self._keeper.run(self._rows, [file.uid for file in files], ("fields",))
        told = await self._keeper.pool.run(described.enveloped, path, files, dict(known))
        if not await self._keeper.run(described.keep_envelopes, told):
            loose |= described.heads_by_uid(files, told)
        done = {content for *_, content in told}
        return [file for file in files if file.content not in done]

    async def _look_again(self) -> None:
        """See what has become of messages whose files are not there."""
        if await self._keeper.run(self._compare):
            self._keeper.tell([self.id])

    def _compare(self, index: Index) -> bool:
        return look_into(index, self._here(index), all_of_it=True)

    async def content(self, uid: int) -> bytes | None:
        """Give a whole message, None when it is gone."""
        path, files = await self._keeper.run(self._shelf.files, [uid])
        if not files:
            return None
        content = await self._keeper.pool.run(described.whole, path, files[0])
        if content is None:
            await self._look_again()
        return content

    async def read(self, uid: int) -> MaildirContent | None:
        """Open a message for reading, None when it is gone."""
        path, files = await self._keeper.run(self._shelf.files, [uid])
        if not files:
            return None
        reader = await self._keeper.pool.run(described.opened, path, files[0])
        if reader is None:
            await self._look_again()
            return None
        return MaildirContent(reader, self._keeper.pool)

    async def search(self, query: Query) -> Found:
        """Find messages; the thread ends soon after nobody waits any more."""
        given_up = Event()
        keeper = self._keeper
        pool = keeper.pool if is_short(query) else keeper.searchers
        try:
            return await pool.run(search, query, self._shelf, given_up)
        finally:
            given_up.set()

    async def store(
        self,
        uids: Sequence[int],
        flags: Sequence[str],
        mode: int,
        unchanged_since: int | None = None,
    ) -> Stored:
        """Add (mode 1), remove (-1) or set (0) flags."""
        self._check_writable()
        stored, changed = await self._keeper.run(self._store, uids, flags, mode, unchanged_since)
        if changed:
            self._keeper.behind.add(self.id)
            self._keeper.tell([self.id])
        return stored

    def _store(
        self, index: Index, uids: Sequence[int], flags: Sequence[str], mode: int, since: int | None
    ) -> tuple[Stored, bool]:
        with index.alone(), index.writing():
            return messages.store(index, self._here(index), uids, flags, mode, since)

    async def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove messages marked ``\\Deleted``."""
        self._check_writable()
        gone = await self._keeper.run(self._expunge, uids)
        if gone:
            self._keeper.tell([self.id])
        return gone

    def _expunge(self, index: Index, uids: Sequence[int] | None) -> list[int]:
        return delivery.expunge(index, self._here(index), uids)

    async def copy(self, uids: Sequence[int], target: str) -> Placed:
        """Copy messages into a mailbox of the account."""
        placed, target_id = await self._keeper.run(self._copy, uids, target)
        if placed.uids:
            self._keeper.tell([target_id])
        return placed

    def _copy(self, index: Index, uids: Sequence[int], target: str) -> tuple[Placed, int]:
        placed = delivery.copy(index, self._here(index), uids, target, self._keeper.limits)
        return placed, folders.get(index, target).id

    async def move(self, uids: Sequence[int], target: str) -> Placed:
        """Move messages into a mailbox of the account."""
        self._check_writable()
        placed, target_id = await self._keeper.run(self._move, uids, target)
        if placed.uids:
            self._keeper.tell({self.id, target_id})
        return placed

    def _move(self, index: Index, uids: Sequence[int], target: str) -> tuple[Placed, int]:
        placed = delivery.move(index, self._here(index), uids, target)
        return placed, folders.get(index, target).id

    async def close(self) -> None:
        """Let go of it: watches that were not ended are."""
        for end in self._ends:
            end()
        self._ends.clear()


def _filled(
    row: tuple[Any, ...], columns: Sequence[Column], known: dict[Column, bytes]
) -> tuple[Any, ...]:
    """Put into a row what the index does not have."""
    pairs = zip(columns, row[1:], strict=True)
    return (row[0], *(known.get(name) if value is None else value for name, value in pairs))
