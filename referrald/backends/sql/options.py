"""Options that backends over databases have in common, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from referrald.backends import mailboxrows
from referrald.backends.homerows import COLUMNS
from referrald.backends.rowoptions import LOWERCASE, SCHEME, SECURITY, WITHOUT_HOST
from referrald.backends.servers import Wrong
from referrald.backends.sql.parameters import check_parameters
from referrald.backends.sql.queries import (
    OWN_HOME,
    OWN_MAILBOX_TARGETS,
    OWN_MAILBOXES,
    Queries,
    check_columns,
)
from referrald.errors import Unavailable
from referrald.model import Option, Options, Problem, Security

HOME_QUERY = Option(
    name="home_query",
    kind="string",
    default="",
    help="A query of your own for the home of a user, with `:user`, `:local` (what stands before "
    "the `@`) and `:domain`. Without it tables of our own are used.",
)
PASSWORD_QUERY = Option(
    name="password_query",
    kind="string",
    default="",
    help="A query of your own that gives the column `password` of one user: a hash, maybe with "
    "`{SCHEME}` in front. Without it no passwords are checked by this backend.",
)
TARGETS_QUERY = Option(
    name="targets_query",
    kind="string",
    default="",
    help="A query of your own that gives every server once, in the same columns as `home_query`; "
    "for checks only.",
)
MAILBOXES = Option(
    name="mailboxes",
    kind="boolean",
    default=False,
    help="Say also which mailboxes are elsewhere, as the table `mailboxes` of our own has it.",
)
MAILBOXES_QUERY = Option(
    name="mailboxes_query",
    kind="string",
    default="",
    help="A query of your own for all mailboxes of a user that are elsewhere, those of everybody "
    "among them; with the same parameters as `home_query`.",
)
SHARED = (
    LOWERCASE, HOME_QUERY, PASSWORD_QUERY, TARGETS_QUERY, MAILBOXES, MAILBOXES_QUERY, SCHEME,
    SECURITY, WITHOUT_HOST,
)  # fmt: skip
OWN_ONLY = ("password_query", "targets_query", "mailboxes_query")
PLACE_COLUMNS = ("host", "servers", "closed")
PASSWORD_COLUMNS = frozenset(("password", "scheme", "hash"))

Columns = Callable[[str], Sequence[str]]
"""Names the columns that a query gives; raises `Unavailable` when it cannot be asked."""


def queries_of(options: Options) -> Queries:
    """Make the statements of checked options."""
    if not options["home_query"]:
        if not options["mailboxes"]:
            return Queries()
        return Queries(mailboxes=OWN_MAILBOXES, mailbox_targets=OWN_MAILBOX_TARGETS)
    security = options["security"]
    return Queries(
        home=options["home_query"],
        password=options["password_query"],
        targets=options["targets_query"],
        mailboxes=options["mailboxes_query"],
        security=None if security == "auto" else Security(security),
        nowhere_is_here=options["without_host"] == "here",
        scheme=options["scheme"],
    )


def plain_faults(options: Options, where: str) -> Iterator[Problem]:
    """List what is wrong with options by themselves."""
    if not options["home_query"]:
        for name in OWN_ONLY:
            if options[name]:
                yield Problem(
                    where=where, key=name, wrong="stands alone", right="give home_query too"
                )
    elif options["mailboxes"]:
        right = "give mailboxes_query in its place"
        yield Problem(where=where, key="mailboxes", wrong="is for tables of our own", right=right)
    if not options["scheme"] or not options["scheme"].isascii():
        yield Problem(
            where=where, key="scheme", wrong="cannot be used", right='such as "SHA512-CRYPT"'
        )


def query_faults(options: Options, where: str, columns: Columns) -> Iterator[Problem]:
    """List what is wrong with the queries; each is tried."""
    place = PLACE_COLUMNS if options["without_host"] == "unavailable" else ()
    for name, known, needed in (
        ("home_query", COLUMNS, place),
        ("password_query", PASSWORD_COLUMNS, ("password", "hash")),
        ("targets_query", COLUMNS, PLACE_COLUMNS),
        ("mailboxes_query", mailboxrows.COLUMNS, ("mailbox",)),
    ):
        query = options[name]
        if not query:
            continue
        try:
            check_parameters(query)
            check_columns(columns(query), known, needed)
        except Wrong as error:
            yield Problem(where=where, key=name, wrong=error.wrong, right=error.right)
        except Unavailable as error:
            yield Problem(where=where, key=name, wrong=str(error))


def is_own(options: Options) -> bool:
    """Tell whether the tables are ours."""
    return queries_of(options).home == OWN_HOME
