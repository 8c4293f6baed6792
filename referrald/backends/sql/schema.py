"""Tables of our own, for a site that has none, and the steps from one version of them to the next.

``homes`` has the columns of `referrald.backends.homerows`, ``mailboxes`` those of
`referrald.backends.mailboxrows`, for a user, ``*@domain`` or ``*``; ``passwords`` has what it says.
Triggers note in ``changes`` whoever changes, however it is done, so that those who watch can be
told by name. ``history`` says on whose word a home was changed through referrald.
"""

from __future__ import annotations

from collections.abc import Sequence

from referrald.backends.sql.connection import Connection
from referrald.errors import Unavailable

CHANGES_KEPT = 1_000

VERSION = "SELECT max(version) AS version FROM referrald_schema"

_NOTE = (
    "INSERT INTO changes (username) VALUES ({user}); "
    f"DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - {CHANGES_KEPT};"
)


def _triggers(table: str) -> Sequence[str]:
    """Note changes of a table; a row that is renamed is a change of two users."""
    return tuple(
        f"CREATE TRIGGER {table}_{when.lower()} AFTER {when} ON {table} BEGIN "
        + " ".join(_NOTE.format(user=f"{row}.username") for row in rows)
        + " END"
        for when, rows in (
            ("INSERT", ("NEW",)),
            ("UPDATE", ("OLD", "NEW")),
            ("DELETE", ("OLD",)),
        )
    )


SQLITE: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE referrald_schema (version INTEGER NOT NULL)",
        """CREATE TABLE homes (
            username TEXT NOT NULL PRIMARY KEY,
            servers TEXT NOT NULL,
            name TEXT,
            auth TEXT,
            public_here INTEGER,
            login TEXT,
            spread INTEGER,
            closed TEXT,
            held INTEGER,
            ttl REAL
        )""",
        "CREATE INDEX homes_by_servers ON homes (servers)",
        """CREATE TABLE passwords (
            username TEXT NOT NULL PRIMARY KEY,
            scheme TEXT NOT NULL,
            hash TEXT NOT NULL
        )""",
        "CREATE INDEX passwords_by_scheme ON passwords (scheme)",
        """CREATE TABLE history (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            time REAL NOT NULL,
            who TEXT NOT NULL,
            why TEXT NOT NULL,
            username TEXT NOT NULL,
            before TEXT,
            after TEXT
        )""",
        "CREATE INDEX history_by_user ON history (username, seq)",
        """CREATE TABLE changes (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            username TEXT NOT NULL
        )""",
        *_triggers("homes"),
        *_triggers("passwords"),
    ),
    (
        """CREATE TABLE mailboxes (
            username TEXT NOT NULL,
            mailbox TEXT NOT NULL,
            rank INTEGER NOT NULL DEFAULT 0,
            servers TEXT,
            remote_name TEXT,
            remote_user TEXT,
            delimiter TEXT,
            auth TEXT,
            attributes TEXT,
            subscribed INTEGER,
            selectable INTEGER,
            moving INTEGER,
            ttl REAL,
            PRIMARY KEY (username, mailbox, rank)
        )""",
        "CREATE INDEX mailboxes_by_servers ON mailboxes (servers)",
        *_triggers("mailboxes"),
    ),
)
"""Each entry leads from one version to the next; the first from nothing to version 1."""


def migrate(connection: Connection, steps: Sequence[Sequence[str]], known: int | None) -> None:
    """Bring the tables to the newest version, within a transaction; raises `Unavailable`.

    known: the version that is there, None for an empty database.
    """
    version = known or 0
    check_version(version, steps)
    for number, step in enumerate(steps[version:], version + 1):
        for statement in step:
            connection.query(statement)
        connection.query(
            "INSERT INTO referrald_schema (version) VALUES (:version)", {"version": number}
        )


def check_version(version: int, steps: Sequence[Sequence[str]]) -> None:
    """Raise `Unavailable` for tables of a referrald that is newer than this one."""
    if version > len(steps):
        raise Unavailable(
            f"its tables have version {version}, and this referrald knows {len(steps)}"
        )
