"""Remote mailboxes for the suites that run on tables."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

from referrald.backends.table import TableBackend, factory
from referrald.mailmodel import MailboxLocation, Replica
from referrald.model import Server
from referrald.testing import BackendContract
from referrald.testing.mailboxes import RICH_MAILBOXES, Mailboxes
from tests.backends.support import filled, replace, write


class MailboxesInTable(BackendContract):
    """Mix into the suite of a `TableBackend`: one entry for each mailbox."""

    more_mailboxes = RICH_MAILBOXES

    def make_mailbox_backend(self, mailboxes: Mailboxes) -> TableBackend:
        self.table = Path(self.mktemp())  # type: ignore[attr-defined]
        self.mailboxes_now = {user: dict(given) for user, given in mailboxes.items()}
        write(self.table, mailboxes_toml(self.mailboxes_now))
        return factory.build(filled(factory, file=str(self.table)), Clock())

    async def change_mailbox(
        self, backend: TableBackend, user: str, name: str, location: MailboxLocation
    ) -> None:
        self.mailboxes_now[user][name] = location
        replace(self.table, mailboxes_toml(self.mailboxes_now))
        await backend.reload()


def mailboxes_toml(mailboxes: Mailboxes) -> str:
    """Write mailboxes as a table has them."""
    lines: list[str] = []
    servers: dict[Server, str] = {}
    for user, boxes in mailboxes.items():
        for name, location in boxes.items():
            lines += ["[[mailboxes]]", f'match = "{name}"', f'for = ["{user}"]']
            if location.here:
                lines.append('server = "here"')
            replicas = [_replica(each, servers) for each in location.replicas]
            if replicas:
                lines.append(f"replicas = [{', '.join(replicas)}]")
            if location.moving:
                lines.append("moving = true")
            if location.ttl is not None:
                lines.append(f"ttl = {location.ttl}")
    for server, word in servers.items():
        lines += [f"[servers.{word}]", f'host = "{server.host}"', f"port = {server.port}"]
        lines.append(f'security = "{server.security.value}"')
    return "\n".join(lines)


def _replica(replica: Replica, servers: dict[Server, str]) -> str:
    word = servers.setdefault(replica.server, f"s{len(servers)}")
    user = "" if replica.user is None else f', user = "{replica.user}"'
    return f'{{ server = "{word}", name = "{replica.name}", auth = "{replica.auth}"{user} }}'
