"""Homes as rows of columns: what a database, a CSV file and a JSON list have of a user.

Columns, all of which may be absent or NULL where nothing is required:

``servers``
    the servers as `referrald.backends.serverwords` has them, or ``here``
``host``, ``port``, ``security``, ``tls``, ``weight``
    one server, in place of ``servers``; several rows are several servers in order of preference
``name`` (or ``user``, ``destuser``)
    the name to use there
``auth``, ``public_here``, ``login``, ``spread``, ``closed``, ``held``, ``ttl``
    as in the table backend
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from referrald.backends.homespec import read_auth, read_login, read_text, read_ttl
from referrald.backends.servers import Wrong, make_server, port_number, show
from referrald.backends.serverwords import HERE, read_servers, read_weight, write_servers
from referrald.model import Home, Security, Server

WRITTEN = (
    "servers", "name", "auth", "public_here", "login", "spread", "closed", "held", "ttl",
)  # fmt: skip
NAMES = ("name", "user", "destuser")
PLACE = ("host", "port", "security", "tls", "weight")
COLUMNS = frozenset((*WRITTEN, *NAMES, *PLACE))

LONGEST_TEXT = 1_000
_YES = frozenset(("1", "t", "true", "y", "yes", "on"))
_NO = frozenset(("0", "f", "false", "n", "no", "off"))

Row = Mapping[str, Any]


def write_row(home: Home) -> dict[str, Any]:
    """Write a home as a row; what has its default is None."""
    return {
        "servers": write_servers(home.servers),
        "name": home.user,
        "auth": None if home.auth == "*" else home.auth,
        "public_here": home.public_here or None,
        "login": home.how,
        "spread": home.spread or None,
        "closed": home.closed,
        "held": home.held or None,
        "ttl": home.ttl,
    }


def read_row(row: Row, *, security: Security | None = None, nowhere_is_here: bool = False) -> Home:
    """Read a row; raises `Wrong`.

    security: of a host whose row does not say. nowhere_is_here: what a row without a host means;
    else it is wrong.
    """
    return read_rows([row], security=security, nowhere_is_here=nowhere_is_here)


def read_rows(
    rows: Sequence[Row], *, security: Security | None = None, nowhere_is_here: bool = False
) -> Home:
    """Read the rows of one user, a server each; all but the servers counts in the first one."""
    first = rows[0]
    closed = read_word(first, "closed", LONGEST_TEXT)
    servers = _servers(rows, security, nowhere_is_here or closed is not None)
    return Home(
        servers=servers,
        user=_name(first) if servers else None,
        auth=_read(first, "auth", read_auth, "*"),
        public_here=read_flag(first, "public_here"),
        closed=closed,
        held=read_flag(first, "held"),
        ttl=_read(first, "ttl", _seconds, None),
        how=_read(first, "login", read_login, None),
        spread=read_flag(first, "spread"),
    )


def _servers(
    rows: Sequence[Row], security: Security | None, nowhere_is_here: bool
) -> tuple[Server, ...]:
    found: list[Server] = []
    for row in rows:
        found += read_place(row, security, nowhere_is_here)
    if len({(server.host, server.port) for server in found}) < len(found):
        raise Wrong("has a server twice")
    return tuple(found)


def read_place(
    row: Row, security: Security | None = None, nowhere_is_here: bool = False
) -> tuple[Server, ...]:
    """Read the servers of one row; raises `Wrong`."""
    words = read_word(row, "servers", 8_192)
    if words is not None:
        return read_servers(words)
    host = read_word(row, "host")
    if host == HERE or (host is None and nowhere_is_here):
        return ()
    if host is None:
        raise Wrong("has no host")
    port = row.get("port")
    number = None if is_absent(port) else port_number(str(port))
    weight = row.get("weight")
    return (
        make_server(
            host,
            number,
            _security(row, security),
            1 if is_absent(weight) else read_weight(str(weight)),
        ),
    )


def _security(row: Row, usual: Security | None) -> Security | None:
    word = read_word(row, "security")
    if word is not None:
        try:
            return Security(word.lower())
        except ValueError:
            raise Wrong(f'"{show(word)}" is no kind of security') from None
    tls = row.get("tls")
    if isinstance(tls, str) and tls.strip().lower() == Security.STARTTLS.value:
        return Security.STARTTLS
    return Security.TLS if read_flag(row, "tls") else usual


def _name(row: Row) -> str | None:
    for column in NAMES:
        name = read_word(row, column)
        if name is not None:
            return name
    return None


def is_absent(value: Any) -> bool:
    """Tell whether a column has nothing in it."""
    return value is None or value == ""


def _read(row: Row, column: str, reader: Callable[[Any], Any], usual: Any) -> Any:
    value = row.get(column)
    if is_absent(value):
        return usual
    try:
        return reader(value)
    except Wrong as error:
        raise Wrong(f"{column} {error.wrong}", error.right) from None


def read_word(row: Row, column: str, longest: int = 255) -> str | None:
    """Read a column with a line of text of that many bytes or fewer; raises `Wrong`."""
    text: str | None = _read(row, column, lambda value: read_text(value, longest), None)
    return text


def read_flag(row: Row, column: str) -> bool:
    """Read a column that says yes or no; raises `Wrong`."""
    flag: bool = _read(row, column, _yes, False)
    return flag


def _yes(value: Any) -> bool:
    """Read a flag as databases and spreadsheets have it."""
    word = str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Wrong("is neither yes nor no", "1 or 0, true or false")


def _seconds(value: Any) -> float:
    try:
        return read_ttl(float(value))
    except (TypeError, ValueError):
        raise Wrong("is not a time", "seconds, 0 or more") from None
