"""A front door that relays into a network in memory, and clients of it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Decision, How, Login, Refer, Server
from referrald.relay.connector import RelayConnector
from referrald.relay.settings import RelaySettings
from referrald.session.choosing import Choosing, NetworkRule
from referrald.session.programs import Programs
from tests.client.net import Net, Pipe, Scripted
from tests.session.support import House

HOME, SECOND = Server(host="home.example"), Server(host="second.example")
HELLO = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi"
IN = b"%b OK [CAPABILITY IMAP4rev1 IDLE XHOME] in"
LOGIN = b"LOGIN alice secret"
AWAY = Refer(url="imap://al;AUTH=*@home.example/", server=HOME, servers=(HOME, SECOND), user="al")


class Wire:
    """A client of the front door, over a pipe that the net delivers."""

    def __init__(self, net: Net, house: House) -> None:
        self.net = net
        self.seen = b""
        self.lost = False
        self.session = house.factory.buildProtocol(None)
        theirs, self.ours = Pipe(net._queue), Pipe(net._queue)
        theirs.other, self.ours.other = self, self.session
        theirs.secure = True
        theirs.protocol = self.session  # type: ignore[attr-defined]
        self.transport = theirs
        self.session.makeConnection(theirs)
        self.say(b"")

    def dataReceived(self, data: bytes) -> None:
        self.seen += data

    def connectionLost(self, reason: Any) -> None:
        self.lost = True

    def say(self, *lines: bytes, wait: float = 2.0) -> bytes:
        """Send lines and give all that has come since."""
        self.seen = b""
        for line in lines:
            if line:
                self.ours.write(line + b"\r\n")
        for _ in range(int(wait / 0.01)):
            self.net.run()
            self.net.clock.advance(0.01)
        return self.seen

    def ask(self, line: bytes) -> list[bytes]:
        """Send a command, and give the lines of its answer."""
        return self.say(line).split(b"\r\n")[:-1]


class Decided:
    """A router that always says the same."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.sent_away: list[tuple[str, str]] = []

    async def route(self, login: Login) -> Decision:
        return self.decision

    def note_referred(self, user: str, peer: str, name: str = "") -> None:
        self.sent_away.append((user, peer))

    def came_back(self, user: str, peer: str) -> bool:
        return (user, peer) in self.sent_away

    def sent_away_as(self, name: str, peer: str) -> str:
        return ""


class RelayCase(SynchronousTestCase):
    how: How = "relay"
    follow: tuple[str, ...] = ()
    rules: tuple[NetworkRule, ...] = ()

    def setUp(self) -> None:
        self.net = Net()
        self.made: list[Scripted] = []
        self.decision: Decision = AWAY
        self.settings = RelaySettings(allowed=("*.example",))

    def serve(self, host: str, greeting: bytes = HELLO, **answers: bytes) -> None:
        def make() -> Scripted:
            given = {name.upper().encode(): answer for name, answer in answers.items()}
            self.made.append(Scripted(greeting, {b"AUTHENTICATE": IN, **given}))
            return self.made[-1]

        self.net.servers[host, 143] = make

    def connect(self, **changes: Any) -> Wire:
        made = RelayConnector(self.net.clock, self.settings, dial=self.net.dial)
        relay = changes.pop("relay", made)
        follow = Programs(self.follow)
        choosing = Choosing(how=self.how, rules=self.rules, follow=follow)
        router = Decided(self.decision)
        self.house = House(router=router, relay=relay, choosing=choosing, **changes)
        self.router = router
        return Wire(self.net, self.house)

    def results(self) -> list[tuple[str, str]]:
        return [(event.result, event.target) for event in self.house.logins]
