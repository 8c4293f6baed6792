"""A network in memory: servers by host and port, which the client dials instead of real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from referrald.client.connection import ImapConnection
from referrald.client.transport import NotReached, Opened


class Pipe(StringTransport):
    """One end of a connection: what is written is taken to the other end in turn."""

    secure = False

    def __init__(self, queue: list[Callable[[], None]]) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.7", 4711))
        self.queue = queue
        self.other: Any = None
        self.gone = False

    def write(self, data: bytes) -> None:
        """Have bytes delivered."""
        if self.other is not None and not self.gone:
            other = self.other
            self.queue.append(lambda: other.dataReceived(data))

    def loseConnection(self) -> None:
        """Have the other end told."""
        if not self.gone:
            self.gone = True
            other = self.other
            self.queue.append(lambda: other.connectionLost(connectionDone))

    abortConnection = loseConnection


class Scripted:
    """A server that greets, and answers each command by its name; ``%b`` is the tag.

    An empty answer is none at all.
    """

    def __init__(self, greeting: bytes, answers: Mapping[bytes, bytes] | None = None) -> None:
        self.greeting = greeting
        self.answers = dict(answers or {})
        self.seen: list[bytes] = []
        self.transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.greeting + b"\r\n")

    def dataReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            tag, _, rest = line.partition(b" ")
            name = rest.partition(b" ")[0].upper()
            self.seen.append(rest)
            answer = self.answers.get(name, b"%b OK done")
            if answer:
                self.transport.write(answer.replace(b"%b", tag) + b"\r\n")

    def connectionLost(self, reason: Any) -> None:
        pass


class Net:
    """Servers: a function for each (host, port) that makes the protocol of a connection.

    insecure: hosts without TLS, which are dialled in the clear where that is allowed. announced:
    what each server that was dialled would have got before anything else.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.servers: dict[tuple[str, int], Callable[[], Any]] = {}
        self.insecure: set[str] = set()
        self.dialled: list[tuple[str, int]] = []
        self.announced: list[bytes] = []
        self._queue: list[Callable[[], None]] = []
        self._running = False

    async def dial(
        self,
        reactor: Any,
        host: str,
        port: int,
        *,
        trust: Any = None,
        clear: bool = False,
        patience: float = 30.0,
        implicit: bool | None = None,
        first: bytes = b"",
    ) -> Opened:
        """Stand in for `referrald.client.transport.connect`."""
        self.announced.append(first)
        self.dialled.append((host, port))
        if (host, port) not in self.servers:
            raise NotReached(f"{host}:{port}: connection refused")
        secure = host not in self.insecure
        server = self.servers[host, port]()
        ours, theirs = Pipe(self._queue), Pipe(self._queue)
        connection = ImapConnection(self.clock, secure=secure, patience=patience)
        ours.other, theirs.other = server, connection
        theirs.secure = secure
        theirs.protocol = server  # type: ignore[attr-defined]
        connection.makeConnection(ours)
        server.makeConnection(theirs)
        self.run()
        greeting = await connection.greeting()
        if not secure and not clear and greeting.kind != "BYE":
            raise NotReached("the server offers no TLS")
        self._queue_later()
        return Opened(connection=connection, greeting=greeting)

    def _queue_later(self) -> None:
        self.clock.callLater(0, self.run)

    def run(self) -> None:
        """Deliver what is on its way."""
        while self._queue:
            self._queue.pop(0)()

    def drive(self, work: Any) -> Any:
        """Run a coroutine to its end; give its result or raise its error."""
        from twisted.internet.defer import Deferred

        found: list[Any] = []
        done: Deferred[Any] = Deferred.fromCoroutine(work)
        done.addBoth(found.append)
        for _ in range(10_000):
            if found:
                break
            self.run()
            self.clock.advance(0.01)
        (result,) = found
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result


class NetReach:
    """Connects protocols by a net, at once; stands in for `referrald.relay.outgoing.HomeReach`."""

    def __init__(self, net: Net) -> None:
        self.net = net

    async def __call__(
        self, reactor: Any, host: str, port: int, protocol: Any, patience: float
    ) -> None:
        """Connect."""
        if not self.at_once(host, port, protocol):
            self.net.dialled.append((host, port))
            raise ConnectionRefusedError("connection refused")

    def at_once(self, host: str, port: int, protocol: Any) -> bool:
        """Connect, or say that there is nobody."""
        if (host, port) not in self.net.servers:
            return False
        self.net.dialled.append((host, port))
        server = self.net.servers[host, port]()
        ours, theirs = Pipe(self.net._queue), Pipe(self.net._queue)
        ours.other, theirs.other = server, _Owner(ours)
        ours.protocol, theirs.protocol = protocol, server  # type: ignore[attr-defined]
        protocol.makeConnection(ours)
        server.makeConnection(theirs)
        return True


class _Owner:
    """Whoever has a pipe at the moment: it may be handed over."""

    def __init__(self, pipe: Pipe) -> None:
        self.transport: Any = pipe

    def dataReceived(self, data: bytes) -> None:
        self.transport.protocol.dataReceived(data)

    def connectionLost(self, reason: Any) -> None:
        self.transport.protocol.connectionLost(reason)
