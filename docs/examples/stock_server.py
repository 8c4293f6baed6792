"""Twisted's own IMAP4Server over a mail store of referrald, where some mailboxes are elsewhere.

Run it with ``python stock_server.py`` and log in as ``alice`` with the password ``secret``. It
listens on loopback only, because it takes passwords in the clear.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.mail.imap4 import IMAP4Server
from zope.interface import implementer

from referrald.interfaces import IMailboxReferralBackend, IReferralBackend
from referrald.mailmodel import MailboxLocation, RemoteMailbox, Replica
from referrald.model import Home, Login, Server
from referrald.realm import MailRealm
from referrald.routing.directory import Directory
from referrald.routing.locations import Locations
from referrald.routing.mailboxes import MailboxRouter, MailboxRouting
from referrald.store.memory import MemoryStore

ELSEWHERE = {"Archive": Server(host="archive.example.com")}


@implementer(IReferralBackend, IMailboxReferralBackend)
class Table:
    """Everybody lives here; the mailboxes of the table, and what is below them, do not."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self.servers = servers

    async def home(self, login: Login) -> Home | None:
        """Give this server."""
        return Home()

    async def mailbox(self, user: str, name: str) -> MailboxLocation | None:
        """Look the first level of the name up."""
        server = self.servers.get(name.partition("/")[0])
        if server is None:
            return None
        return MailboxLocation(replicas=(Replica(server=server, name=name),))

    async def remote_mailboxes(self, user: str) -> Sequence[RemoteMailbox]:
        """Give the whole table."""
        return [
            RemoteMailbox(
                name=name,
                location=MailboxLocation(replicas=(Replica(server=server, name=name),)),
                subtree=True,
            )
            for name, server in self.servers.items()
        ]


def mail_realm(reactor: Any, own: Server) -> MailRealm:
    """Put store and routing together."""
    backends = [("table", Table(ELSEWHERE))]
    routing = MailboxRouting()
    routing.use(
        MailboxRouter(
            Locations(backends, clock=reactor),
            Directory(backends, clock=reactor),
        )
    )
    return MailRealm(MemoryStore(), routing, own)


class StockFactory(Factory):
    """Makes stock servers, with a portal over the realm."""

    def __init__(self, reactor: Any) -> None:
        realm = mail_realm(reactor, Server(host="localhost", port=1143))
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.portal = Portal(realm, [checker])

    def buildProtocol(self, addr: Any) -> Any:
        """Make a server for a connection."""
        server: Any = IMAP4Server()  # type: ignore[no-untyped-call]
        server.factory = self
        server.portal = self.portal
        return server


def main(reactor: Any, where: str = "tcp:1143:interface=127.0.0.1") -> Deferred[Any]:
    """Listen until the program is stopped; ``where`` is an endpoint description."""
    endpoint: Any = serverFromString(reactor, where)  # type: ignore[no-untyped-call]
    listening: Deferred[Any] = endpoint.listen(StockFactory(reactor))
    return listening.addCallback(lambda _port: Deferred())


if __name__ == "__main__":
    react(main, sys.argv[1:])
