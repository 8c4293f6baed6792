"""Two whole servers in memory: a front door, and another one that has some of the mailboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from referrald.mailmodel import MailboxLocation, NewMessage, Replica
from referrald.model import Home, Security, Server
from referrald.realm import MailRealm
from referrald.relay.connector import RelayConnector
from referrald.relay.settings import RelaySettings
from referrald.routing.directory import Directory
from referrald.routing.locations import Locations
from referrald.routing.mailboxes import MailboxRouter, MailboxRouting
from referrald.store.memory import MemoryStore
from referrald.testing import MemoryBackend
from tests.client.net import Net
from tests.session.native import OTHER, Site, done
from tests.session.relaycase import Wire
from tests.session.support import House

SECOND = Server(host="s3.example", port=1143, security=Security.TLS)
BEYOND = {OTHER: "s2.example", SECOND: "s3.example"}


class Both:
    """bob has mail at a front door, at ``s2.example`` and at ``s3.example``."""

    def __init__(
        self, *contents: bytes, settings: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        self.net = Net()
        self.stores = {server: MemoryStore(clock=lambda: 1000.0) for server in BEYOND}
        self.houses = {
            server: House(realm=MailRealm(store, None, server), router=None)
            for server, store in self.stores.items()
        }
        self.sessions: list[Any] = []
        for server, house in self.houses.items():
            self.net.servers[server.host, server.port] = lambda house=house: self._connect(house)
        own = frozenset({("front.example", 143)})
        relay = RelaySettings(allowed=("*.example",), own=own, **settings or {})
        self.connector = RelayConnector(self.net.clock, relay, dial=self.net.dial)
        parts = {"errands": self.connector, "unasked": "relay"} | changes
        self.site = Site(*contents, **parts)

    def _connect(self, house: House) -> Any:
        session = house.factory.buildProtocol(None)
        self.sessions.append(session)
        return session

    def put(
        self,
        name: str,
        *places: Server,
        there: str = "",
        fill: Sequence[bytes] = (),
        subtree: bool = False,
    ) -> None:
        """Say that a mailbox is elsewhere, and have it there with messages."""
        there = there or name
        replicas = tuple(Replica(server=place, name=there) for place in places or (OTHER,))
        location = MailboxLocation(replicas=replicas)
        self.site.backend.set_mailbox("bob", name, location, subtree=subtree)
        for place in places or (OTHER,):
            self.fill(place, there, fill)

    def fill(
        self, server: Server, name: str, messages: Sequence[bytes] = (), user: str = "bob"
    ) -> None:
        """Have a mailbox with messages at another server."""
        account = done(self.stores[server].account(user))
        if name != "INBOX":
            done(account.create(name))
        done(account.append(name, [NewMessage(content=each) for each in messages]))

    def fill_more(self, name: str, *messages: bytes) -> None:
        """Have messages come to a mailbox of the other server."""
        account = done(self.stores[OTHER].account("bob"))
        done(account.append(name, [NewMessage(content=each) for each in messages]))

    def refer(self, server: Server, name: str, location: MailboxLocation) -> None:
        """Have another server say that a mailbox is elsewhere."""
        backend = MemoryBackend({"bob": Home()})
        backend.set_mailbox("bob", name, location)
        clock = self.net.clock
        routing = MailboxRouting()
        directory = Directory([("memory", backend)], clock=clock)
        routing.use(MailboxRouter(Locations([("memory", backend)], clock=clock), directory))
        realm = MailRealm(self.stores[server], routing, server)
        self.houses[server] = house = House(realm=realm, unasked="say")
        self.net.servers[server.host, server.port] = lambda: self._connect(house)

    def at(self, server: Server, name: str) -> list[bytes]:
        """Give the contents of a mailbox elsewhere."""
        return contents(self.stores[server], name)

    def here(self, name: str) -> list[bytes]:
        """Give the contents of a mailbox of the front door."""
        return contents(self.site.store, name)

    def log_in(self, *commands: bytes, user: bytes = b"bob") -> Wire:
        """Connect, log in, and say what is wished, which has to succeed."""
        wire = Wire(self.net, self.site.house)
        for command in (b"LOGIN %b secret" % user, *commands):
            answer = wire.say(b"a " + command)
            assert b"a OK" in answer, answer
        return wire


def contents(store: MemoryStore, name: str) -> list[bytes]:
    folder = done(done(store.account("bob")).open(name, False))
    return [done(folder.content(uid)) for uid in done(folder.state()).uids]
