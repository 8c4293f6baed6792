"""A house over the real realm, routing and store in memory, as the server puts them together."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from referrald.mailmodel import MailboxLocation, NewMessage, Replica
from referrald.model import Home, Security, Server
from referrald.realm import MailRealm
from referrald.routing.directory import Directory
from referrald.routing.locations import Locations
from referrald.routing.mailboxes import MailboxRouter, MailboxRouting
from referrald.routing.policy import PolicySettings
from referrald.store.memory import MemoryStore
from referrald.store.sharedtrees import Prefixes
from referrald.store.sharing import SharingStore
from referrald.storing import open_to_all
from referrald.testing import MemoryBackend
from tests.session.support import Client, House

OWN = Server(host="front.example")
OTHER = Server(host="s2.example", port=1143, security=Security.TLS)


def done(work: Any) -> Any:
    """Give the result of what does not have to wait."""
    found: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(found.append)
    return found[0]


class Site:
    """bob lives here; ``carol`` lives elsewhere, and may read what is public here."""

    def __init__(
        self,
        *contents: bytes,
        public: str = "Public",
        others: str = "",
        pauses: bool = False,
        **changes: Any,
    ) -> None:
        self.clock = Clock()
        homes = {"bob": Home(), "carol": Home(servers=(OTHER,), public_here=True)}
        self.backend = MemoryBackend(homes)
        backends = [("memory", self.backend)]
        self.directory = Directory(backends, clock=self.clock)
        self.locations = Locations(backends, clock=self.clock)
        self.router = MailboxRouter(
            self.locations,
            self.directory,
            PolicySettings(own_names=frozenset({("front.example", 143)})),
            public=public,
        )
        self.routing = MailboxRouting()
        self.routing.use(self.router)
        self.backend.watch(self._changed)
        reactor = self.clock if pauses else None
        self.store: Any = MemoryStore(clock=lambda: 1000.0, reactor=reactor)
        if public or others:
            prefixes = Prefixes(public=public, others=others)
            self.store = SharingStore(self.store, open_to_all(), prefixes)
        # Tests change what this account does; it is to be the same for sessions.
        self.account = done(self.store.account("bob"))
        self.house = House(realm=MailRealm(self.store, self.routing, OWN), **changes)
        self.fill("INBOX", *contents)

    def _changed(self, user: str | None) -> None:
        self.directory.forget(user)
        self.router.forget(user)
        self.routing.changed(user)

    def fill(self, name: str, *contents: bytes, user: str = "bob") -> None:
        """Put messages into a mailbox, in place of those that are there.

        None of them is ``\\Recent``: somebody has seen them before.
        """
        account = done(self.store.account(user))
        folder = done(account.open(name, True))
        uids = done(folder.state()).uids
        done(folder.store(uids, ["\\Deleted"], 1))
        done(folder.expunge())
        done(account.append(name, [NewMessage(content=content) for content in contents]))
        done(folder.recent_from(done(folder.state()).uid_next - 1))

    def put_elsewhere(self, name: str, there: str = "", user: str = "bob") -> None:
        """Say that a mailbox is at the other server."""
        replica = Replica(server=OTHER, name=there or name)
        self.backend.set_mailbox(user, name, MailboxLocation(replicas=(replica,)))

    def log_in(self, *commands: bytes, user: bytes = b"bob") -> Client:
        """Connect and log in, then say what is wished."""
        client = self.house.connect()
        for command in (b"LOGIN %b secret" % user, *commands):
            answer = client.say(b"a " + command + b"\r\n")
            assert b"a OK" in answer, answer
        return client
