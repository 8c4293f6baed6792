"""The index of one account: a connection to SQLite, transactions, and what errors mean."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar, cast
from urllib.parse import quote

from twisted.logger import Logger

from referrald.errors import CorruptMailbox, MailboxInUse, OverQuota, ReferraldError, Unavailable
from referrald.store.maildir.disk import Step, make_maildir, no_step, sync
from referrald.store.maildir.filenames import unique
from referrald.store.maildir.naming import below
from referrald.store.maildir.roster import Rosters
from referrald.store.maildir.schema import migrate

Result = TypeVar("Result")
INDEX: Final = "referrald-index"
LOCK: Final = "referrald-lock"
DAMAGED: Final = "referrald-damaged."
PATIENCE: Final = 10.0
"""Seconds that one process waits for another to be done with an account."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Index:
    """The index of an account, open. It is used by one thread at a time.

    step: called with the name of each step of a change. rosters: what is known of its messages.
    """

    log = Logger(namespace="referrald")

    def __init__(self, root: str, step: Step = no_step, patience: float = PATIENCE) -> None:
        self.root = root
        self.step = step
        self.patience = patience
        self.rosters = Rosters()
        self._kept: dict[str, tuple[object, object]] = {}
        self._held = 0
        self.can_write = True
        make_maildir(root, folder=False)
        self._path = os.path.join(root, INDEX)
        self._lock = _open_lock(root)
        self._read_only = _is_read_only(self._path)
        try:
            self.database = _connect(self._path, patience, self._read_only)
            self._opened = _identity(self._path)
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let go of files."""
        self.database.close()
        os.close(self._lock)

    def path(self, directory: str, *more: str) -> str:
        """Give the path of a folder, or of something in it."""
        return os.path.join(below(self.root, directory), *more)

    @property
    def replaced(self) -> bool:
        """Say whether the file of the index is another one now, or can be written to by now."""
        if self._read_only and os.access(self._path, os.W_OK):
            return True
        return _identity(self._path) != self._opened

    @contextmanager
    def alone(self, patience: float | None = None) -> Iterator[None]:
        """Keep other processes from changing the account meanwhile; raises `MailboxInUse`."""
        if not self._held:
            _take(self._lock, self.patience if patience is None else patience, self.root)
        self._held += 1
        try:
            if self.replaced:
                raise MailboxInUse("the index was replaced", public="This mailbox is in use.")
            yield
        finally:
            self._held -= 1
            if not self._held:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """See one state of the index throughout."""
        self.database.execute("BEGIN")
        try:
            yield self.database
        finally:
            self.database.execute("ROLLBACK")

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[sqlite3.Connection]:
        """Change the index: all or nothing. lasting: it is on disk when this is left."""
        database = self.database
        database.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
            self.can_write = True
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors.
                database.execute("ROLLBACK")
            raise

    @contextmanager
    def if_possible(self) -> Iterator[None]:
        """Pass over a change that can wait, while nothing can be written or another is at it."""
        try:
            yield
        except MailboxInUse:
            return
        except (OSError, sqlite3.Error) as error:
            if not unwritable(error):
                raise
            if self.can_write:
                self.can_write = False
                self.log.error(
                    "{root} cannot be written to at the moment: {error}",
                    root=self.root,
                    error=error,
                )

    def kept(self, name: str, find: Callable[[Index], Result]) -> Result:
        """Give what ``find`` gives, as long as nobody has changed the index since it last did."""
        database = self.database
        if database.in_transaction:  # It may be taken back.
            return find(self)
        state = (
            database.execute("PRAGMA data_version").fetchone()[0],  # Changed by other connections,
            database.total_changes,  # and by this one.
        )
        known = self._kept.get(name)
        if known is None or known[0] != state:
            known = self._kept[name] = (state, find(self))
        return cast("Result", known[1])

    def next_validity(self) -> int:
        """Give a UIDVALIDITY that no mailbox of this account has had; inside of `writing`."""
        row = self.database.execute("SELECT value FROM account WHERE key = 'validity'").fetchone()
        value = max(int(time.time()), (row[0] + 1) if row else 0)
        self.database.execute("INSERT OR REPLACE INTO account VALUES('validity', ?)", (value,))
        return value


def _open_lock(root: str) -> int:
    path = os.path.join(root, LOCK)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY)


def _is_read_only(path: str) -> bool:
    """Make the file where it is missing; say whether it lies where nothing can be written."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return True
    return False


def _identity(path: str) -> tuple[int, int] | None:
    """Tell files of one name apart."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _take(lock: int, patience: float, root: str) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                reason = f"another process holds {root}"
                raise MailboxInUse(reason, public="This mailbox is in use.") from error
            time.sleep(0.005)


@contextmanager
def locked(root: str, patience: float = PATIENCE) -> Iterator[None]:
    """Keep all processes from changing an account, be its index usable or not."""
    lock = _open_lock(root)
    try:
        _take(lock, patience, root)
        yield
    finally:
        os.close(lock)


def _address(path: str, read_only: bool) -> str:
    """Give the URI of the file; one that nobody can write to is read without locks, if it can be.

    SQLite would make files beside it; where some were left behind it can do with those.
    """
    mode = ""
    if read_only:
        mode = "?mode=ro" if os.path.exists(path + "-wal") else "?mode=ro&immutable=1"
    return f"file:{quote(os.path.abspath(path))}{mode}"


def _connect(path: str, patience: float, read_only: bool) -> sqlite3.Connection:
    database = sqlite3.connect(
        _address(path, read_only),
        uri=True,
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if not read_only:
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute("PRAGMA cache_size = -2000")
        migrate(database)
        database.execute("CREATE TEMP TABLE asked(first INTEGER PRIMARY KEY, last INTEGER)")
        database.execute("CREATE TEMP TABLE chosen(uid INTEGER PRIMARY KEY)")
    except BaseException:
        database.close()
        raise
    return database


def runs(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Put numbers together to ranges, both ends included, ascending and apart."""
    ordered = sorted(set(uids))
    if ordered and ordered[-1] - ordered[0] == len(ordered) - 1:
        return [(ordered[0], ordered[-1])]
    found: list[tuple[int, int]] = []
    for uid in ordered:
        if found and found[-1][1] == uid - 1:
            found[-1] = (found[-1][0], uid)
        else:
            found.append((uid, uid))
    return found


def ask(database: sqlite3.Connection, uids: Iterable[int]) -> None:
    """Put UIDs into the table ``asked``, as ranges; inside of a transaction."""
    database.execute("DELETE FROM asked")
    known = (run for run in runs(uids) if 0 < run[0] <= run[1] < 2**32)
    database.executemany("INSERT INTO asked VALUES(?, ?)", known)


def choose(database: sqlite3.Connection, folder: int, uids: Iterable[int]) -> None:
    """Put those of some UIDs that are there into the table ``chosen``."""
    ask(database, uids)
    database.execute("DELETE FROM chosen")
    database.execute(
        "INSERT INTO chosen SELECT uid FROM asked CROSS JOIN messages "
        "ON folder = ? AND uid BETWEEN first AND last",
        (folder,),
    )


def set_aside(root: str) -> str:
    """Put a damaged index away, so that a new one is made; gives where it is now."""
    to = os.path.join(root, DAMAGED + unique())
    os.rename(os.path.join(root, INDEX), to)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.rename(os.path.join(root, INDEX + suffix), to + suffix)
    sync(root)
    return to


def unwritable(error: Exception) -> bool:
    """Say whether an error means that the disk is full, or can only be read."""
    if isinstance(error, OSError):
        return error.errno in FULL or error.errno == errno.EROFS
    name = getattr(error, "sqlite_errorname", "")
    return bool(name.startswith(("SQLITE_FULL", "SQLITE_READONLY")))


def translated(error: Exception, root: str) -> ReferraldError:
    """Give the error that a client is told of what went wrong with files or the index."""
    reason = f"{root}: {type(error).__name__}: {error}"
    name = getattr(error, "sqlite_errorname", "")
    if (isinstance(error, OSError) and error.errno in FULL) or name.startswith("SQLITE_FULL"):
        return OverQuota(reason)
    if unwritable(error):
        return Unavailable(reason, public="Nothing can be changed now, but reading goes on.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return CorruptMailbox(reason)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return MailboxInUse(reason, public="This mailbox is in use.")
    return Unavailable(reason)
