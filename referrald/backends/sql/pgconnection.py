"""Connections to PostgreSQL, made with psycopg, which is imported when there is need of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, Any

from referrald.backends.servers import Wrong
from referrald.backends.sql import pgschema, schema
from referrald.backends.sql.connection import Row
from referrald.backends.sql.parameters import percent_style
from referrald.errors import Unavailable

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT = 5
# Else a machine that has gone without a word is noticed after a quarter of an hour.
NOTICED = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
           "tcp_user_timeout": 30_000}  # fmt: skip
LONGEST_QUERY_MS = 10_000
READ_ONLY = f"-c default_transaction_read_only=on -c statement_timeout={LONGEST_QUERY_MS}"
WRITING = "-c lock_timeout=5000"

percents = lru_cache(maxsize=256)(percent_style)


class PgConnection:
    """A connection that commits each statement unless it is in a transaction.

    options: what the server is told at the start. Raises `Unavailable`.
    """

    def __init__(self, dsn: str, name: str, options: str) -> None:
        import psycopg
        from psycopg.rows import dict_row

        self._name = name
        given = parts_of(dsn)
        usual = {"connect_timeout": CONNECT_TIMEOUT, **NOTICED}
        settings: dict[str, Any] = {**usual, **given, "client_encoding": "utf8"}
        settings["options"] = f"{given.get('options', '')} {options}".strip()
        with failing(name):
            self.raw: psycopg.Connection[Row] = psycopg.connect(
                **settings, autocommit=True, row_factory=dict_row
            )

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement and give its rows."""
        with failing(self._name):
            # The type asks for a literal, so that nobody pastes values into it; none is.
            cursor = self.raw.execute(percents(sql).encode(), values or {})
            return cursor.fetchall() if cursor.description else []

    def many(self, sql: str, values: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement for each of ``values``."""
        with failing(self._name), self.raw.cursor() as cursor:
            cursor.executemany(percents(sql).encode(), list(values))

    def tell_everybody(self) -> None:
        """Tell those who listen once, and keep the triggers from it."""
        for statement in pgschema.TELL_EVERYBODY:
            self.query(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Change something, all of it or nothing."""
        with failing(self._name), self.raw.transaction():
            yield

    def version(self) -> int | None:
        """Give the version of our tables, None when they are not there."""
        if not self.query(pgschema.MARK)[0]["there"]:
            return None
        version: int | None = self.query(schema.VERSION)[0]["version"]
        return version

    def abort(self) -> None:
        """End what another thread waits for; it raises `Unavailable`."""
        import psycopg

        with suppress(psycopg.Error, OSError), socket(fileno=os.dup(self.raw.fileno())) as ours:
            ours.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Let go of it."""
        self.raw.close()


def make_tables(dsn: str, name: str) -> None:
    """Make or migrate our tables where they are not as new as we are; raises `Unavailable`."""
    connection = PgConnection(dsn, name, WRITING)
    try:
        if connection.version() == len(pgschema.STEPS):
            return
        with connection.transaction():
            # Another process may be about to do it too.
            connection.query(pgschema.LOCK)
            schema.migrate(connection, pgschema.STEPS, connection.version())
    finally:
        connection.close()


@contextmanager
def failing(name: str) -> Iterator[None]:
    """Turn the errors of psycopg into `Unavailable`, of one line."""
    import psycopg

    try:
        yield
    except (psycopg.Error, UnicodeError) as error:
        line = str(error).strip().split("\n")[0]
        raise Unavailable(f"{name}: {line or type(error).__name__}") from error


def parts_of(dsn: str) -> dict[str, Any]:
    """Read a connection string or URI; raises `Wrong`, which never quotes it."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return dict(conninfo_to_dict(dsn))
    except (psycopg.Error, ValueError):
        right = 'such as "host=db.example.org dbname=mail user=referrald"'
        raise Wrong("is no connection string", right) from None


def name_of(dsn: str) -> str:
    """Call a database by host and name, without what is secret."""
    parts = parts_of(dsn)
    return f"postgresql {parts.get('host') or 'local'}/{parts.get('dbname') or 'default'}"
