"""Messages in the index: what is asked of them, and their flags."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import attrs

from referrald.mailmodel import Changes, Column, FolderState, Stored, StoredMessage
from referrald.store.describing import date_time
from referrald.store.flags import Flags
from referrald.store.maildir.filenames import BITS
from referrald.store.maildir.folders import Folder
from referrald.store.maildir.index import Index, ask, choose
from referrald.store.maildir.roster import KEYWORDS, Roster

SELECTED = "FROM asked CROSS JOIN messages ON folder = ? AND uid BETWEEN first AND last "
EXPRESSIONS = {
    "flags": "flags, keywords",
    "modseq": "modseq",
    "size": "size",
    "received": "received, zone",
    "envelope": "envelope",
    "body": "body",
    "structure": "structure",
    "fields": "fields",
}


@attrs.frozen
class File:
    """Where a message is. stored, size: its bytes on disk, and as it is sent."""

    uid: int
    base: str
    info: str
    size: int
    stored: int
    content: int


@lru_cache(maxsize=4096)
def flag_names(bits: int, keywords: str) -> tuple[str, ...]:
    """Give flags in the form that others know."""
    return tuple(sorted([*(name for name, bit in BITS.items() if bits & bit), *keywords.split()]))


@lru_cache(maxsize=4096)
def flag_bytes(bits: int, keywords: str) -> bytes:
    """Give flags as FETCH sends them."""
    return " ".join(flag_names(bits, keywords)).encode("ascii")


_FLAG_BYTES = [flag_bytes(bits, "") for bits in range(KEYWORDS)]


def moment(received: int, zone: int) -> datetime:
    """Give a date with its zone."""
    return datetime.fromtimestamp(0, timezone(timedelta(minutes=zone)) if zone else UTC) + (
        timedelta(seconds=received)
    )


def date_bytes(received: int, zone: int) -> bytes:
    """Give a date as INTERNALDATE sends it."""
    return date_time(moment(received, zone))


def known_flags(database: sqlite3.Connection, folder_id: int) -> Flags:
    """Give the flags of a mailbox, keywords among them."""
    flags = Flags()
    found = database.execute("SELECT low, name FROM keywords WHERE folder = ?", (folder_id,))
    flags.add(dict(found.fetchall()))
    return flags


def coded(
    database: sqlite3.Connection, folder_id: int, flags: Flags, given: Iterable[str]
) -> tuple[int, str]:
    """Give flags as the index has them, after new keywords were noted; inside of `writing`."""
    names = list(given)
    fresh = flags.fresh(names)
    database.executemany(
        "INSERT OR IGNORE INTO keywords VALUES(?, ?, ?)",
        [(folder_id, low, name) for low, name in fresh.items()],
    )
    flags.add(fresh)
    return packed(flags.spelled(names, {}))


def packed(names: Iterable[str]) -> tuple[int, str]:
    """Give flags, in their one spelling, as bits and keywords."""
    known = frozenset(names)
    bits = sum(bit for name, bit in BITS.items() if name in known)
    return bits, " ".join(sorted(known - BITS.keys()))


def state(index: Index, folder: Folder) -> FolderState:
    """Tell all that SELECT needs; inside of `Index.reading`."""
    roster = index.rosters.get(index.database, folder)
    flags = known_flags(index.database, folder.id)
    return FolderState(
        uid_validity=folder.uid_validity,
        uid_next=folder.uid_next,
        uids=roster.uids,
        modseq=folder.modseq,
        flags=flags.all,
        permanent=flags.permanent,
        first_unseen=roster.first_unseen,
        recent=folder.recent,
    )


def changes(index: Index, folder: Folder, since: int) -> Changes:
    """Tell what has happened since a state, in the time that its changes take."""
    if since >= folder.modseq:
        return Changes(modseq=folder.modseq, recent=folder.recent)
    key = (folder.id, since)
    database = index.database
    changed = database.execute(
        "SELECT uid, flags, keywords, modseq, added FROM messages "
        "WHERE folder = ? AND modseq > ? ORDER BY uid",
        key,
    ).fetchall()
    told = [row for row in changed if row[4] <= since]
    known = since >= folder.remembered
    return Changes(
        modseq=folder.modseq,
        uids=None if known else index.rosters.get(database, folder).uids,
        arrived=tuple(row[0] for row in changed if row[4] > since) if known else (),
        gone=_gone(database, key) if known else (),
        flags={row[0]: flag_names(row[1], row[2]) for row in told},
        modseqs={row[0]: row[3] for row in told},
        recent=folder.recent,
    )


def _gone(database: sqlite3.Connection, key: tuple[int, int]) -> tuple[int, ...]:
    found = database.execute(
        "SELECT uid FROM expunged WHERE folder = ? AND modseq > ? AND added <= ? ORDER BY uid",
        (*key, key[1]),
    )
    return tuple(uid for (uid,) in found)


def fetch(index: Index, folder_id: int, uids: Iterable[int]) -> list[StoredMessage]:
    """Tell of messages what is known without reading them."""
    ask(index.database, uids)
    found = index.database.execute(
        f"SELECT uid, flags, keywords, received, zone, size, modseq {SELECTED}",
        (folder_id,),
    )
    return [
        StoredMessage(
            uid=uid,
            flags=flag_names(bits, keywords),
            received=moment(received, zone),
            size=size,
            modseq=modseq,
        )
        for uid, bits, keywords, received, zone, size, modseq in found
    ]


def rows(index: Index, folder: Folder, uids: Sequence[int], columns: Sequence[Column]) -> list[Any]:
    """Give a tuple for each message; what is not described yet is None. Inside of `reading`."""
    if tuple(columns) in ((), ("flags",)):
        return _flag_rows(index.rosters.get(index.database, folder), uids, bool(columns))
    ask(index.database, uids)
    described = any(column in ("envelope", "body", "structure", "fields") for column in columns)
    join = "LEFT JOIN contents ON contents.id = content " if described else ""
    wanted = ", ".join(EXPRESSIONS[column] for column in columns)
    select = f"SELECT uid{', ' if wanted else ''}{wanted} {SELECTED}{join}"
    found = index.database.execute(select, (folder.id,))
    if not {"flags", "received"}.intersection(columns):
        return found.fetchall()
    return [tuple(_told(row, columns)) for row in found]


def _flag_rows(roster: Roster, uids: Sequence[int], flags: bool) -> list[Any]:
    there, bits = roster.among(uids)
    if not flags:
        return [(uid,) for uid in there]
    if roster.keywords:
        return [(uid, flag_bytes(*told)) for uid, *told in roster.told(uids)]
    return list(zip(there, map(_FLAG_BYTES.__getitem__, bits), strict=True))


def _told(row: Sequence[Any], columns: Sequence[Column]) -> Iterator[Any]:
    """Put two columns of the index together where they are one here."""
    values = iter(row)
    yield next(values)
    for column in columns:
        if column == "flags":
            yield flag_bytes(next(values), next(values))
        elif column == "received":
            yield date_bytes(next(values), next(values))
        else:
            yield next(values)


def files(index: Index, folder_id: int, uids: Iterable[int]) -> list[File]:
    """Say where messages are."""
    ask(index.database, uids)
    found = index.database.execute(
        f"SELECT uid, base, info, size, stored, content {SELECTED}",
        (folder_id,),
    )
    return [File(*row) for row in found]


def tally(database: sqlite3.Connection, folder_id: int, sign: int) -> None:
    """Add the messages in ``chosen`` to the counts of their mailbox, or take them away."""
    database.execute(
        "UPDATE folders SET messages = messages + ? * n, unseen = unseen + ? * u, "
        "deleted = deleted + ? * d, size = size + ? * s, deleted_size = deleted_size + ? * ds, "
        "recent = recent + ? * r "
        "FROM (SELECT count(*) AS n, coalesce(sum(flags & 1 = 0), 0) AS u, "
        "coalesce(sum(flags & 8 <> 0), 0) AS d, coalesce(sum(size), 0) AS s, "
        "coalesce(sum(CASE WHEN flags & 8 THEN size ELSE 0 END), 0) AS ds, "
        "coalesce(sum(m.uid >= (SELECT first_recent FROM folders WHERE id = ?)), 0) AS r "
        "FROM chosen CROSS JOIN messages AS m ON m.folder = ? AND m.uid = chosen.uid) "
        "WHERE folders.id = ?",
        (*(sign,) * 6, *(folder_id,) * 3),
    )


def tell_recent(index: Index, folder: Folder, last: int) -> None:
    """Note that somebody is told of the messages up to a UID; inside of `Index.writing`."""
    index.database.execute(
        "UPDATE folders SET first_recent = max(first_recent, :next), recent = "
        "(SELECT count(*) FROM messages WHERE folder = :id AND uid >= max(first_recent, :next)) "
        "WHERE id = :id",
        {"id": folder.id, "next": last + 1},
    )


def next_modseq(database: sqlite3.Connection, folder_id: int) -> int:
    """Count a change of a mailbox; gives its number. Inside of `writing`."""
    database.execute("UPDATE folders SET modseq = modseq + 1 WHERE id = ?", (folder_id,))
    row = database.execute("SELECT modseq FROM folders WHERE id = ?", (folder_id,)).fetchone()
    return int(row[0])


def store(
    index: Index,
    folder: Folder,
    uids: Iterable[int],
    given: Sequence[str],
    mode: int,
    unchanged_since: int | None,
) -> tuple[Stored, bool]:
    """Change flags; says as well if that has changed any. Inside of `Index.writing`."""
    database = index.database
    flags = known_flags(database, folder.id)
    fresh = flags.fresh(given)
    choose(database, folder.id, uids)
    unchanged = _leave_changed(database, folder.id, unchanged_since)
    some = database.execute("SELECT 1 FROM chosen LIMIT 1").fetchone() is not None
    names = list(given) if mode >= 0 and some else [n for n in given if n.lower() not in fresh]
    changed = _change(database, folder.id, coded(database, folder.id, flags, names), mode)
    database.executemany("INSERT INTO chosen VALUES(?)", [(uid,) for uid in unchanged])
    found = database.execute(
        "SELECT m.uid, flags, keywords, modseq FROM chosen CROSS JOIN messages AS m "
        "ON folder = ? AND m.uid = chosen.uid",
        (folder.id,),
    ).fetchall()
    stored = Stored(
        flags={uid: flag_names(bits, keywords) for uid, bits, keywords, _ in found},
        modseqs={uid: modseq for uid, _, _, modseq in found},
        unchanged=tuple(unchanged),
    )
    return stored, changed


def _leave_changed(database: sqlite3.Connection, folder_id: int, since: int | None) -> list[int]:
    """Take messages from ``chosen`` that have changed since then; gives their UIDs."""
    if since is None:
        return []
    found = database.execute(
        "SELECT chosen.uid FROM chosen CROSS JOIN messages AS m "
        "ON folder = ? AND m.uid = chosen.uid WHERE modseq > ?",
        (folder_id, since),
    ).fetchall()
    database.executemany("DELETE FROM chosen WHERE uid = ?", found)
    return [uid for (uid,) in found]


def _change(
    database: sqlite3.Connection, folder_id: int, given: tuple[int, str], mode: int
) -> bool:
    """Change the flags of the messages in ``chosen``, all that have the same ones at a time."""
    combinations = database.execute(
        "SELECT DISTINCT flags, keywords FROM chosen CROSS JOIN messages AS m "
        "ON folder = ? AND m.uid = chosen.uid",
        (folder_id,),
    ).fetchall()
    turns = [(before, _after(before, given, mode)) for before in combinations]
    turns = [(before, after) for before, after in turns if before != after]
    if not turns:
        return False
    modseq = next_modseq(database, folder_id)
    tally(database, folder_id, -1)
    for before, after in turns:
        # What has its new number already was another combination before.
        database.execute(
            "UPDATE messages SET flags = ?, keywords = ?, modseq = ? WHERE folder = ? "
            "AND uid IN (SELECT uid FROM chosen) AND flags = ? AND keywords = ? AND modseq <> ?",
            (*after, modseq, folder_id, *before, modseq),
        )
    tally(database, folder_id, 1)
    database.execute("UPDATE folders SET mirrored = 0 WHERE id = ?", (folder_id,))
    return True


def _after(before: tuple[int, str], given: tuple[int, str], mode: int) -> tuple[int, str]:
    if mode == 0:
        return given
    words, more = set(before[1].split()), set(given[1].split())
    if mode > 0:
        return before[0] | given[0], " ".join(sorted(words | more))
    return before[0] & ~given[0], " ".join(sorted(words - more))
