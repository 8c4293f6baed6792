"""A backend of one's own: homes in an SQLite database.

The database has a table ``homes`` with the columns ``user``, ``host``, ``port``, ``security`` and
``rank``. A row without a host says that the user's home is here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.enterprise.adbapi import ConnectionPool
from twisted.plugin import IPlugin
from zope.interface import implementer

from referrald.interfaces import (
    ICheckingFactory,
    ILifecycle,
    IReferralBackend,
    IReferralBackendFactory,
    ITargets,
)
from referrald.model import Home, Login, Option, Options, Problem, Security, Server

QUERY = "SELECT host, port, security FROM homes WHERE user = ? ORDER BY rank"
ALL = "SELECT DISTINCT host, port, security FROM homes"


@implementer(IReferralBackend, ILifecycle, ITargets)
class SqliteBackend:
    """Asks the database, in threads."""

    def __init__(self, database: str, reactor: Any) -> None:
        self.database = database
        self.reactor = reactor
        self.pool: Any = None

    async def start(self) -> None:
        """Open connections."""
        self.pool = ConnectionPool(
            "sqlite3", read_only(self.database), uri=True, check_same_thread=False,
            cp_reactor=self.reactor, cp_name="homes",
        )  # type: ignore[no-untyped-call]  # fmt: skip

    async def stop(self) -> None:
        """Close them."""
        self.pool.close()

    async def home(self, login: Login) -> Home | None:
        """Give the home of a user; None for one who is not in the table."""
        try:
            rows = await self.pool.runQuery(QUERY, (login.user,))
        except UnicodeEncodeError:
            return None  # no text, so nobody's name
        if not rows:
            return None
        return Home(servers=servers_of(rows))

    async def targets(self) -> Sequence[Server]:
        """Name every home server, for `referralctl check --live`."""
        return servers_of(await self.pool.runQuery(ALL))


def servers_of(rows: Iterable[tuple[str | None, int, str]]) -> tuple[Server, ...]:
    """Give the servers in rows of the table."""
    return tuple(
        Server(host=host, port=port, security=Security(security))
        for host, port, security in rows
        if host is not None
    )


def read_only(database: str) -> str:
    """Give the URI with which a database is opened, never made."""
    return f"{Path(database).as_uri()}?mode=ro"


@implementer(IPlugin, IReferralBackendFactory, ICheckingFactory)
class SqliteFactory:
    """Makes `SqliteBackend` objects of what stands in the configuration."""

    name = "my-sqlite"
    help = "Homes in the table `homes` of an SQLite database."
    options = (Option(name="database", kind="path", required=True, help="The database file."),)

    def check(self, options: Options) -> Sequence[Problem]:
        """Say what is wrong, before anything is started."""
        database = options["database"]
        try:
            connection = sqlite3.connect(read_only(database), uri=True)
            try:
                connection.execute(QUERY, ("",))
            finally:
                connection.close()
        except sqlite3.Error as error:
            return [Problem(where=database, key="database", wrong=str(error))]
        return []

    def build(self, options: Options, reactor: Any) -> SqliteBackend:
        """Make a backend; it opens the database when it is started."""
        return SqliteBackend(options["database"], reactor)


factory = SqliteFactory()
