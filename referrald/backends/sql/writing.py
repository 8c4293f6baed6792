"""Homes in tables of our own, within a transaction, and the history of their changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from referrald.backends.homerows import WRITTEN, read_row, write_row
from referrald.backends.keeping import home_of, text_of
from referrald.backends.servers import Wrong
from referrald.backends.sql.connection import Connection, Row
from referrald.backends.sql.queries import HOME_COLUMNS
from referrald.backends.watching import CHANGES_TOLD
from referrald.errors import Unavailable
from referrald.model import Home, HomeChange, LoggedChange, Occasion

AT_ONCE = 500
"""So many users are asked for with one statement."""

ALL_HOMES = f"SELECT username, {HOME_COLUMNS} FROM homes"
PAGE = f"{ALL_HOMES} WHERE username > :after ORDER BY username LIMIT :limit"
DELETE = "DELETE FROM homes WHERE username = :username"
PUT = (
    f"INSERT INTO homes (username, {HOME_COLUMNS}) VALUES "
    f"(:username, {', '.join(':' + column for column in WRITTEN)}) ON CONFLICT (username) "
    f"DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in WRITTEN)}"
)
LOG = (
    "INSERT INTO history (time, who, why, username, before, after) "
    "VALUES (:time, :who, :why, :username, :before, :after)"
)
HISTORY = "SELECT time, who, why, username, before, after FROM history"
HISTORY_OF_ALL = f"{HISTORY} ORDER BY seq DESC LIMIT :limit"
HISTORY_OF_ONE = f"{HISTORY} WHERE username = :user ORDER BY seq DESC LIMIT :limit"


class SqlHomes:
    """The homes that a connection sees within a transaction."""

    def __init__(self, connection: Connection, now: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._now = now

    def some(self, users: Iterable[str]) -> dict[str, Home]:
        """Give the homes of those users who have one."""
        names = list(users)
        found: dict[str, Home] = {}
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            values = {f"u{number}": name for number, name in enumerate(some)}
            places = ", ".join(f":{key}" for key in values)
            query = f"{ALL_HOMES} WHERE username IN ({places})"
            found.update(_named(self._connection.query(query, values)))
        return found

    def all(self) -> dict[str, Home]:
        """Give everybody's home."""
        return dict(_named(self._connection.query(ALL_HOMES)))

    def write(self, changes: Sequence[HomeChange], occasion: Occasion) -> None:
        """Make changes, and put them into the history."""
        if len(changes) > CHANGES_TOLD:
            self._connection.tell_everybody()
        gone = [{"username": each.user} for each in changes if each.after is None]
        if gone:
            self._connection.many(DELETE, gone)
        there = [
            {"username": each.user, **write_row(each.after)}
            for each in changes
            if each.after is not None
        ]
        if there:
            self._connection.many(PUT, there)
        self._connection.many(LOG, _log_rows(changes, occasion, self._now()))


def _log_rows(
    changes: Iterable[HomeChange], occasion: Occasion, now: float
) -> Iterator[dict[str, Any]]:
    for each in changes:
        yield {
            "time": now,
            "who": occasion.who,
            "why": occasion.why,
            "username": each.user,
            "before": text_of(each.before),
            "after": text_of(each.after),
        }


def page(connection: Connection, after: str, limit: int) -> list[tuple[str, Home]]:
    """Give the users behind a name with their homes."""
    return list(_named(connection.query(PAGE, {"after": after, "limit": limit})))


def history(connection: Connection, user: str | None, limit: int) -> list[LoggedChange]:
    """Give changes, the latest first."""
    statement = HISTORY_OF_ALL if user is None else HISTORY_OF_ONE
    rows = connection.query(statement, {"user": user, "limit": limit})
    return [
        LoggedChange(
            when=row["time"],
            who=row["who"],
            why=row["why"],
            change=HomeChange(
                user=row["username"],
                before=home_of(row["before"]),
                after=home_of(row["after"]),
            ),
        )
        for row in rows
    ]


def _named(rows: Iterable[Row]) -> Iterator[tuple[str, Home]]:
    for row in rows:
        try:
            yield row["username"], read_row(row)
        except Wrong as error:
            raise Unavailable(f"the row of {row['username']!r}: {error.wrong}") from None
