"""Messages on their way: APPEND, COPY, MOVE, EXPUNGE.

New files are first in ``tmp``, then their rows are written, then they go to their place. Before the
rows are there, nothing has happened; once they are, all has (see `pending`).
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from operator import attrgetter
from typing import Any

import attrs

from referrald.errors import NotPossible, OverQuota
from referrald.mailmodel import Placed
from referrald.store.maildir import disk, folders, pending
from referrald.store.maildir.filenames import DELETED, info_of, new_base
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index, choose
from referrald.store.maildir.looking import is_plain
from referrald.store.maildir.messages import coded, known_flags, next_modseq, tally

NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP})
REMEMBERED = 50_000
"""Removals that a mailbox remembers, at least, for those who come back."""


@attrs.frozen(kw_only=True)
class Draft:
    """What is to become a message. content: bytes, or the path of a file that has come in.

    size: what it has on the wire. received: seconds since 1970; zone: minutes east of UTC.
    """

    content: bytes | str = attrs.field(repr=False)
    size: int
    flags: Sequence[str]
    received: int
    zone: int


@attrs.frozen(kw_only=True)
class Row:
    """A message as the index has it, but for what it gets there.

    content: None where it is a new one. fields: of its header, where they are known.
    """

    flags: int
    keywords: str
    size: int
    stored: int
    received: int
    zone: int
    content: int | None
    base: str
    info: str
    shown: int
    fields: bytes | None = None


ROW = "flags, keywords, size, stored, received, zone, content, base, info, shown"
_VALUES = attrgetter(*ROW.split(", "))
_CONTENT = ROW.split(", ").index("content")


@attrs.frozen(kw_only=True)
class Limits:
    """What an account may keep. None: as much as there is room for."""

    storage: int | None = None
    messages: int | None = None
    message: int | None = None

    def check(self, index: Index, sizes: Sequence[int]) -> None:
        """Raise `OverQuota` when there is no room for messages of these sizes."""
        if self.message is not None and max(sizes, default=0) > self.message:
            raise OverQuota(public="That message is too large.")
        if self.storage is None and self.messages is None:
            return
        size, number = folders.used(index)
        if self.storage is not None and size + sum(sizes) > self.storage:
            raise OverQuota(f"{sum(sizes)} bytes wanted, {size} of {self.storage} in use")
        if self.messages is not None and number + len(sizes) > self.messages:
            raise OverQuota(f"{len(sizes)} messages wanted, {number} of {self.messages} there")


def append(index: Index, name: str, drafts: Sequence[Draft], limits: Limits) -> Placed:
    """Put messages into a mailbox: all of them or none."""
    with index.alone():
        pending.recover(index)
        folder = folders.get(index, name)
        if not drafts:
            return Placed(uid_validity=folder.uid_validity, uids=())
        limits.check(index, [draft.size for draft in drafts])
        known = pending.quiet(index, folder)
        bases = [new_base(draft.size, draft.size) for draft in drafts]
        with _waiting(index, folder, bases), index.writing() as database:
            rows = _rows(database, folder, drafts, bases)
            for draft, base in zip(drafts, bases, strict=True):
                _put(draft, index.path(folder.directory, "tmp", base))
                index.step("written")
            disk.sync(index.path(folder.directory, "tmp"))
            uids = insert(database, folder.id, rows)
            pending.note(index, [(row.base, row.info, folder.id, None) for row in rows])
            index.step("recorded")
        index.step("committed")
        pending.settle(index, known)
        return Placed(uid_validity=folder.uid_validity, uids=uids)


@contextmanager
def _waiting(index: Index, folder: Folder, bases: Iterable[str]) -> Iterator[None]:
    """Take files out of ``tmp`` again where something goes wrong."""
    try:
        yield
    except BaseException:
        for base in bases:
            with suppress(OSError):
                os.unlink(index.path(folder.directory, "tmp", base))
        raise


def _put(draft: Draft, path: str) -> None:
    if isinstance(draft.content, bytes):
        disk.write(path, draft.content, draft.received)
        return
    try:
        handle = os.open(draft.content, os.O_RDWR)
    except FileNotFoundError as error:
        raise NotPossible("the mailbox was another when the message began to arrive") from error
    try:
        disk.finish(handle, draft.received)
    finally:
        os.close(handle)
    os.rename(draft.content, path)


def _rows(
    database: sqlite3.Connection, folder: Folder, drafts: Sequence[Draft], bases: Sequence[str]
) -> list[Row]:
    known = known_flags(database, folder.id)
    # Who brings too many keywords, or what is none, is refused before anything is noted.
    known.fresh(flag for draft in drafts for flag in draft.flags)
    rows = []
    for draft, base in zip(drafts, bases, strict=True):
        bits, keywords = coded(database, folder.id, known, draft.flags)
        rows.append(
            Row(
                flags=bits,
                keywords=keywords,
                size=draft.size,
                stored=draft.size,
                received=draft.received,
                zone=draft.zone,
                content=None,
                base=base,
                info=info_of(bits),
                shown=bits,
            )
        )
    return rows


def insert(
    database: sqlite3.Connection, folder_id: int, rows: Sequence[Row], *, recent: bool = True
) -> tuple[int, ...]:
    """Put messages into the index; gives their UIDs. Inside of `Index.writing`.

    recent: False where somebody has been told of them, unless they come after others that nobody
    has.
    """
    if not rows:
        return ()
    modseq = next_modseq(database, folder_id)
    found = database.execute(
        "SELECT uid_next, recent FROM folders WHERE id = ?", (folder_id,)
    ).fetchone()
    uids = range(found[0], found[0] + len(rows))
    database.executemany(
        f"INSERT INTO messages(folder, uid, modseq, added, {ROW}) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (folder_id, uid, modseq, modseq, *values)
            for uid, values in zip(uids, _with_contents(database, rows), strict=True)
        ),
    )
    database.execute("UPDATE folders SET uid_next = ? WHERE id = ?", (uids.stop, folder_id))
    if not recent and not found[1]:
        database.execute("UPDATE folders SET first_recent = uid_next WHERE id = ?", (folder_id,))
    choose(database, folder_id, uids)
    tally(database, folder_id, 1)
    return tuple(uids)


def _with_contents(database: sqlite3.Connection, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Give rows as tuples, after those without a content got one."""
    (last,) = database.execute(
        "SELECT max(seq) FROM sqlite_sequence WHERE name = 'contents'"
    ).fetchone()
    numbers = count((last or 0) + 1)
    made, done = [], []
    for row in rows:
        values = _VALUES(row)
        if row.content is None:
            number, fields = next(numbers), row.fields
            made.append((number, fields, None if fields is None else is_plain(fields)))
            values = (*values[:_CONTENT], number, *values[_CONTENT + 1 :])
        done.append(values)
    database.executemany("INSERT INTO contents(id, fields, plain) VALUES(?, ?, ?)", made)
    return done


def take_out(database: sqlite3.Connection, folder_id: int) -> None:
    """Take the messages in ``chosen`` out of the index, and remember that they are gone."""
    modseq = next_modseq(database, folder_id)
    tally(database, folder_id, -1)
    mine = "folder = :folder AND uid IN (SELECT uid FROM chosen)"
    key = {"folder": folder_id, "modseq": modseq, "floor": modseq - REMEMBERED}
    for statement in (
        f"INSERT INTO expunged SELECT folder, :modseq, uid, added FROM messages WHERE {mine}",
        f"DELETE FROM contents WHERE id IN (SELECT content FROM messages WHERE {mine}) "
        "AND NOT EXISTS (SELECT 1 FROM messages AS other WHERE other.content = contents.id "
        "AND NOT (other.folder = :folder AND other.uid IN (SELECT uid FROM chosen)))",
        f"DELETE FROM messages WHERE {mine}",
        "DELETE FROM expunged WHERE folder = :folder AND modseq < :floor",
        "UPDATE folders SET remembered = max(remembered, :floor) WHERE id = :folder",
    ):
        database.execute(statement, key)


def _pick(database: sqlite3.Connection, folder_id: int) -> list[tuple[int, Row]]:
    """Give the messages in ``chosen``."""
    found = database.execute(
        f"SELECT m.uid, {ROW} FROM chosen CROSS JOIN messages AS m "
        "ON folder = ? AND m.uid = chosen.uid",
        (folder_id,),
    )
    names = ROW.split(", ")
    return [(uid, Row(**dict(zip(names, values, strict=True)))) for uid, *values in found]


def copy(
    index: Index, folder: Folder, uids: Iterable[int], target_name: str, limits: Limits
) -> Placed:
    """Copy messages into a mailbox of the account: all or none."""
    with index.alone():
        pending.recover(index)
        target = folders.get(index, target_name)
        known = pending.quiet(index, target)
        bases: list[str] = []
        with _waiting(index, target, bases), index.writing() as database:
            choose(database, folder.id, uids)
            found = _pick(database, folder.id)
            limits.check(index, [row.size for _uid, row in found])
            linked = list(_link(index, folder, target, found, bases))
            rows = _spelled(database, target, [row for _uid, row in linked])
            disk.sync(index.path(target.directory, "tmp"))
            placed = insert(database, target.id, rows)
            pending.note(index, [(row.base, row.info, target.id, None) for row in rows])
            index.step("recorded")
        index.step("committed")
        pending.settle(index, known)
        sources = tuple(uid for uid, _row in linked)
        return Placed(uid_validity=target.uid_validity, uids=placed, sources=sources)


def _link(
    index: Index,
    folder: Folder,
    target: Folder,
    found: Sequence[tuple[int, Row]],
    bases: list[str],
) -> Iterator[tuple[int, Row]]:
    """Give each message another name in the target's ``tmp``; passes over those that are gone."""
    home = index.path(folder.directory)
    for uid, row in found:
        base = new_base(row.stored, row.size)
        path = index.path(target.directory, "tmp", base)
        bases.append(base)
        try:
            _link_one(os.path.join(home, "cur", row.base + row.info), path)
        except FileNotFoundError:
            other = disk.find_file(home, row.base, row.info)
            if other is None:
                continue
            _link_one(other, path)
        index.step("written")
        yield uid, attrs.evolve(row, base=base, info=info_of(row.flags), shown=row.flags)


def _link_one(source: str, path: str) -> None:
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        shutil.copy2(source, path)
        disk.sync(path)


def _spelled(database: sqlite3.Connection, target: Folder, rows: Iterable[Row]) -> list[Row]:
    """Give keywords the spelling of another mailbox."""
    known = known_flags(database, target.id)
    spelled: dict[str, str] = {"": ""}
    done = []
    for row in rows:
        if row.keywords not in spelled:
            spelled[row.keywords] = coded(database, target.id, known, row.keywords.split())[1]
        done.append(attrs.evolve(row, keywords=spelled[row.keywords]))
    return done


def move(index: Index, folder: Folder, uids: Iterable[int] | None, target_name: str) -> Placed:
    """Move messages, or all, into a mailbox of the account: all or none (RFC 6851)."""
    with index.alone():
        pending.recover(index)
        target = folders.get(index, target_name)
        known = pending.quiet(index, folder, target)
        with index.writing() as database:
            placed = move_rows(index, database, folder, uids, target)
            index.step("recorded")
        index.step("committed")
        pending.settle(index, known)
        return placed


def move_rows(
    index: Index,
    database: sqlite3.Connection,
    folder: Folder,
    uids: Iterable[int] | None,
    target: Folder,
) -> Placed:
    """Do the part of a move that the index has; inside of `Index.writing`."""
    _choose_some(database, folder.id, uids)
    found = _pick(database, folder.id)
    sources = tuple(uid for uid, _row in found)
    rows = _spelled(database, target, [row for _uid, row in found])
    placed = insert(database, target.id, rows)
    if found:
        choose(database, folder.id, sources)
        take_out(database, folder.id)
    if target.id != folder.id:
        pending.note(index, [(row.base, row.info, target.id, folder.id) for row in rows])
    return Placed(uid_validity=target.uid_validity, uids=placed, sources=sources)


def _choose_some(database: sqlite3.Connection, folder_id: int, uids: Iterable[int] | None) -> None:
    choose(database, folder_id, [] if uids is None else uids)
    if uids is None:
        database.execute(
            "INSERT INTO chosen SELECT uid FROM messages WHERE folder = ?", (folder_id,)
        )


def expunge(index: Index, folder: Folder, uids: Iterable[int] | None) -> list[int]:
    """Remove messages marked ``\\Deleted``; gives the UIDs removed."""
    with index.alone():
        pending.recover(index)
        known = pending.quiet(index, folder)
        with index.writing() as database:
            _choose_some(database, folder.id, uids)
            marked = _keep_marked(database, folder.id)
            if not marked:
                return []
            pending.note(index, [(base, info, None, folder.id) for _, base, info in marked])
            take_out(database, folder.id)
            index.step("recorded")
        index.step("committed")
        pending.settle(index, known)
        return [uid for uid, _base, _info in marked]


def _keep_marked(database: sqlite3.Connection, folder_id: int) -> list[Any]:
    marked = database.execute(
        "SELECT m.uid, base, info FROM chosen CROSS JOIN messages AS m "
        "ON folder = ? AND m.uid = chosen.uid WHERE flags & ?",
        (folder_id, DELETED),
    ).fetchall()
    database.execute("DELETE FROM chosen")
    database.executemany("INSERT INTO chosen VALUES(?)", [(row[0],) for row in marked])
    return marked
