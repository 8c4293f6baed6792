"""What a database is asked: by statements on tables of our own, or by the operator's queries."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from referrald.backends import mailboxrows
from referrald.backends.homerows import WRITTEN, read_rows
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.servers import Wrong
from referrald.backends.sql.connection import Connection, Row
from referrald.backends.storedpasswords import stored_password
from referrald.errors import Unavailable
from referrald.model import Home, Security, Server, StoredPassword

MAILBOX_COLUMNS = ", ".join(mailboxrows.WRITTEN)
OWN_MAILBOXES = (
    f"SELECT mailbox, {MAILBOX_COLUMNS}, "
    "CASE username WHEN :user THEN 0 WHEN '*' THEN 2 ELSE 1 END AS level FROM mailboxes "
    "WHERE username IN (:user, '*@' || :domain, '*') "
    "ORDER BY level, length(mailbox) DESC, mailbox, rank"
)
HOME_COLUMNS = ", ".join(WRITTEN)
OWN_HOME = f"SELECT {HOME_COLUMNS} FROM homes WHERE username = :user"
OWN_PASSWORD = "SELECT scheme, hash FROM passwords WHERE username = :user"


def _distinct(table: str, column: str) -> str:
    """Give the values of an indexed column, in a time that depends on their number alone."""
    return (
        f"WITH RECURSIVE found(x) AS (SELECT min({column}) FROM {table} UNION ALL "
        f"SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.x) FROM found "
        "WHERE found.x IS NOT NULL) SELECT x AS {0} FROM found WHERE x IS NOT NULL"
    ).format(column)


OWN_TARGETS = _distinct("homes", "servers")
OWN_MAILBOX_TARGETS = _distinct("mailboxes", "servers")
OWN_SCHEMES = _distinct("passwords", "scheme")
COUNT_SCHEME = "SELECT count(*) AS users, min(hash) AS hash FROM passwords WHERE scheme = :scheme"


@attrs.frozen(kw_only=True)
class Queries:
    """The statements, empty where there is none, and what their rows mean.

    security: of a host whose row does not say. nowhere_is_here: what a row without host means.
    scheme: of a hash that does not say. mailbox_targets: what names the servers of mailboxes.
    """

    home: str = OWN_HOME
    password: str = OWN_PASSWORD
    targets: str = OWN_TARGETS
    mailboxes: str = ""
    mailbox_targets: str = ""
    security: Security | None = None
    nowhere_is_here: bool = False
    scheme: str = "CRYPT"

    @property
    def own(self) -> bool:
        """True when the tables are ours."""
        return self.home == OWN_HOME

    def read_home(self, rows: Sequence[Row], user: str) -> Home | None:
        """Read what the query for a home gave; raises `Unavailable`."""
        if not rows:
            return None
        try:
            return read_rows(rows, security=self.security, nowhere_is_here=self.nowhere_is_here)
        except Wrong as error:
            raise Unavailable(f"the row of {user!r}: {error.wrong}") from None

    def read_password(self, rows: Sequence[Row], user: str) -> StoredPassword | None:
        """Read what the query for a password gave: one row; raises `Unavailable`."""
        if not rows:
            return None
        if len(rows) > 1:
            raise Unavailable(f"there are {len(rows)} passwords of {user!r}")
        row = rows[0]
        usual = str(row.get("scheme") or self.scheme)
        return stored_password(row.get("hash") or row.get("password"), usual)

    def read_mailboxes(self, rows: Sequence[Row], user: str) -> MailboxTable:
        """Read what the query for mailboxes gave; raises `Unavailable`."""
        try:
            return mailboxrows.read_table(rows, self.security)
        except Wrong as error:
            raise Unavailable(f"the mailboxes of {user!r}: {error.wrong}") from None

    def find_targets(self, connection: Connection) -> list[Server]:
        """Name all servers of homes and mailboxes."""
        found = dict.fromkeys(self._read_targets(connection.query(self.targets)))
        if self.mailbox_targets:
            rows = connection.query(self.mailbox_targets)
            found.update(dict.fromkeys(mailboxrows.servers_in(rows, self.security)))
        return list(found)

    def _read_targets(self, rows: Sequence[Row]) -> list[Server]:
        """Read which servers there are; rows that no home can be made of are passed over."""
        found: dict[Server, None] = {}
        for row in rows:
            try:
                home = read_rows([row], security=self.security, nowhere_is_here=True)
            except Wrong:
                continue
            found.update(dict.fromkeys(home.servers))
        return list(found)


def password_samples(connection: Connection) -> list[StoredPassword]:
    """Give a password of each scheme in our tables, the most used scheme first."""
    found: list[tuple[int, StoredPassword]] = []
    for row in connection.query(OWN_SCHEMES):
        (counted,) = connection.query(COUNT_SCHEME, {"scheme": row["scheme"]})
        stored = stored_password(counted["hash"], row["scheme"])
        if stored is not None:
            found.append((counted["users"], stored))
    return [stored for _, stored in sorted(found, key=lambda each: -each[0])]


def check_columns(columns: Sequence[str], known: Collection[str], needed: Sequence[str]) -> None:
    """Raise `Wrong` when the columns of a query's result are not what is understood.

    needed: one of them has to be there, if there are any.
    """
    for column in columns:
        if column not in known:
            raise Wrong(
                f'gives a column "{column}"', f"name it with AS: {', '.join(sorted(known))}"
            )
    if needed and not any(column in columns for column in needed):
        raise Wrong("does not give what is needed", f"a column {' or '.join(needed)}")
