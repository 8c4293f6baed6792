"""A session on an in-memory transport, with everything around it made of simple parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from referrald.errors import AuthenticationFailed, WireError
from referrald.model import Decision, Limits, Login, LoginEvent, Refer, Refuse, Serve, Server
from referrald.session.builtin import standard_table
from referrald.session.door import Door
from referrald.session.factory import SessionFactory
from referrald.session.server import ReferralServer
from tests.session.memory import AccountRealm, MemoryStore

ALICE = Refer(url="imap://alice;AUTH=*@home.example/", server=Server(host="home.example"))
CAROL = Refer(
    url="imap://carol;AUTH=*@home.example/", server=Server(host="home.example"), authenticated=True
)
DAVE = Refuse(code="UNAVAILABLE", text="Temporarily unavailable.", cause="backend is down")
DECISIONS: Mapping[str, Decision] = {
    "alice": ALICE,
    "bob": Serve(),
    "carol": CAROL,
    "dave": DAVE,
}
PASSWORD = b"secret"


class Passwords:
    """An authenticator that knows one password for everyone of whom a decision is known."""

    def __init__(self, offered: tuple[str, ...] = ("PLAIN", "LOGIN")) -> None:
        self.offered = offered
        self.held: Deferred[None] | None = None
        self.seen: list[tuple[str, bytes]] = []

    def mechanisms(self, secure: bool, has_certificate: bool) -> tuple[str, ...]:
        return self.offered

    def normalise(self, user: str) -> str:
        return user.lower()

    async def password(
        self, user: str, password: bytes, authzid: str = "", home: Any = None
    ) -> str:
        self.seen.append((user, password))
        if self.held is not None:
            await self.held
        if user not in DECISIONS or password != PASSWORD:
            raise AuthenticationFailed("no")
        return authzid or user

    async def exchange(self, mechanism: str, channel: Any) -> str:
        response = channel.initial
        if response is None:
            response = await channel.challenge(b"")
        if response.count(b"\0") != 2:
            raise WireError("A PLAIN message has three parts.")
        authzid, user, password = response.split(b"\0")
        return await self.password(user.decode(), password, authzid.decode())


class Decisions:
    """A router that looks into a table."""

    def __init__(self) -> None:
        self.asked: list[Login] = []
        self.here: set[str] = set()
        self.sent_away: list[tuple[str, str]] = []

    async def route(self, login: Login) -> Decision:
        self.asked.append(login)
        return Serve() if login.user in self.here else DECISIONS[login.user]

    def note_referred(self, user: str, peer: str, name: str = "") -> None:
        self.sent_away.append((user, peer))

    def came_back(self, user: str, peer: str) -> bool:
        return (user, peer) in self.sent_away

    def sent_away_as(self, name: str, peer: str) -> str:
        return ""


class ExactWheel:
    """A wheel that is as exact as its clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def add(self, seconds: float, callback: Callable[[], None]) -> Any:
        return self.clock.callLater(seconds, callback)

    def cancel(self, token: Any) -> None:
        if token.active():
            token.cancel()

    def soon(self, callback: Callable[[], None]) -> Callable[[], None]:
        call = self.clock.callLater(0, callback)
        return lambda: self.cancel(call)


class Open:
    """Counts that admit everyone, until told a reason."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.admitted = 0

    def admit(self, address: str) -> str | None:
        if self.reason is None:
            self.admitted += 1
        return self.reason

    def release(self, address: str) -> None:
        self.admitted -= 1


class Notebook:
    """Keeps what would be logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.faults: list[BaseException] = []

    def note(self, kind: str, text: str | Callable[[], str]) -> None:
        self.lines.append(text if isinstance(text, str) else text())

    def fault(self, text: str, error: BaseException) -> None:
        self.lines.append(text)
        self.faults.append(error)


class Transport(StringTransportWithDisconnection):
    """A string transport that can start TLS, and whose peer may stop reading."""

    secure = False
    started: Any = None
    aborted = False

    def startTLS(self, context: Any) -> None:
        self.started = context
        self.secure = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class House:
    """A door with its parts at hand, and the sessions that come through it."""

    def __init__(self, *, secure: bool = True, **changes: Any) -> None:
        self.clock = Clock()
        self.authenticator = changes.pop("authenticator", None) or Passwords()
        self.router = Decisions()
        self.counts = Open()
        self.notes = Notebook()
        self.logins: list[LoginEvent] = []
        self.secure = secure
        parts: dict[str, Any] = {
            "authenticator": self.authenticator,
            "router": self.router,
            "realm": AccountRealm(MemoryStore()),
            "table": standard_table(),
            "wheel": ExactWheel(self.clock),
            "counts": self.counts,
            "notes": self.notes,
            "log_login": self.logins.append,
            "clock": self.clock.seconds,
            "name": "door.example",
            "limits": Limits(failure_delay=0.0),
        }
        parts.update(changes)
        self.door = Door(**parts)
        self.factory = SessionFactory(self.door)

    def connect(self, protocol: Any = None) -> Client:
        """Open a connection."""
        if protocol is not None:
            self.factory.protocol = protocol
        session = self.factory.buildProtocol(None)
        transport = Transport(peerAddress=IPv4Address("TCP", "192.0.2.7", 4711))
        transport.secure = self.secure
        transport.protocol = session
        session.makeConnection(transport)
        return Client(session, transport)


class Client:
    """The other end of a session."""

    def __init__(self, session: ReferralServer, transport: Transport) -> None:
        self.session = session
        self.transport = transport

    def read(self) -> bytes:
        """Take what has come since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return data

    def say(self, data: bytes) -> bytes:
        """Send bytes as they are and read the answer."""
        if self.transport.connected:
            self.session.dataReceived(data)
        return self.read()

    def ask(self, line: bytes) -> list[bytes]:
        """Send a line and read the lines of the answer."""
        return self.say(line + b"\r\n").split(b"\r\n")[:-1]

    @property
    def closed(self) -> bool:
        """Say whether the server has closed."""
        return not self.transport.connected
