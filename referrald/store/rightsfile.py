"""The table of rights: one file of SQLite for all that is shared in a store.

It is apart from the mail, since an index can be made anew from files, and this cannot.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Final, TypeVar

from twisted.logger import Logger

from referrald.errors import ReferraldError, Unavailable
from referrald.store import rights
from referrald.store.names import is_below
from referrald.store.rights import ANYONE, Entries, Lists

Result = TypeVar("Result")
IN_MEMORY: Final = ":memory:"
PATIENCE: Final = 10.0
"""Seconds that one process waits for another to be done with the table."""

PUBLIC: Final = ""
"""The owner of mailboxes that belong to nobody."""

VERSION: Final = 1
TABLES: Final = (
    "CREATE TABLE rights(owner TEXT NOT NULL, mailbox TEXT NOT NULL, identifier TEXT NOT NULL, "
    "letters TEXT NOT NULL, PRIMARY KEY(owner, mailbox, identifier)) WITHOUT ROWID",
    "CREATE INDEX rights_identifier ON rights(identifier, owner)",
)
"""A row without an identifier says that the mailbox has a list of its own, be it an empty one."""


class RightsFile:
    """Lists of rights by owner and mailbox. It is used by one thread at a time; errors are
    `Unavailable`.
    """

    log = Logger(namespace="referrald")

    def __init__(self, path: str = IN_MEMORY) -> None:
        self.path = path
        self._lock = Lock()
        self._database: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._own_changes = 0
        self._version: tuple[int, int, int] | None = None
        self._kept: dict[str, dict[str, dict[str, str]]] = {}
        self._openings = 0

    # -- looking -----------------------------------------------------------------------------

    def version(self) -> tuple[int, int, int]:
        """Give what is another once anybody has changed the table."""
        return self._do(self._seen_version)

    def lists(self, owner: str) -> Lists:
        """Give all lists of an owner by mailbox."""
        return self._do(lambda database: self._lists(database, owner))

    def owners(self, user: str) -> list[str]:
        """Name those who may have given a user rights, public mailboxes not among them."""

        def work(database: sqlite3.Connection) -> list[str]:
            found = database.execute(
                "SELECT DISTINCT owner FROM rights WHERE identifier IN (?, ?) "
                "AND owner <> ? AND letters <> '' ORDER BY owner",
                (user, ANYONE, PUBLIC),
            )
            return [owner for (owner,) in found]

        return self._do(work)

    def every(self) -> list[tuple[str, str, Entries]]:
        """Give every owner, mailbox and list."""

        def work(database: sqlite3.Connection) -> list[tuple[str, str, Entries]]:
            found = database.execute("SELECT DISTINCT owner FROM rights ORDER BY owner").fetchall()
            return [
                (owner, mailbox, entries)
                for (owner,) in found
                for mailbox, entries in self._lists(database, owner).items()
            ]

        return self._do(work)

    def faults(self) -> list[str]:
        """Say what is wrong with the file."""

        def work(database: sqlite3.Connection) -> list[str]:
            lines = [line for (line,) in database.execute("PRAGMA quick_check(20)")]
            known = set(rights.ALL)
            wrong = [
                f"{identifier!r} has {letters!r} on {mailbox!r} of {owner!r}, which are no rights"
                for owner, mailbox, identifier, letters in database.execute("SELECT * FROM rights")
                if not set(letters) <= known
            ]
            return [line for line in lines if line != "ok"] + wrong

        return self._do(work)

    # -- changing ----------------------------------------------------------------------------

    def change(self, owner: str, mailbox: str, identifier: str, letters: str, mode: int) -> None:
        """Add (mode 1), remove (-1) or set (0) letters.

        A mailbox that went by a list above it gets one of its own, which begins as that.
        """

        def work(database: sqlite3.Connection) -> None:
            entries = rights.nearest(self._lists(database, owner), mailbox)
            after = rights.changed(entries, identifier, letters, mode)
            self._write(database, owner, mailbox, after)

        self._change(work)

    def drop(self, owner: str, mailbox: str) -> bool:
        """Take away the list that a mailbox has of its own; says whether it had one."""

        def work(database: sqlite3.Connection) -> bool:
            key = (owner, mailbox)
            gone = database.execute("DELETE FROM rights WHERE owner = ? AND mailbox = ?", key)
            return gone.rowcount > 0

        return self._change(work)

    def copy(self, owner: str, old: str, new: str) -> bool:
        """Have a name, and all below it, go by the lists of another; says if it needs any for that.

        One that goes by a list above it, which is not that of its new name, gets one of its own
        that is the same: a new name gives nobody other rights (RFC 4314 section 4).
        """

        def work(database: sqlite3.Connection) -> bool:
            lists = self._lists(database, owner)
            before = rights.nearest(lists, old)
            moved = {mailbox: each for mailbox, each in lists.items() if _in_tree(mailbox, old)}
            left = {mailbox: each for mailbox, each in lists.items() if not _in_tree(mailbox, new)}
            _drop_tree(database, owner, new)
            for mailbox, entries in moved.items():
                self._write(database, owner, new + mailbox[len(old) :], entries)
            if old not in moved and before != rights.nearest(left, new):
                self._write(database, owner, new, before)
                return True
            return bool(moved)

        return self._change(work)

    def drop_tree(self, owner: str, mailbox: str) -> None:
        """Take away the lists of a mailbox and of all below it."""
        self._change(lambda database: _drop_tree(database, owner, mailbox))

    def close(self) -> None:
        """Let go of the file until it is asked for again."""
        with self._lock:
            self._close()

    # -- the file ----------------------------------------------------------------------------

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock:
            try:
                if self._database is not None and _identity(self.path) != self._opened:
                    self._close()
                if self._database is None:
                    self._open()
                assert self._database is not None, "opened"
                return work(self._database)
            except ReferraldError:
                raise
            except (OSError, sqlite3.Error) as error:
                self._close()
                self.log.error("{path}: {error}", path=self.path, error=error)
                raise Unavailable(f"the table of rights {self.path}: {error}") from error

    def _change(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        def alone(database: sqlite3.Connection) -> Result:
            with _transaction(database):
                done = work(database)
            self._own_changes += 1
            return done

        return self._do(alone)

    def _open(self) -> None:
        if self.path != IN_MEMORY:
            _make(self.path)
        database = sqlite3.connect(
            self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(database, self.path)
        except BaseException:
            database.close()
            raise
        self._database, self._opened = database, _identity(self.path)
        self._openings += 1

    def _close(self) -> None:
        if self._database is not None and self.path != IN_MEMORY:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    def _seen_version(self, database: sqlite3.Connection) -> tuple[int, int, int]:
        others = database.execute("PRAGMA data_version").fetchone()[0]
        return self._openings, others, self._own_changes

    def _lists(self, database: sqlite3.Connection, owner: str) -> dict[str, dict[str, str]]:
        version = self._seen_version(database)
        if version != self._version or database.in_transaction:
            self._version, self._kept = version, {}
        found = self._kept.get(owner)
        if found is None:
            found = {}
            rows = database.execute(
                "SELECT mailbox, identifier, letters FROM rights WHERE owner = ?", (owner,)
            )
            for mailbox, identifier, letters in rows:
                entries = found.setdefault(mailbox, {})
                if identifier:
                    entries[identifier] = letters
            self._kept[owner] = found
        return found

    def _write(
        self, database: sqlite3.Connection, owner: str, mailbox: str, entries: Mapping[str, str]
    ) -> None:
        database.execute("DELETE FROM rights WHERE owner = ? AND mailbox = ?", (owner, mailbox))
        database.executemany(
            "INSERT INTO rights VALUES(?, ?, ?, ?)",
            [(owner, mailbox, *entry) for entry in (("", ""), *entries.items())],
        )


def _in_tree(mailbox: str, top: str) -> bool:
    return mailbox == top or is_below(mailbox, top)


def _drop_tree(database: sqlite3.Connection, owner: str, top: str) -> None:
    found = database.execute("SELECT DISTINCT mailbox FROM rights WHERE owner = ?", (owner,))
    gone = [(owner, mailbox) for (mailbox,) in found.fetchall() if _in_tree(mailbox, top)]
    database.executemany("DELETE FROM rights WHERE owner = ? AND mailbox = ?", gone)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors.
            database.execute("ROLLBACK")
        raise


def _prepare(database: sqlite3.Connection, path: str) -> None:
    database.execute("PRAGMA synchronous = FULL")
    with _transaction(database):
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise Unavailable(f"{path} is of version {version}, newer than this program")
        if version < VERSION:
            for statement in TABLES:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {VERSION}")


def _make(path: str) -> None:
    """Make the file where it is not there; made by root it is the owner's of its directory."""
    with suppress(FileExistsError):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if os.geteuid() == 0:
                place = os.stat(os.path.dirname(path) or ".")
                os.fchown(handle, place.st_uid, place.st_gid)
        finally:
            os.close(handle)


def _identity(path: str) -> tuple[int, int] | None:
    """Tell files of one name apart."""
    if path == IN_MEMORY:
        return None
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
