"""Reconciliation: what others have done to the files, brought into the index.

The index is right about messages it knows; a file name that has changed means that somebody has
changed flags. Nothing is read as long as the directories look as they did.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

import attrs

from referrald.errors import NoSuchMailbox
from referrald.mailfiles.maildirnames import arrival_of
from referrald.store.maildir import delivery, disk, folders, pending
from referrald.store.maildir.delivery import Row
from referrald.store.maildir.filenames import MARK, bits_of, sizes, split
from referrald.store.maildir.folders import Folder, Times
from referrald.store.maildir.index import Index, choose
from referrald.store.maildir.looking import glance
from referrald.store.maildir.messages import next_modseq, tally
from referrald.store.maildir.naming import name_of
from referrald.store.names import INBOX

TICK = 50_000_000
"""Nanoseconds within which two changes of a directory may give it the same time."""

SLICE = 1000
"""New messages that go into the index at once."""

BRIEFLY = 1.0
"""Seconds that a look waits for another process; what is known can be read without it."""

TRUST = 600
"""Seconds after which all of ``cur`` is looked at again where we have changed it ourselves."""


@attrs.define
class Seen:
    """What the process knows of an account's directory: when it had last changed."""

    root: int = 0


def look_for_folders(index: Index, seen: Seen) -> list[int]:
    """Bring folders that others have made or removed into the index; gives those that are gone."""
    changed = disk.changed_at(index.root)
    gone: list[int] = []
    if changed == seen.root:
        return gone
    # What is known can be read all the same.
    with index.if_possible(), index.alone(min(BRIEFLY, index.patience)):
        pending.recover(index)
        pending.clear_away(index)
        gone = _compare_folders(index, disk.folder_names(index.root))
        now = disk.changed_at(index.root)
        seen.root = now if time.time_ns() - now > TICK else 0
    return gone


def _compare_folders(index: Index, there: set[str]) -> list[int]:
    known = {each.directory: each for each in folders.every(index)}
    gone = [each.id for name, each in known.items() if name and name not in there]
    fresh = {name: name_of(name) for name in sorted(there - known.keys())}
    names = {each.name for each in known.values() if each.id not in gone}
    made = [(name, at) for at, name in fresh.items() if name is not None and name not in names]
    if "" not in known:
        made.append((INBOX, ""))
    if gone or made:
        with index.writing():
            for folder_id in gone:
                folders.drop(index, folder_id)
            for name, directory in made:
                folders.add(index, name, directory)
        _subscribe_inbox(index, made)
    return gone


def _subscribe_inbox(index: Index, made: Iterable[tuple[str, str]]) -> None:
    """Subscribe to INBOX where the account is a new one."""
    if (INBOX, "") in made:
        with index.writing() as database:
            database.execute("INSERT OR IGNORE INTO subscriptions VALUES(?)", (INBOX,))


def look_into(index: Index, folder: Folder, *, all_of_it: bool = False) -> bool:
    """Bring what others have done to a mailbox into the index; says whether that was anything."""
    changed = False
    try:
        if all_of_it or looks_changed(index, folders.times(index, folder)):
            with index.if_possible(), index.alone(min(BRIEFLY, index.patience)):
                pending.recover(index)
                changed = _take_in(index, folder, all_of_it)
        return changed
    except FileNotFoundError as error:
        raise NoSuchMailbox(folder.name) from error


def looks_changed(index: Index, times: Times) -> bool:
    """Say whether others may have changed a mailbox since; raises `FileNotFoundError`."""
    path, cur, scanned = index.path(times.directory), times.cur, times.scanned
    return (
        times.new != disk.changed_at(f"{path}/new")
        or cur != disk.changed_at(f"{path}/cur")
        or (cur > scanned * 10**9 and time.time() - scanned > TRUST)
    )


def _take_in(index: Index, folder: Folder, all_of_it: bool) -> bool:
    """Look at both directories, with their times taken before."""
    new, cur = (index.path(folder.directory, part) for part in ("new", "cur"))
    _directory, _new, known_cur, scanned = folders.times(index, folder)
    now, new_time, cur_time = time.time_ns(), disk.changed_at(new), disk.changed_at(cur)
    stale = cur_time > scanned * 10**9 and now // 10**9 - scanned > TRUST
    changed = False
    if all_of_it or cur_time != known_cur or stale:
        changed = _compare(index, folder, os.listdir(cur))
        scanned = now // 10**9
    arrived = sorted(os.listdir(new), key=arrival_of)
    if arrived:
        quiet = disk.changed_at(cur) == cur_time == _sure(cur_time, now)
        names = _settle_down(index, folder, arrived)
        cur_time = disk.changed_at(cur) if quiet else 0
        changed = _add(index, folder, names, recent=True) or changed
        new_time = 0  # More may have come since.
    times = _sure(new_time, now), cur_time if arrived else _sure(cur_time, now), scanned
    _note_times(index, folder, times)
    return changed


def _sure(changed: int, now: int) -> int:
    """Give a time if nothing can happen any more that would leave it as it is, else 0."""
    return changed if now - changed > TICK else 0


def _note_times(index: Index, folder: Folder, times: tuple[int, int, int]) -> None:
    with index.writing(lasting=False) as database:
        database.execute(
            "UPDATE folders SET new_time = ?, cur_time = ?, scanned = ? WHERE id = ?",
            (*times, folder.id),
        )


def _settle_down(index: Index, folder: Folder, names: Sequence[str]) -> list[str]:
    """Bring new files to ``cur``, where flags can stand in their names; gives the names there."""
    found = []
    for name in names:
        base, info = split(name)
        to = base + (info if info.startswith(MARK) else MARK)
        with suppress(FileNotFoundError):  # Somebody else took it, or removed it.
            os.rename(
                index.path(folder.directory, "new", name), index.path(folder.directory, "cur", to)
            )
            found.append(to)
        index.step("taken in")
    return found


def _compare(index: Index, folder: Folder, names: Sequence[str]) -> bool:
    """Compare ``cur`` with the index."""
    rows = index.database.execute(
        "SELECT base || info, uid FROM messages WHERE folder = ?", (folder.id,)
    )
    missing = dict(rows.fetchall())
    others = [name for name in names if missing.pop(name, None) is None]
    others = [name for name in others if not name.startswith(".")]
    by_base = {split(name)[0]: uid for name, uid in missing.items()}
    changed, fresh = {}, []
    for name in others:
        base, info = split(name)
        uid = by_base.pop(base, None)
        if uid is None:
            fresh.append(name)
        else:
            changed[uid] = info
    gone = _really_gone(index, folder, by_base)
    return any(
        (
            _take_flags(index, folder, changed),
            _take_out(index, folder, gone),
            _add(
                index,
                folder,
                sorted(fresh, key=arrival_of),
                recent=False,
            ),
        )
    )


def _really_gone(index: Index, folder: Folder, by_base: dict[str, int]) -> list[int]:
    """Leave out those that are still on their way from ``tmp``, or that somebody put back."""
    if not by_base:
        return []
    waiting = set(os.listdir(index.path(folder.directory, "tmp")))
    waiting |= {split(name)[0] for name in os.listdir(index.path(folder.directory, "new"))}
    return [uid for base, uid in by_base.items() if base not in waiting]


def _take_flags(index: Index, folder: Folder, changed: dict[int, str]) -> bool:
    """Take what others have changed in file names as changes of flags."""
    if not changed:
        return False
    with index.writing() as database:
        choose(database, folder.id, changed)
        found = database.execute(
            "SELECT m.uid, flags, info FROM chosen CROSS JOIN messages AS m "
            "ON folder = ? AND m.uid = chosen.uid",
            (folder.id,),
        ).fetchall()
        turns = [(uid, bits, _merged(bits, info, changed[uid])) for uid, bits, info in found]
        tally(database, folder.id, -1)
        database.executemany(
            "UPDATE messages SET info = ?, shown = ? WHERE folder = ? AND uid = ?",
            [(info, bits_of(info), folder.id, uid) for uid, info in changed.items()],
        )
        other = [(after, uid) for uid, before, after in turns if before != after]
        if other:
            modseq = next_modseq(database, folder.id)
            database.executemany(
                "UPDATE messages SET flags = ?, modseq = ? WHERE folder = ? AND uid = ?",
                [(after, modseq, folder.id, uid) for after, uid in other],
            )
        tally(database, folder.id, 1)
        database.execute("UPDATE folders SET mirrored = 0 WHERE id = ?", (folder.id,))
    return bool(other)


def _merged(bits: int, before: str, after: str) -> int:
    """Give the flags of a message whose file name was changed by somebody else."""
    had, has = bits_of(before), bits_of(after)
    return (bits | (has & ~had)) & ~(had & ~has)


def _take_out(index: Index, folder: Folder, gone: Sequence[int]) -> bool:
    if not gone:
        return False
    with index.writing() as database:
        choose(database, folder.id, gone)
        delivery.take_out(database, folder.id)
    return True


def _add(index: Index, folder: Folder, names: Sequence[str], *, recent: bool) -> bool:
    """Give UIDs to messages that others have put into ``cur``.

    recent: they were delivered; others of which a program has told its user are in ``cur`` before.
    """
    added, cur = False, index.path(folder.directory, "cur")
    for at in range(0, len(names), SLICE):
        rows = [row for name in names[at : at + SLICE] for row in _row(index, cur, name)]
        with index.writing() as database:
            delivery.insert(database, folder.id, rows, recent=recent)
        added = added or bool(rows)
        index.step("added")
    return added


def _row(index: Index, cur: str, name: str) -> Iterable[Row]:
    """Find out of a file what the index has to have; nothing where it is none, or gone."""
    base, info = split(name)
    path = f"{cur}/{name}"
    try:
        found = glance(path, sizes(base))
    except FileNotFoundError:
        return
    except OSError as error:
        index.log.error("{path} cannot be read: {error}", path=path, error=error)
        return
    bits = bits_of(info)
    yield Row(
        flags=bits,
        keywords="",
        size=found.size,
        stored=found.stored,
        received=found.received,
        zone=0,
        content=None,
        base=base,
        info=info,
        shown=bits,
        fields=found.fields,
    )
