"""The tables of an index, and how an older one becomes this."""

from __future__ import annotations

import sqlite3
from typing import Final

from referrald.errors import Unavailable

FIRST: Final = """
CREATE TABLE account(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE folders(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    directory TEXT NOT NULL UNIQUE,
    uid_validity INTEGER NOT NULL,
    uses TEXT NOT NULL DEFAULT '',
    uid_next INTEGER NOT NULL DEFAULT 1,
    modseq INTEGER NOT NULL DEFAULT 1,
    remembered INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    deleted_size INTEGER NOT NULL DEFAULT 0,
    new_time INTEGER NOT NULL DEFAULT 0,
    cur_time INTEGER NOT NULL DEFAULT 0,
    scanned INTEGER NOT NULL DEFAULT 0,
    mirrored INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE keywords(
    folder INTEGER NOT NULL,
    low TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY(folder, low)
) WITHOUT ROWID;

CREATE TABLE contents(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope BLOB,
    body BLOB,
    structure BLOB,
    fields BLOB,
    plain INTEGER
);

CREATE TABLE messages(
    folder INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    keywords TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    added INTEGER NOT NULL,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    received INTEGER NOT NULL,
    zone INTEGER NOT NULL,
    content INTEGER NOT NULL,
    base TEXT NOT NULL,
    info TEXT NOT NULL,
    shown INTEGER NOT NULL,
    PRIMARY KEY(folder, uid)
) WITHOUT ROWID;
CREATE INDEX messages_modseq ON messages(folder, modseq);
CREATE INDEX messages_content ON messages(content);

CREATE TABLE expunged(
    folder INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    added INTEGER NOT NULL,
    PRIMARY KEY(folder, modseq, uid)
) WITHOUT ROWID;

CREATE TABLE subscriptions(name TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE pending_files(
    base TEXT NOT NULL,
    info TEXT NOT NULL,
    target INTEGER,
    origin INTEGER,
    PRIMARY KEY(base, origin)
);

CREATE TABLE pending_folders(old TEXT PRIMARY KEY, new TEXT) WITHOUT ROWID;
"""
"""What the words mean that do not say it.

contents: ``plain``: 1 when nothing in the fields is encoded, so that they can be searched as they
stand.
folders: ``remembered``: the modseq from which on `expunged` is complete. The counts are those of
STATUS. ``new_time``, ``cur_time``: when the directories had last changed, as far as is known.
``scanned``: when all of ``cur`` was last looked at. ``mirrored``: 0 while file names lag behind.
messages: ``stored``: bytes of the file, fewer than ``size`` where its lines end with LF alone.
``zone``: minutes. ``content``: what copies have in common (later, what OBJECTID tells).
``base``, ``info``: the file's name in ``cur``; ``shown``: the flags in it.
pending_files: what is yet to be done with files after a change of the rows: bring one from
``origin`` (NULL: the ``tmp`` of its target) to ``target`` (NULL: away with it), under the name that
``base`` and ``info`` make.
pending_folders: directories that are yet to be renamed, or (NULL) removed.
"""

RECENT: Final = """
ALTER TABLE folders ADD COLUMN first_recent INTEGER NOT NULL DEFAULT 1;
ALTER TABLE folders ADD COLUMN recent INTEGER NOT NULL DEFAULT 0;
UPDATE folders SET first_recent = uid_next;
"""
"""Which messages nobody has been told of yet.

``first_recent``: the UID from which on that is so; ``recent``: how many messages there are.
"""

MIGRATIONS: Final = (FIRST, RECENT)
"""The scripts that lead from each version to the next; never changed, only added to."""


def migrate(database: sqlite3.Connection) -> None:
    """Bring an index to the present version, in one transaction."""
    if _version(database) == len(MIGRATIONS):
        return
    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database)
        if version > len(MIGRATIONS):
            raise Unavailable(f"the index is of version {version}, newer than this program")
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";\n")):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])
