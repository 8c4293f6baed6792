"""A look at an account as it lies on disk, for the operator, and what can be put right."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from referrald.errors import CorruptMailbox, NoSuchMailbox, ReferraldError
from referrald.store.maildir import disk, folders, pending, trees
from referrald.store.maildir.filenames import split, unique
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import (
    DAMAGED,
    INDEX,
    PATIENCE,
    Index,
    locked,
    set_aside,
    translated,
)
from referrald.store.maildir.naming import name_of
from referrald.store.maildir.scanning import Seen, look_for_folders, look_into
from referrald.store.rights import Entries, Lists
from referrald.store.rightsfile import PUBLIC, RightsFile
from referrald.store.sharedtrees import Prefixes

ABANDONED: Final = 36 * 3600
"""Seconds after which nobody is still writing a file in ``tmp`` (as maildir(5) has it)."""

DAMAGES: Final = "the index is damaged"
HIDDEN: Final = "nobody sees it: names of shared mailboxes begin so"

COUNTS: Final = (
    "count(*), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 <> 0), 0), "
    "coalesce(sum(size), 0), coalesce(sum(CASE WHEN flags & 8 THEN size ELSE 0 END), 0), "
    "coalesce(sum(uid >= (SELECT first_recent FROM folders WHERE id = messages.folder)), 0)"
)
COUNTED: Final = "messages, unseen, deleted, size, deleted_size, recent"


@attrs.frozen(kw_only=True)
class Fault:
    """Something that is not as it should be. mailbox: its name, empty for the account.

    mended: whether `repair` puts it right.
    """

    mailbox: str = ""
    wrong: str
    mended: bool = True

    def __str__(self) -> str:
        return f"{self.mailbox}: {self.wrong}" if self.mailbox else self.wrong


def check(root: str) -> list[Fault]:
    """List what is wrong with an account, and change nothing; for a thread or a tool."""
    if not os.path.exists(os.path.join(root, INDEX)):
        return [Fault(wrong="there is no index; it is made when the user next logs in")]
    try:
        with_index = _opened(root)
        try:
            return [*_account(with_index), *_mailboxes(with_index)]
        finally:
            with_index.close()
    except (OSError, sqlite3.Error) as error:
        told = translated(error, root)
        if isinstance(told, CorruptMailbox):
            return [Fault(wrong=f"{DAMAGES}: {error}")]
        return [Fault(wrong=f"the index cannot be used: {error}", mended=False)]


def _opened(root: str) -> Index:
    if not os.path.isdir(root):
        raise NoSuchMailbox(f"there is no account in {root}")
    return Index(root)


def _account(index: Index) -> Iterator[Fault]:
    if not os.access(index.root, os.W_OK):
        yield Fault(wrong="nothing can be written to the directory", mended=False)
    elif os.statvfs(index.root).f_bavail == 0:
        yield Fault(wrong="the disk is full", mended=False)
    for (line,) in index.database.execute("PRAGMA quick_check(20)").fetchall():
        if line != "ok":
            yield Fault(wrong=f"{DAMAGES}: {line}")
    for table in ("pending_files", "pending_folders"):
        (count,) = index.database.execute(f"SELECT count(*) FROM {table}").fetchone()
        if count:
            yield Fault(wrong=f"a change was broken off: {count} in {table} are to be done")
    for name in sorted(os.listdir(index.root)):
        if name.startswith(DAMAGED) and not name.endswith(("-wal", "-shm")):
            yield Fault(wrong=f"{name} is an index that was put away", mended=False)
    known = {each.directory for each in folders.every(index)}
    for directory in sorted(disk.folder_names(index.root) - known):
        mailbox = name_of(directory)
        if mailbox is None:
            yield Fault(wrong=f"no mailbox can have the folder {directory}", mended=False)
        else:
            yield Fault(mailbox=mailbox, wrong="is not in the index")


def _mailboxes(index: Index) -> Iterator[Fault]:
    for folder in folders.every(index):
        try:
            faults = [*_files(index, folder), *_counts(index, folder), *_tmp(index, folder)]
        except FileNotFoundError:
            faults = ["its folder is not there"]
        for wrong in faults:
            yield Fault(mailbox=folder.name, wrong=wrong)


def _files(index: Index, folder: Folder) -> Iterator[str]:
    """Compare the files with the rows."""
    there = {split(name)[0]: name for name in os.listdir(index.path(folder.directory, "cur"))}
    there = {base: name for base, name in there.items() if not base.startswith(".")}
    rows = index.database.execute(
        "SELECT uid, base, stored FROM messages WHERE folder = ? ORDER BY uid", (folder.id,)
    )
    for uid, base, stored in rows:
        name = there.pop(base, None)
        if name is None:
            yield f"the file of message {uid} is not there"
            continue
        size = os.stat(index.path(folder.directory, "cur", name)).st_size
        if size != stored:
            yield f"the file of message {uid} has {size} bytes, not {stored}"
    if there:
        yield f"{len(there)} files in cur are not in the index"


def _counts(index: Index, folder: Folder) -> Iterator[str]:
    key = (folder.id,)
    kept = index.database.execute(f"SELECT {COUNTED} FROM folders WHERE id = ?", key).fetchone()
    true = index.database.execute(f"SELECT {COUNTS} FROM messages WHERE folder = ?", key).fetchone()
    if kept != true:
        yield f"the counts are {kept}, not {true}"


def _tmp(index: Index, folder: Folder) -> Iterator[str]:
    abandoned = len(list(_abandoned(index, folder)))
    if abandoned:
        yield f"{abandoned} files in tmp were given up"


def _abandoned(index: Index, folder: Folder) -> Iterator[str]:
    path = index.path(folder.directory, "tmp")
    waiting = {base for (base,) in index.database.execute("SELECT base FROM pending_files")}
    for name in os.listdir(path):
        file = os.path.join(path, name)
        if name not in waiting and time.time() - os.stat(file).st_mtime > ABANDONED:
            yield file


def repair(root: str) -> list[Fault]:
    """Put right what can be; gives what is wrong then. A damaged index is made anew."""
    if any(each.wrong.startswith(DAMAGES) and each.mended for each in check(root)):
        return reindex(root)
    return _with(root, _repair)


def reindex(root: str) -> list[Fault]:
    """Put the index away and make another from the files; gives what is wrong then."""
    if os.path.exists(os.path.join(root, INDEX)):
        with locked(root, PATIENCE):
            set_aside(root)
    return _with(root, _repair)


def _with(root: str, work: Callable[[Index], None]) -> list[Fault]:
    index = _opened(root)
    try:
        work(index)
    except ReferraldError:
        raise
    except (OSError, sqlite3.Error) as error:
        raise translated(error, root) from error
    finally:
        index.close()
    return check(root)


def _repair(index: Index) -> None:
    with index.alone():
        pending.recover(index)
        look_for_folders(index, Seen())
        for folder in folders.every(index):
            look_into(index, folder, all_of_it=True)
            _mend_sizes(index, folder)
            for path in list(_abandoned(index, folder)):
                os.unlink(path)
        with index.writing() as database:
            for folder in folders.every(index):
                database.execute(
                    f"UPDATE folders SET ({COUNTED}) = "
                    f"(SELECT {COUNTS} FROM messages WHERE folder = ?) WHERE id = ?",
                    (folder.id, folder.id),
                )


def _mend_sizes(index: Index, folder: Folder) -> None:
    """Have a file that somebody has rewritten be another message: it is not the one it was."""
    cur = index.path(folder.directory, "cur")
    rows = index.database.execute(
        "SELECT base, info, stored FROM messages WHERE folder = ?", (folder.id,)
    ).fetchall()
    for base, info, stored in rows:
        path = os.path.join(cur, base + info)
        if os.path.exists(path) and os.stat(path).st_size != stored:
            os.rename(path, os.path.join(cur, unique() + info))
    look_into(index, folder, all_of_it=True)


# -- what is shared --------------------------------------------------------------------------


def check_shared(root: str, owner: str, table: RightsFile, prefixes: Prefixes) -> list[Fault]:
    """List what is wrong with rights on mailboxes of an owner, and which of these nobody sees."""
    lists, there = table.lists(owner), _names(root)
    found = [Fault(wrong=f"{table.path}: {line}", mended=False) for line in table.faults()]
    for name in sorted(_stale(lists, there)):
        wrong = f"there is no such mailbox, and {_holders(lists[name])}"
        found.append(Fault(mailbox=name, wrong=wrong))
    for name in sorted(there):
        if owner != PUBLIC and not prefixes.is_own(name):
            found.append(Fault(mailbox=name, wrong=HIDDEN, mended=False))
    return found


def _holders(entries: Entries) -> str:
    names = ", ".join(sorted(entries)) or "nobody"
    return f"{names} {'has' if len(entries) < 2 else 'have'} rights on it"


def drop_rights(root: str, owner: str, table: RightsFile) -> None:
    """Take away the lists of mailboxes that are not there."""
    for name in _stale(table.lists(owner), _names(root)):
        table.drop(owner, name)


def _stale(lists: Lists, there: set[str]) -> list[str]:
    """Name the mailboxes that have a list, and are not there; none where nobody can tell."""
    return [name for name in lists if name and there and name not in there]


def _names(root: str) -> set[str]:
    """Name what the index has; nothing where there is none, or none that can be used."""
    if not os.path.exists(os.path.join(root, INDEX)):
        return set()
    try:
        index = _opened(root)
        try:
            return {entry.name for entry in trees.entries(index)}
        finally:
            index.close()
    except (OSError, sqlite3.Error):
        return set()
