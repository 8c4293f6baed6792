"""Connections to an SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from referrald.backends.sql import schema
from referrald.backends.sql.connection import Row
from referrald.errors import Unavailable

BUSY = 5.0
"""Seconds to wait for somebody who is changing the database."""

LONGEST_QUERY = 10.0
"""Seconds after which a query is ended, because nobody waits for it any more."""

STEPS = 100_000
"""A query is looked at after so many instructions of SQLite's machine."""

MARK = "SELECT 1 FROM sqlite_master WHERE name = 'referrald_schema'"
ANY_TABLE = (
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)


class SqliteConnection:
    """A connection that runs one statement after the other, each for a limited time.

    mode: ``ro``, ``rw`` or ``rwc``, as in SQLite's URIs. Raises `Unavailable` for no file.
    """

    def __init__(self, path: str, mode: str = "rw") -> None:
        self._until: float | None = None
        with failing(path):
            self._raw = sqlite3.connect(
                f"{Path(path).as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY,
                isolation_level=None,
                check_same_thread=False,
            )
        self._raw.row_factory = _as_row
        self._raw.set_progress_handler(self._is_late, STEPS)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement and give its rows."""
        self._until = time.monotonic() + LONGEST_QUERY
        try:
            return self._raw.execute(sql, values or {}).fetchall()
        finally:
            self._until = None

    def many(self, sql: str, values: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement for each of ``values``."""
        self._raw.executemany(sql, values)

    def tell_everybody(self) -> None:
        """Do nothing: of very many only the last are noted, and that some are missing is seen."""

    def columns(self, sql: str, values: Mapping[str, Any]) -> list[str]:
        """Name the columns that a query gives, without its rows."""
        found = self._raw.execute(f"SELECT * FROM ({sql.rstrip().rstrip(';')}) LIMIT 0", values)
        return [column[0] for column in found.description]

    def version(self) -> int | None:
        """Give the version of our tables, None when they are not there."""
        if not self.query(MARK):
            return None
        version: int | None = self.query(schema.VERSION)[0]["version"]
        return version

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Change something, all of it or nothing, while nobody else does."""
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._raw.rollback()
            raise
        self._raw.commit()

    def interrupt(self) -> None:
        """End the statement that another thread has under way; it raises `sqlite3.Error`."""
        self._raw.interrupt()

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def _is_late(self) -> bool:
        return self._until is not None and time.monotonic() > self._until


def _as_row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


@contextmanager
def failing(path: str) -> Iterator[None]:
    """Turn SQLite's errors into `Unavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"{path}: {error}") from error


def open_reading(path: str) -> SqliteConnection:
    """Open a file for queries, which cannot change anything."""
    connection = SqliteConnection(path)
    with failing(path):
        connection.query("PRAGMA query_only = ON")
    return connection


def make_tables(path: str) -> None:
    """Make the file if there is none, and our tables; raises `Unavailable`."""
    connection = SqliteConnection(path, "rwc")
    try:
        with failing(path):
            if connection.version() == len(schema.SQLITE):
                return
            connection.query("PRAGMA journal_mode = WAL")
            with connection.transaction():
                # Another process may have done it meanwhile.
                refuse_foreign(connection)
                schema.migrate(connection, schema.SQLITE, connection.version())
    except Unavailable as error:
        raise error if path in str(error) else Unavailable(f"{path}: {error}") from error
    finally:
        connection.close()


def refuse_foreign(connection: SqliteConnection) -> None:
    """Raise `Unavailable` for a database that has tables, but none of ours."""
    if connection.version() is None and connection.query(ANY_TABLE):
        raise Unavailable("it has tables of somebody else; give home_query to ask them")


def identity(path: str) -> tuple[int, int] | None:
    """Tell one file from another that has taken its place; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
