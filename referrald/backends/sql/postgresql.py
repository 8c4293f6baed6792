"""The ``postgresql`` backend: homes in PostgreSQL, shared by any number of front doors.

Without ``home_query`` there are the same tables as with ``sqlite``, made at the start when they are
missing; their triggers tell who has changed. With it the tables are the operator's and are only
read; changes are told when something of theirs does ``NOTIFY`` on ``channel``, with the name of the
user, or nothing for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from zope.interface import implementer

from referrald.backends.servers import Wrong
from referrald.backends.sql.backend import KeptBackend, SqlBackend
from referrald.backends.sql.options import SHARED, is_own, plain_faults, queries_of
from referrald.backends.sql.parameters import check_parameters
from referrald.backends.sql.pgschema import CHANNEL
from referrald.interfaces import ICheckingFactory, IReferralBackendFactory
from referrald.model import Option, Options, Problem

QUERIES = ("home_query", "password_query", "targets_query", "mailboxes_query")


@implementer(IReferralBackendFactory, ICheckingFactory)
class PostgresqlFactory:
    """Makes backends over PostgreSQL."""

    name = "postgresql"
    help = (
        "A PostgreSQL database, in tables of our own or in those of another program. Needs "
        "`referrald[postgresql]`."
    )
    options = (
        Option(
            name="dsn",
            kind="secret",
            required=True,
            help="How to connect, as libpq has it: `host=… dbname=… user=… password=…`, or a URI.",
        ),
        Option(
            name="read_dsn",
            kind="secret",
            default="",
            help="Replicas to ask first, as libpq has several hosts: `host=a,b dbname=…`.",
        ),
        Option(
            name="lag",
            kind="duration",
            default=5.0,
            minimum=0,
            help="For so long after a change replicas are not asked.",
        ),
        Option(
            name="channel",
            kind="string",
            default="",
            help="With queries of your own: where changes are told with `NOTIFY`. Without it they "
            "are seen when what is cached has become too old.",
        ),
        *SHARED,
        Option(
            name="connections",
            kind="integer",
            default=4,
            minimum=1,
            maximum=64,
            help="How many lookups are made at the same time.",
        ),
    )

    def build(self, options: Options, reactor: Any) -> SqlBackend:
        """Make a backend; it connects when it is started."""
        from referrald.backends.sql.pgdatabase import PgDatabase

        own = is_own(options)
        database = PgDatabase(
            options["dsn"],
            reactor,
            own=own,
            channel=CHANNEL if own else options["channel"],
            threads=options["connections"],
            read_dsn=options["read_dsn"],
            lag=options["lag"],
        )
        kind = KeptBackend if own else SqlBackend
        return kind(database, queries_of(options), options["lowercase"])

    def check(self, options: Options) -> Sequence[Problem]:
        """List what is wrong without connecting: a reload must not wait for a database."""
        if find_spec("psycopg") is None:
            wrong = "needs psycopg, which is not installed"
            right = 'pip install "referrald[postgresql]"'
            return [Problem(where=self.name, key="type", wrong=wrong, right=right)]
        return list(plain_faults(options, self.name)) + list(_faults(options, self.name))


def _faults(options: Options, where: str) -> Iterator[Problem]:
    from referrald.backends.sql.pgconnection import parts_of

    for name, look in (
        *((key, parts_of) for key in ("dsn", "read_dsn") if options[key]),
        *((key, check_parameters) for key in QUERIES),
    ):
        try:
            look(options[name])
        except Wrong as error:
            yield Problem(where=where, key=name, wrong=error.wrong, right=error.right)
    if options["channel"] and is_own(options):
        wrong = "is for queries of your own"
        yield Problem(where=where, key="channel", wrong=wrong, right="leave it out")


factory = PostgresqlFactory()
