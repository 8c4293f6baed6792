"""A front door without passwords: home servers in memory, one clock, real authentication."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.auth.authenticator import Authenticator
from referrald.model import Home, How, Limits, Server
from referrald.relay.connector import RelayConnector
from referrald.relay.refusals import Refusals
from referrald.relay.settings import RelaySettings
from referrald.routing.directory import Directory, DirectorySettings
from referrald.routing.guard import StormBreaker
from referrald.routing.policy import PolicySettings
from referrald.routing.router import Router
from referrald.session.choosing import Choosing
from referrald.testing import MemoryBackend
from tests.client.net import Net, Scripted
from tests.session.relaycase import Wire
from tests.session.support import ExactWheel, House

HOME, SECOND = Server(host="home.example"), Server(host="second.example")
GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=OAUTHBEARER SASL-IR] hi"
IN = b"%b OK [CAPABILITY IMAP4rev1 IDLE XHOME] in"
NO = b"%b NO [AUTHENTICATIONFAILED] no such user, or the password is wrong"
FAILURE_DELAY = 2.0


class HomeServer(Scripted):
    """Knows al's password and token; ``root`` may act as al. slow: seconds that it takes to say no.

    told: is given what it sees, in the order of all that happens.
    """

    def __init__(self, net: Net, told: list[str], *, slow: float, greeting: bytes) -> None:
        super().__init__(greeting)
        self.clock = net.clock
        self.told = told
        self.slow = slow
        self.password = b"secret"
        self.refusal = NO

    def dataReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            tag, name, *arguments = line.split(b" ")
            self.told.append(f"home: {name.decode()}")
            if name == b"AUTHENTICATE":
                self.seen.append(b" ".join(line.split(b" ")[1:]))
                self.judge(tag, *arguments)
            else:
                super().dataReceived(line + b"\r\n")

    def judge(self, tag: bytes, mechanism: bytes, initial: bytes) -> None:
        """Let in, or say no after a while."""
        said = b64decode(initial)
        good = {
            b"\0al\0" + self.password, b"al\0root\0top", b"al\0\xc3\xa4\0top",
            b"n,a=al,\x01auth=Bearer t0ken\x01\x01",
        }  # fmt: skip
        if said in good:
            self.transport.write(IN.replace(b"%b", tag) + b"\r\n")
        elif self.refusal:
            answer = self.refusal.replace(b"%b", tag) + b"\r\n"
            self.clock.callLater(self.slow, self.transport.write, answer)


class AtHomeCase(SynchronousTestCase):
    """alice lives at home.example as ``al``, bob here; nobody's password is known here."""

    how: How = "refer"
    settings = RelaySettings(allowed=("*.example",))

    def setUp(self) -> None:
        self.net = Net()
        self.clock = self.net.clock
        self.told: list[str] = []
        self.homes: list[HomeServer] = []
        self.backend = MemoryBackend({"alice": self.at(HOME), "bob": Home()})

    def at(self, *servers: Server, **fields: Any) -> Home:
        return Home(servers=servers, user="al", **fields)

    def serve(
        self, host: str = "home.example", *, slow: float = 0.0, greeting: bytes = GREETING,
        refusal: bytes = NO, password: bytes = b"secret",
    ) -> None:  # fmt: skip
        """Have a home server that takes such a time to refuse."""

        def make() -> HomeServer:
            made = HomeServer(self.net, self.told, slow=slow, greeting=greeting)
            made.refusal, made.password = refusal, password
            self.homes.append(made)
            return made

        self.net.servers[host, 143] = make

    def open_house(self, *checkers: Any, limits: Limits | None = None, **auth: Any) -> House:
        """Put the front door together, as the assembly does."""
        clock = self.clock
        self.breaker = StormBreaker(clock=clock.seconds, count=2)
        policy = PolicySettings(allowed=("*.example",))
        settings = DirectorySettings(found=600.0, missing=600.0)
        self.directory = Directory([("memory", self.backend)], clock=clock, settings=settings)
        self.authenticator = Authenticator(checkers, clock=clock, home=True, **auth)
        self.backend.watch(self.changed)
        self.relay = RelayConnector(clock, self.settings, dial=self.net.dial)
        self.refusals = Refusals(clock, most=10.0)
        self.house = House(
            authenticator=self.authenticator,
            router=Router(self.directory, policy, self.breaker),
            relay=self.relay,
            refusals=self.refusals,
            choosing=Choosing(how=self.how),
            clock=clock.seconds,
            wheel=ExactWheel(clock),
            limits=limits or Limits(failure_delay=FAILURE_DELAY, login_failures=10),
        )
        return self.house

    def changed(self, user: str | None) -> None:
        """Do what the assembly does when a backend tells of a change."""
        self.directory.forget(user)
        self.authenticator.forget(user)

    def connect(self, **auth: Any) -> TellingClient:
        """Open the door, unless it is open, and come in."""
        if auth or not hasattr(self, "house"):
            self.open_house(**auth)
        return TellingClient(self.net, self.house, self.told)

    def log_in(self, line: bytes = b"LOGIN alice secret", **auth: Any) -> bytes:
        """Give the answer to a login on a new connection."""
        return self.connect(**auth).answer(line)[0]

    def results(self) -> list[str]:
        return [event.result for event in self.house.logins]

    def asked(self) -> list[bytes]:
        """Give every login that a home server has seen."""
        return [line for home in self.homes for line in home.seen if line != b"LOGOUT"]


class TellingClient(Wire):
    """A client that tells what it is told, and how long that took."""

    def __init__(self, net: Net, house: House, told: list[str]) -> None:
        self.told = told
        super().__init__(net, house)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.told.append(f"client: {data.decode()}")

    def answer(
        self, line: bytes, tag: bytes = b"a ", patience: float = 20.0
    ) -> tuple[bytes, float]:
        """Say a line; give the answer and the seconds until it came."""
        began, self.seen = self.net.clock.seconds(), b""
        self.ours.write(tag + line + b"\r\n")
        while self.net.clock.seconds() < began + patience:
            self.net.run()
            if b"\r\n" in self.seen:
                break
            self.net.clock.advance(0.01)
        return self.seen, self.net.clock.seconds() - began
