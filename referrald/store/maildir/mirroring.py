"""Flags in file names: for other programs, and for a lost index; ours is right without them."""

from __future__ import annotations

import os

from referrald.store.maildir import disk, pending
from referrald.store.maildir.filenames import info_of
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index

AT_ONCE = 500
"""Files that are renamed before others have their turn."""

Turn = tuple[int, str, str, str, int]


def behind(index: Index) -> list[int]:
    """Give the mailboxes in which file names may lag behind."""
    found = index.database.execute("SELECT id FROM folders WHERE NOT mirrored")
    return [folder_id for (folder_id,) in found]


def mirror(index: Index, folder: Folder, at_most: int = AT_ONCE) -> bool:
    """Bring flags into file names; says whether there is more to do."""
    with index.alone():
        pending.recover(index)
        known = pending.quiet(index, folder)
        turns = _turns(index, folder, at_most)
        done = [turn for turn in turns if _rename(index, folder, turn)]
        more = len(turns) == at_most
        with index.writing(lasting=False) as database:
            database.executemany(
                "UPDATE messages SET info = ?, shown = ? WHERE folder = ? AND uid = ?",
                [(after, bits, folder.id, uid) for uid, _base, _before, after, bits in done],
            )
            database.execute("UPDATE folders SET mirrored = ? WHERE id = ?", (not more, folder.id))
            for folder_id in known:
                at = disk.changed_at(index.path(folder.directory, "cur"))
                database.execute("UPDATE folders SET cur_time = ? WHERE id = ?", (at, folder_id))
    return more and bool(done)


def _turns(index: Index, folder: Folder, at_most: int) -> list[Turn]:
    """Give what is to be renamed: UID, base, what follows it now and then, the flags then."""
    rows = index.database.execute(
        "SELECT uid, flags, base, info FROM messages WHERE folder = ? AND flags <> shown LIMIT ?",
        (folder.id, at_most),
    ).fetchall()
    return [(uid, base, info, info_of(bits, info), bits) for uid, bits, base, info in rows]


def _rename(index: Index, folder: Folder, turn: Turn) -> bool:
    _uid, base, before, after, _bits = turn
    cur = index.path(folder.directory, "cur")
    try:
        os.rename(os.path.join(cur, base + before), os.path.join(cur, base + after))
    except OSError:  # Somebody else was faster, or it is gone: the next look will tell.
        return False
    index.step("renamed")
    return True
