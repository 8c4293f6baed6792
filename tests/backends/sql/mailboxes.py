"""Remote mailboxes as rows, for the suites that run on databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from referrald.backends.mailboxrows import WRITTEN
from referrald.backends.serverwords import write_servers
from referrald.mailmodel import MailboxLocation
from referrald.testing import BackendContract
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes, each_of

NAMES = ("username", "mailbox", "rank", *WRITTEN)
INSERT = (
    f"INSERT INTO mailboxes ({', '.join(NAMES)}) VALUES ({', '.join(':' + name for name in NAMES)})"
)
DELETE = "DELETE FROM mailboxes WHERE username = :username AND mailbox = :mailbox"

Row = dict[str, Any]


def row(username: str, mailbox: str, **more: Any) -> Row:
    """Write one row."""
    rank = {"username": username, "mailbox": mailbox, "rank": 0}
    return dict.fromkeys(NAMES) | rank | more


def rows_of(user: str, name: str, location: MailboxLocation) -> Iterator[Row]:
    """Write a mailbox of a user."""
    common = {"moving": location.moving or None, "ttl": location.ttl}
    if not location.replicas:
        yield row(user, name, servers="here" if location.here else None, **common)
    for rank, replica in enumerate(location.replicas):
        yield row(
            user,
            name,
            rank=rank,
            servers=write_servers([replica.server]),
            remote_name=replica.name,
            remote_user=replica.user,
            auth=None if replica.auth == "*" else replica.auth,
            **common,
        )


def all_rows(mailboxes: Mailboxes) -> list[Row]:
    """Write all mailboxes of all users."""
    return [each for entry in each_of(mailboxes) for each in rows_of(*entry)]


async def put(backend: Any, rows: list[Row]) -> None:
    """Write rows in place of those of the same mailboxes."""

    def work(connection: Any) -> None:
        connection.many(DELETE, [{key: each[key] for key in NAMES[:2]} for each in rows])
        connection.many(INSERT, rows)

    await backend._database.write(work)


class MailboxesInRows(BackendContract):
    """Mix into the suite of a backend over tables of our own."""

    more_mailboxes = RICH_MAILBOXES
    more_options = {"mailboxes": True}

    async def make_mailbox_backend(self, mailboxes: Mailboxes) -> Any:
        backend = await self.make_backend({})
        await backend.start()
        await put(backend, all_rows(mailboxes))
        await backend.stop()
        return self.again()  # type: ignore[attr-defined]

    async def change_mailbox(
        self, backend: Any, user: str, name: str, location: MailboxLocation
    ) -> None:
        await put(backend, [*rows_of(user, name, location)])
