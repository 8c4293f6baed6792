"""The ``sqlite`` backend: homes in an SQLite file, of our own making or of somebody else's.

Without ``home_query`` the file is made when it is missing, with these tables:

``homes``
    ``username`` and the columns of a home; ``referralctl home`` writes them.
``mailboxes``
    Which mailboxes are elsewhere, with ``mailboxes = true``.
``passwords``
    ``username``, ``scheme`` and ``hash``.
``history``
    Every change that was made through referrald: when, by whom, why, before and after.

With ``home_query`` the tables are the operator's, and are only read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from zope.interface import implementer

from referrald.backends.sql.backend import KeptBackend, SqlBackend
from referrald.backends.sql.options import (
    SHARED,
    is_own,
    plain_faults,
    queries_of,
    query_faults,
)
from referrald.backends.sql.parameters import values_for
from referrald.backends.sql.schema import SQLITE, check_version
from referrald.backends.sql.sqlitefile import SqliteFile
from referrald.backends.sql.sqliteopen import SqliteConnection, failing, refuse_foreign
from referrald.errors import Unavailable
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem, Server

ANYBODY = values_for("anybody@example.com") or {}


@implementer(IReferralBackendFactory, ICheckingFactory)
class SqliteFactory:
    """Makes backends over SQLite files."""

    name = "sqlite"
    help = (
        "An SQLite file: homes and passwords in tables of our own, or in those of another program."
    )
    options = (
        Option(
            name="database",
            kind="path",
            required=True,
            help="The file. Without `home_query` it is made when there is none.",
        ),
        *SHARED,
        Option(
            name="poll",
            kind="duration",
            default=0.5,
            minimum=0.1,
            help="How often to look whether the database has changed.",
        ),
        Option(
            name="threads",
            kind="integer",
            default=4,
            minimum=1,
            maximum=64,
            help="How many lookups are made at the same time.",
        ),
    )

    def build(self, options: Options, reactor: Any) -> SqlBackend:
        """Make a backend; it opens the file when it is started."""
        own = is_own(options)
        file = SqliteFile(
            options["database"],
            reactor,
            own=own,
            poll=options["poll"],
            threads=options["threads"],
        )
        kind = KeptBackend if own else SqlBackend
        return kind(file, queries_of(options), options["lowercase"])

    def check(self, options: Options) -> Sequence[Problem]:
        """List everything that is wrong; nothing is made or changed."""
        where = options["database"]
        found = list(plain_faults(options, where))
        return found or list(_file_faults(options, where))

    def targets(self, options: Options) -> Sequence[Server] | None:
        """Name every home server; None when it names none yet, or cannot be asked for them."""
        queries = queries_of(options)
        if not queries.targets:
            return None
        try:
            with _opened(options["database"]) as connection:
                return queries.find_targets(connection) or None
        except Unavailable:
            return None


@contextmanager
def _opened(path: str) -> Iterator[SqliteConnection]:
    """Open a file for a look at it; raises `Unavailable`."""
    connection = SqliteConnection(path, "ro")
    try:
        with failing(path):
            yield connection
    finally:
        connection.close()


def _file_faults(options: Options, path: str) -> Iterator[Problem]:
    if is_own(options) and not os.path.exists(path):
        folder = os.path.dirname(path)
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Problem(where=path, key="database", wrong=f"cannot be made in {folder}")
        return
    try:
        with _opened(path) as connection:
            if is_own(options):
                refuse_foreign(connection)
                check_version(connection.version() or 0, SQLITE)
                return
            connection.query("SELECT count(*) AS tables FROM sqlite_master")
    except Unavailable as error:
        yield Problem(where=path, key="database", wrong=str(error).removeprefix(f"{path}: "))
        return
    yield from query_faults(options, path, lambda query: _columns(path, query))


def _columns(path: str, query: str) -> Sequence[str]:
    try:
        with _opened(path) as connection:
            return connection.columns(query, ANYBODY)
    except Unavailable as error:
        raise Unavailable(str(error).removeprefix(f"{path}: ")) from None


factory = SqliteFactory()
