"""Remote mailboxes in Redis: a list of rows for a user, for all of a domain, for everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from referrald.backends import mailboxrows
from referrald.backends.mailboxrows import EVERYBODY
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.mailboxtables import MailboxTables
from referrald.backends.redis.clients import Client
from referrald.backends.redis.keys import Keys, pattern_of
from referrald.backends.servers import Wrong, show
from referrald.errors import Unavailable
from referrald.model import Security, Server

LONGEST_ROW = 65_536
KNOWN = mailboxrows.COLUMNS - {"level"}

Row = dict[str, Any]


class RedisMailboxes:
    """Reads lists; ``security`` is that of a host whose row does not say."""

    def __init__(self, keys: Keys, security: Security | None) -> None:
        self._keys = keys
        self._security = security
        self._tables = MailboxTables()

    def table(self, client: Client, user: str) -> MailboxTable:
        """Give what is said to a user; raises `Unavailable`."""
        try:
            rows = sorted(self._rows(client, user), key=_exactness)
            return self._tables.table(rows, lambda: mailboxrows.read_table(rows, self._security))
        except Wrong as error:
            raise Unavailable(f"the mailboxes of {user!r}: {error.wrong}") from None

    def _rows(self, client: Client, user: str) -> Iterator[Row]:
        """Read the user's own rows, then the domain's, then everybody's; raises `Wrong`."""
        domain = user.partition("@")[2]
        audiences = (user, *([f"{EVERYBODY}@{domain}"] if domain else []), EVERYBODY)
        with client.pipeline(transaction=False) as pipe:
            for each in audiences:
                pipe.lrange(self._keys.mailboxes(each), 0, -1)
            for level, values in enumerate(pipe.execute()):
                for value in values:
                    yield _row(value) | {"level": level}

    def servers(self, client: Client) -> Iterator[Server]:
        """Name the servers in all lists; rows that nothing can be made of are passed over."""
        pattern = pattern_of(self._keys.mailboxes("").decode())
        for key in client.scan_iter(match=pattern, count=1_000, _type="list"):
            yield from mailboxrows.servers_in(_readable(client.lrange(key, 0, -1)), self._security)


def _exactness(row: Row) -> tuple[int, int, str]:
    """Give the order in which rows count: the longest pattern that fits is the most exact one."""
    name = str(row.get("mailbox") or "")
    return row["level"], -len(name), name


def _readable(values: Sequence[bytes]) -> Iterator[Row]:
    for value in values:
        try:
            yield _row(value)
        except Wrong:
            continue


def _row(value: bytes) -> Row:
    """Read a row; raises `Wrong`."""
    if len(value) > LONGEST_ROW:
        raise Wrong(f"a row has more than {LONGEST_ROW} bytes")
    try:
        row = json.loads(value)
    except (ValueError, RecursionError):
        raise Wrong("a row is no JSON") from None
    if not isinstance(row, dict):
        raise Wrong("a row is no JSON object")
    for name, each in row.items():
        if name not in KNOWN:
            raise Wrong(f'a row has "{show(name)}", which means nothing')
        if isinstance(each, list | dict):
            raise Wrong(f'"{show(name)}" of a row is neither text nor a number')
    return row
