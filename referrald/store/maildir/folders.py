"""Mailboxes in the index: by name, with their counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import attrs

from referrald.errors import NoSuchMailbox
from referrald.mailmodel import MailboxStatus
from referrald.store.maildir.index import Index

_COLUMNS = (
    "id, name, directory, uid_validity, uid_next, modseq, remembered, uses, first_recent, recent"
)


_TIMES = "directory, new_time, cur_time, scanned"
_COUNTS = "messages, unseen, deleted, uid_next, uid_validity, size, modseq, deleted_size, recent"


class Times(NamedTuple):
    """When the directories of a mailbox had changed, as far as is known; see `schema`."""

    directory: str
    new: int
    cur: int
    scanned: int


@attrs.frozen
class Folder:
    """What the index has of a mailbox besides its messages."""

    id: int
    name: str
    directory: str
    uid_validity: int
    uid_next: int
    modseq: int
    remembered: int
    uses: str
    first_recent: int
    recent: int


def find(index: Index, name: str) -> Folder | None:
    """Give the mailbox of that name."""
    row = index.database.execute(
        f"SELECT {_COLUMNS} FROM folders WHERE name = ?",
        (name,),
    ).fetchone()
    return None if row is None else Folder(*row)


def get(index: Index, name: str, folder_id: int | None = None) -> Folder:
    """Give the mailbox of that name, the one it was when it was opened; `NoSuchMailbox`."""
    folder = find(index, name)
    if folder is None or folder_id not in (None, folder.id):
        raise NoSuchMailbox(name)
    return folder


def by_id(index: Index, folder_id: int) -> Folder | None:
    """Give a mailbox by its number."""
    row = index.database.execute(
        f"SELECT {_COLUMNS} FROM folders WHERE id = ?",
        (folder_id,),
    ).fetchone()
    return None if row is None else Folder(*row)


def every(index: Index) -> list[Folder]:
    """Give all mailboxes, by name."""
    rows = index.database.execute(f"SELECT {_COLUMNS} FROM folders ORDER BY name")
    return [Folder(*row) for row in rows]


def add(index: Index, name: str, directory: str, uses: Iterable[str] = ()) -> Folder:
    """Put a mailbox into the index, with a new UIDVALIDITY; inside of `Index.writing`."""
    index.database.execute(
        "INSERT INTO folders(name, directory, uid_validity, uses) VALUES(?, ?, ?, ?)",
        (name, directory, index.next_validity(), " ".join(uses)),
    )
    return get(index, name)


def drop(index: Index, folder_id: int) -> None:
    """Take a mailbox and all its messages out of the index; inside of `Index.writing`."""
    database = index.database
    database.execute(
        "DELETE FROM contents WHERE id IN (SELECT content FROM messages WHERE folder = :id) "
        "AND NOT EXISTS (SELECT 1 FROM messages WHERE content = contents.id AND folder <> :id)",
        {"id": folder_id},
    )
    for table in ("messages", "expunged", "keywords"):
        database.execute(f"DELETE FROM {table} WHERE folder = ?", (folder_id,))
    database.execute("DELETE FROM pending_files WHERE target = ? OR origin = ?", (folder_id,) * 2)
    database.execute("DELETE FROM folders WHERE id = ?", (folder_id,))


def counted(index: Index, name: str) -> tuple[Times, MailboxStatus] | None:
    """Give when a mailbox was last looked into, and its counts as they were then."""
    row = index.database.execute(
        f"SELECT {_TIMES}, {_COUNTS} FROM folders WHERE name = ?", (name,)
    ).fetchone()
    return None if row is None else (Times(*row[:4]), _status(*row[4:]))


def times(index: Index, folder: Folder) -> Times:
    """Give when a mailbox was last looked into."""
    row = index.database.execute(
        f"SELECT {_TIMES} FROM folders WHERE id = ?", (folder.id,)
    ).fetchone()
    if row is None:
        raise NoSuchMailbox(folder.name)
    return Times(*row)


def _status(*counts: int) -> MailboxStatus:
    messages, unseen, deleted, uid_next, uid_validity, size, modseq, deleted_size, recent = counts
    return MailboxStatus(
        messages=messages,
        unseen=unseen,
        deleted=deleted,
        uid_next=uid_next,
        uid_validity=uid_validity,
        size=size,
        modseq=modseq,
        deleted_size=deleted_size,
        recent=recent,
    )


def used(index: Index) -> tuple[int, int]:
    """Give the bytes and the number of all messages."""
    row = index.database.execute("SELECT total(size), total(messages) FROM folders").fetchone()
    return int(row[0]), int(row[1])
