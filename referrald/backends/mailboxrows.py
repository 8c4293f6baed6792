"""Remote mailboxes as rows of columns: what a database has of them.

A row is what an entry of ``[[mailboxes]]`` is in a table (`referrald.backends.table`). Columns, all
of which but the first may be absent or NULL:

``mailbox``
    a name, a subtree (``Shared/``) or a pattern, as ``match`` there
``servers``, or ``host`` with ``port``, ``security`` and ``tls``
    as for homes; ``here`` for an exception. Without any, and not ``moving``, the row is a name
    below a subtree of another row, for lists
``remote_name``, ``remote_user``, ``delimiter``, ``auth``
    what goes with the servers: ``name``, ``user``, ``delimiter`` and ``auth`` there
``attributes``
    with spaces between them
``subscribed``, ``selectable``, ``moving``, ``ttl``
    as there
``level``
    rows of one mailbox and level that stand together are replicas, in order of preference; of
    several levels, or of rows that do not stand together, the first counts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from referrald.backends.homerows import is_absent, read_flag, read_place, read_word
from referrald.backends.homespec import Faults
from referrald.backends.mailboxnames import DELIMITER, LONGEST_NAME
from referrald.backends.mailboxspec import MailboxReader
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.servers import Wrong, show
from referrald.backends.serverwords import HERE, read_servers, write_servers
from referrald.model import Security, Server

WRITTEN = (
    "servers", "remote_name", "remote_user", "delimiter", "auth", "attributes", "subscribed",
    "selectable", "moving", "ttl",
)  # fmt: skip
COLUMNS = frozenset((*WRITTEN, "mailbox", "level", "host", "port", "security", "tls"))

LONGEST_LIST = 8_192
EVERYBODY = "*"

Row = Mapping[str, Any]
Entry = dict[str, Any]


def is_for_many(username: str) -> bool:
    """Tell whether rows with that name of a user are for more than one: ``*``, ``*@domain``."""
    return username.startswith(EVERYBODY)


class _Servers:
    """Reads servers as columns have them."""

    def servers(self, value: object) -> tuple[Server, ...]:
        words = value if isinstance(value, list) else [value]
        return read_servers(",".join(map(str, words)))


def read_table(rows: Sequence[Row], security: Security | None = None) -> MailboxTable:
    """Make of the rows of a user what can be asked; raises `Wrong`.

    security: of a host whose row does not say.
    """
    reader = MailboxReader(_Servers(), str)
    said = []
    for entry in _entries(rows, security):
        try:
            said.append(reader.read(entry))
        except Faults as error:
            key, fault = error.faults[0]
            raise Wrong(f'"{show(entry["match"])}": {key} {fault.wrong}', fault.right) from None
    return MailboxTable(said)


def _entries(rows: Sequence[Row], security: Security | None) -> list[Entry]:
    """Give one entry for each mailbox, and put names below subtrees into those of the subtrees."""
    entries: dict[str, Entry] = {}
    below: dict[str, Row] = {}
    for (name, _), group in groupby(rows, lambda row: (_mailbox(row), row.get("level"))):
        if name in entries or name in below:
            continue
        each = list(group)
        try:
            if _is_below(each[0]):
                below[name] = each[0]
            else:
                entries[name] = _entry(name, each, security)
        except Wrong as error:
            raise Wrong(f'"{show(name)}": {error.wrong}', error.right) from None
    for name, row in below.items():
        _put_below(name, row, entries)
    return list(entries.values())


def _mailbox(row: Row) -> str:
    name = read_word(row, "mailbox", LONGEST_NAME)
    if name is None:
        raise Wrong("a row has no mailbox")
    return name


def _is_below(row: Row) -> bool:
    has_place = not (is_absent(row.get("servers")) and is_absent(row.get("host")))
    return not has_place and not read_flag(row, "moving")


def _entry(name: str, rows: Sequence[Row], security: Security | None) -> Entry:
    first = rows[0]
    entry: Entry = {"match": name} | dict(_listed(first))
    if read_flag(first, "moving"):
        entry["moving"] = True
    if not is_absent(first.get("selectable")) and not read_flag(first, "selectable"):
        entry["selectable"] = False
    if not is_absent(first.get("ttl")):
        entry["ttl"] = _seconds(first["ttl"])
    places = [place for row in rows if (place := dict(_place(row, security)))]
    if len(places) > 1:
        return entry | {"replicas": places}
    return entry | (places[0] if places else {})


def _listed(row: Row) -> Iterator[tuple[str, Any]]:
    words = read_word(row, "attributes", LONGEST_LIST)
    if words is not None:
        yield "attributes", words.split()
    if read_flag(row, "subscribed"):
        yield "subscribed", True


def _place(row: Row, security: Security | None) -> Iterator[tuple[str, Any]]:
    """Give the servers of a row with what goes with them; nothing where it names none."""
    if not is_absent(row.get("servers")) or not is_absent(row.get("host")):
        servers = write_servers(read_place(row, security))
        yield "server", HERE if servers == HERE else servers.split(",")
    for key, column in (
        ("name", "remote_name"),
        ("user", "remote_user"),
        ("delimiter", "delimiter"),
        ("auth", "auth"),
    ):
        value = read_word(row, column, LONGEST_NAME)
        if value is not None:
            yield key, value


def _put_below(name: str, row: Row, entries: Mapping[str, Entry]) -> None:
    """Name a mailbox in the list of the subtree that it is in; raises `Wrong` without any."""
    for at in _above(name):
        subtree = entries.get(at + DELIMITER) or entries.get(at + DELIMITER + "*")
        if subtree is not None:
            folder = {"name": name[len(at) + 1 :]} | dict(_listed(row))
            subtree.setdefault("folders", []).append(folder)
            return
    raise Wrong(f'"{show(name)}": has no server, and is below no subtree', "give it a server")


def _above(name: str) -> Iterator[str]:
    end = name.rfind(DELIMITER)
    while end > 0:
        yield name[:end]
        end = name.rfind(DELIMITER, 0, end)


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Wrong("ttl is not a time", "seconds, 0 or more") from None


def servers_in(rows: Iterable[Row], security: Security | None = None) -> Iterator[Server]:
    """Name the servers in rows; those that nothing can be made of are passed over."""
    for row in rows:
        try:
            yield from read_place(row, security)
        except Wrong:
            continue
