"""Changes to tables of our own: all users of a change in one transaction, and in the history."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs

from referrald.backends.changing import (
    Homeless,
    Homes,
    changes_between,
    check_all_known,
    checked_homes,
)
from referrald.backends.homerows import WRITTEN, read_row, write_row
from referrald.backends.servers import Wrong
from referrald.backends.sql.connection import Connection, Row
from referrald.backends.sql.queries import HOME_COLUMNS
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

Work = Callable[[Connection], list[HomeChange]]


@attrs.frozen(kw_only=True)
class Writer:
    """Makes of each change a function that does it, given a connection within a transaction.

    fold: makes of a user's name the one in the tables.
    """

    fold: Callable[[str], str]
    now: Callable[[], float] = time.time

    def set_home(self, homes: Homes, occasion: Occasion) -> Work:
        """Give users homes. Raises `NotPossible` for names that nobody can have."""
        after = self._checked(homes)

        def work(connection: Connection) -> list[HomeChange]:
            before = homes_of(connection, after)
            return self._do(connection, before, after, occasion)

        return work

    def import_(self, homes: Homes, occasion: Occasion) -> Work:
        """Know these users and no others. Raises `NotPossible`."""
        wanted = self._checked(homes)

        def work(connection: Connection) -> list[HomeChange]:
            before = dict(_named(connection.query(ALL_HOMES)))
            after: dict[str, Home | None] = dict(wanted)
            after |= dict.fromkeys(before.keys() - wanted.keys())
            return self._do(connection, before, after, occasion)

        return work

    def remove(self, users: Sequence[str], occasion: Occasion) -> Work:
        """Forget users, who have to be there."""
        return self._each(users, lambda home: None, occasion)

    def hold(self, users: Sequence[str], held: bool, occasion: Occasion) -> Work:
        """Hold users, or let them go; they have to be there."""
        return self._each(users, lambda home: attrs.evolve(home, held=held), occasion)

    def _each(
        self, users: Sequence[str], change: Callable[[Home], Home | None], occasion: Occasion
    ) -> Work:
        names = list(dict.fromkeys(map(self.fold, users)))

        def work(connection: Connection) -> list[HomeChange]:
            before = homes_of(connection, names)
            check_all_known(names, before)
            after = {name: change(before[name]) for name in names}
            return self._do(connection, before, after, occasion)

        return work

    def _checked(self, homes: Homes) -> dict[str, Home]:
        return checked_homes(homes, fold=self.fold, kept=lambda home: read_row(write_row(home)))

    def _do(
        self,
        connection: Connection,
        before: Homes,
        after: Homeless,
        occasion: Occasion,
    ) -> list[HomeChange]:
        changes = changes_between(before, after)
        if changes and not occasion.dry_run:
            _write(connection, changes)
            connection.many(LOG, _log_rows(changes, occasion, self.now()))
        return changes


def _write(connection: Connection, changes: Sequence[HomeChange]) -> None:
    gone = [{"username": each.user} for each in changes if each.after is None]
    if gone:
        connection.many(DELETE, gone)
    there = [
        {"username": each.user, **write_row(each.after)}
        for each in changes
        if each.after is not None
    ]
    if there:
        connection.many(PUT, there)


def _log_rows(
    changes: Iterable[HomeChange], occasion: Occasion, now: float
) -> Iterator[dict[str, Any]]:
    for each in changes:
        yield {
            "time": now,
            "who": occasion.who,
            "why": occasion.why,
            "username": each.user,
            "before": _written(each.before),
            "after": _written(each.after),
        }


def _written(home: Home | None) -> str | None:
    if home is None:
        return None
    row = {key: value for key, value in write_row(home).items() if value is not None}
    return json.dumps(row, ensure_ascii=False)


def homes_of(connection: Connection, users: Iterable[str]) -> dict[str, Home]:
    """Give the homes of those users who have one."""
    names = list(users)
    found: dict[str, Home] = {}
    for start in range(0, len(names), AT_ONCE):
        values = {f"u{number}": name for number, name in enumerate(names[start : start + AT_ONCE])}
        places = ", ".join(f":{key}" for key in values)
        rows = connection.query(f"{ALL_HOMES} WHERE username IN ({places})", values)
        found.update(_named(rows))
    return found


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
                before=_remembered(row["before"]),
                after=_remembered(row["after"]),
            ),
        )
        for row in rows
    ]


def _remembered(text: str | None) -> Home | None:
    return None if text is None else read_row(json.loads(text))


def _named(rows: Iterable[Row]) -> Iterator[tuple[str, Home]]:
    for row in rows:
        try:
            yield row["username"], read_row(row)
        except Wrong as error:
            raise Unavailable(f"the row of {row['username']!r}: {error.wrong}") from None
