"""CREATE, DELETE and RENAME: folders on disk and in the index.

A level above a mailbox that is no mailbox itself is not written down anywhere: it is there as long
as something is below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from referrald.errors import HasChildren, MailboxExists, NoSuchMailbox, NotPossible
from referrald.mailmodel import MailboxEntry
from referrald.store.flags import special_uses
from referrald.store.maildir import delivery, disk, folders, pending
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index
from referrald.store.maildir.naming import directory_of
from referrald.store.names import DELIMITER, INBOX, above, checked, is_below

AFTER: Final = chr(ord(DELIMITER) + 1)
"""Ends the names that begin with a delimiter."""


def entries(index: Index) -> list[MailboxEntry]:
    """Name every mailbox and the levels above them, by name."""
    return [*index.kept("entries", _entries)]


def _entries(index: Index) -> list[MailboxEntry]:
    found: dict[str, tuple[str, ...]] = {}
    levels: set[str] = set()
    for name, uses in index.database.execute("SELECT name, uses FROM folders"):
        found[name] = tuple(uses.split()) if uses else ()
        if DELIMITER in name:
            levels.update(above(name))
    found |= dict.fromkeys(levels - found.keys(), ("\\Noselect",))
    return [MailboxEntry(name=name, attributes=uses) for name, uses in sorted(found.items())]


def create(index: Index, name: str, special_use: Sequence[str] = ()) -> None:
    """Make a mailbox and the levels above it."""
    wanted = directory_of(checked(name))
    uses = special_uses(special_use)
    with index.alone():
        pending.recover(index)
        if folders.find(index, name) is not None:
            raise MailboxExists(name)
        levels = _missing(index, name)
        with _Making(index) as making, index.writing():
            making.levels(levels)
            making.folder(name, wanted, uses)
            disk.sync(index.root)
            index.step("recorded")
        index.step("committed")


def _missing(index: Index, name: str) -> list[str]:
    """Name the levels above a name that are not there; a mere name is, and stays one."""
    return [
        level
        for level in above(name)
        if index.database.execute(
            "SELECT 1 FROM folders WHERE name = ? OR (name > ? AND name < ?) LIMIT 1",
            (level, level + DELIMITER, level + AFTER),
        ).fetchone()
        is None
    ]


class _Making:
    """Makes folders, and takes them away again where the change that they are for fails."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._made: list[str] = []

    def __enter__(self) -> _Making:
        return self

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        for directory in self._made if error is not None else ():
            with suppress(OSError):
                disk.take_away(self._index.root, directory)

    def folder(self, name: str, directory: str, uses: Sequence[str] = ()) -> None:
        """Make one, and note it in the index."""
        disk.make_folder(self._index.root, directory)
        self._made.append(directory)
        self._index.step("folder made")
        folders.add(self._index, name, directory, uses)

    def levels(self, names: Iterable[str]) -> None:
        """Make what is missing above a name."""
        for level in names:
            self.folder(level, directory_of(level))


def delete(index: Index, name: str) -> int:
    """Remove a mailbox, and give its number; what is below it stays."""
    if name == INBOX:
        raise NotPossible(public="That mailbox has to stay.")
    with index.alone():
        pending.recover(index)
        folder = folders.find(index, name)
        if folder is None:
            if any(is_below(each.name, name) for each in folders.every(index)):
                raise HasChildren(name)
            raise NoSuchMailbox(name)
        with index.writing() as database:
            folders.drop(index, folder.id)
            database.execute(
                "INSERT INTO pending_folders VALUES(?, NULL)",
                (folder.directory,),
            )
            index.step("recorded")
        index.step("committed")
        pending.settle_folders(index)
        return folder.id


def rename(index: Index, old: str, new: str) -> list[int]:
    """Give a mailbox and all below it a new name; gives the numbers of those touched."""
    checked(new)
    with index.alone():
        pending.recover(index)
        every = folders.every(index)
        below = [each for each in every if each.name == old or is_below(each.name, old)]
        if not below:
            raise NoSuchMailbox(old)
        if any(each.name == new or is_below(each.name, new) for each in every):
            raise MailboxExists(new)
        if old == INBOX:
            return _empty_inbox(index, new)
        if is_below(new, old):
            raise NotPossible(public="A mailbox cannot be moved below itself.")
        names = [(each, new + each.name[len(old) :]) for each in below]
        moves = [(each, name, directory_of(checked(name))) for each, name in names]
        _rename(index, new, moves)
        return [each.id for each in below]


def _rename(index: Index, new: str, moves: Sequence[tuple[Folder, str, str]]) -> None:
    levels = _missing(index, new)
    with _Making(index) as making, index.writing() as database:
        for folder, name, directory in moves:
            database.execute(
                "UPDATE folders SET name = ?, directory = ? WHERE id = ?",
                (name, directory, folder.id),
            )
            database.execute(
                "INSERT INTO pending_folders VALUES(?, ?)", (folder.directory, directory)
            )
        making.levels(levels)
        disk.sync(index.root)
        index.step("recorded")
    index.step("committed")
    pending.settle_folders(index)


def _empty_inbox(index: Index, new: str) -> list[int]:
    """Move the messages of INBOX into a new mailbox (RFC 3501 section 6.3.5)."""
    inbox = folders.get(index, INBOX)
    wanted = directory_of(checked(new))
    levels = _missing(index, new)
    known = pending.quiet(index, inbox)
    with _Making(index) as making, index.writing() as database:
        making.levels(levels)
        making.folder(new, wanted)
        disk.sync(index.root)
        target = folders.get(index, new)
        delivery.move_rows(index, database, inbox, None, target)
        index.step("recorded")
    index.step("committed")
    pending.settle(index, known)
    return [inbox.id]


def subscriptions(index: Index) -> frozenset[str]:
    """Name all that is subscribed."""
    return frozenset(name for (name,) in index.database.execute("SELECT name FROM subscriptions"))


def subscribe(index: Index, name: str) -> None:
    """Add a name to the subscriptions."""
    with index.alone(), index.writing() as database:
        database.execute("INSERT OR IGNORE INTO subscriptions VALUES(?)", (name,))


def unsubscribe(index: Index, name: str) -> None:
    """Take a name from the subscriptions."""
    with index.alone(), index.writing() as database:
        database.execute("DELETE FROM subscriptions WHERE name = ?", (name,))
