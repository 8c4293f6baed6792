"""What is yet to be done with files once the index has been changed.

The index says what a mailbox is; files follow. A change is written down together with the rows, so
that whoever comes after a crash can go on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence

from referrald.store.maildir.disk import changed_at, find_file, leftovers, sync, take_away
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index

File = tuple[str, str, int | None, int | None]
"""Base, info, target and origin, as the table ``pending_files`` has them."""


def note(index: Index, files: Iterable[File]) -> None:
    """Write down what is to be done with files; inside of `Index.writing`."""
    index.database.executemany("INSERT OR REPLACE INTO pending_files VALUES(?, ?, ?, ?)", files)


def quiet(index: Index, *folders: Folder) -> list[int]:
    """Give those mailboxes in whose ``cur`` nobody has changed anything that we don't know of."""
    known = []
    for folder in {each.id: each for each in folders}.values():
        row = index.database.execute("SELECT cur_time FROM folders WHERE id = ?", (folder.id,))
        if row.fetchone()[0] == changed_at(index.path(folder.directory, "cur")):
            known.append(folder.id)
    return known


def settle(index: Index, known: Sequence[int] = ()) -> None:
    """Do all that is to be done; inside of `Index.alone`.

    known: mailboxes that were `quiet` before; what we do there is not others' doing.
    """
    folders = dict(index.database.execute("SELECT id, directory FROM folders").fetchall())
    done, touched = [], set()
    for row in index.database.execute("SELECT base, info, target, origin FROM pending_files"):
        base, _info, target, origin = row
        if _settle_one(index, folders, row):
            done.append((base, origin))
            touched.update({target, origin} - {None})
        index.step("placed")
    for folder in touched:
        sync(index.path(folders[folder], "cur"))
    index.step("synced")
    if done:
        with index.if_possible():
            _forget(index, folders, done, known)


def _settle_one(index: Index, folders: dict[int, str], row: File) -> bool:
    base, info, target, origin = row
    source = folders.get(target if origin is None else origin)  # type: ignore[arg-type]
    if source is None or (target is not None and target not in folders):
        return True
    try:
        if origin is None:
            path = index.path(source, "tmp", base)
        else:
            path = index.path(source, "cur", base + info)
        _bring(index, path, None if target is None else folders[target], base + info)
    except FileNotFoundError:
        return _settle_lost(index, source, folders, row)
    except OSError as error:
        index.log.error("{base} stays where it is for now: {error}", base=base, error=error)
        return False
    return True


def _settle_lost(index: Index, source: str, folders: dict[int, str], row: File) -> bool:
    """Look for a file that is not where it should be; it may have been placed before."""
    base, info, target, _origin = row
    if target is not None and os.path.exists(index.path(folders[target], "cur", base + info)):
        return True
    path = find_file(index.path(source), base, info)
    if path is not None:
        _bring(index, path, None if target is None else folders[target], base + info)
    return True


def _bring(index: Index, path: str, target: str | None, name: str) -> None:
    if target is None:
        os.unlink(path)
    else:
        os.rename(path, index.path(target, "cur", name))


def _forget(
    index: Index, folders: dict[int, str], done: list[tuple[str, int | None]], known: Sequence[int]
) -> None:
    with index.writing(lasting=False) as database:
        database.executemany("DELETE FROM pending_files WHERE base = ? AND origin IS ?", done)
        for folder in known:
            time = changed_at(index.path(folders[folder], "cur"))
            database.execute("UPDATE folders SET cur_time = ? WHERE id = ?", (time, folder))


def settle_folders(index: Index) -> None:
    """Rename and remove the directories that are to be; inside of `Index.alone`."""
    found = index.database.execute("SELECT old, new FROM pending_folders ORDER BY old").fetchall()
    for old, new in found:
        if new is None:
            take_away(index.root, old)
        elif os.path.isdir(index.path(old)):
            os.rename(index.path(old), index.path(new))
        index.step("folder placed")
    if found:
        sync(index.root)
        with index.if_possible(), index.writing(lasting=False) as database:
            database.execute("DELETE FROM pending_folders")


def recover(index: Index) -> None:
    """Go on where a process has stopped in the middle of a change; inside of `Index.alone`."""
    for table, go_on in (("pending_folders", settle_folders), ("pending_files", settle)):
        if index.database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            go_on(index)


def clear_away(index: Index) -> None:
    """Remove what was half made or half removed when a process stopped; inside of `alone`."""
    for path in leftovers(index.root):
        shutil.rmtree(path, ignore_errors=True)
