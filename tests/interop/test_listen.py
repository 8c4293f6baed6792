"""Ports with our transport, on the real reactor."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from referrald.ops.link import Link
from referrald.ops.listen import Listening, listen


class Greeter(Protocol):
    """Greets and remembers its transport."""

    seen: list[Any] = []

    def connectionMade(self) -> None:
        Greeter.seen.append(self.transport)
        assert self.transport is not None
        self.transport.write(b"* OK\r\n")


class Listen(TestCase):
    def setUp(self) -> None:
        Greeter.seen = []
        self.factory = ServerFactory.forProtocol(Greeter)

    async def open(self, endpoint: str) -> Listening:
        """Listen and see to it that it ends."""
        port = await listen(reactor, endpoint, self.factory)
        self.addCleanup(lambda: ensureDeferred(port.stop()))
        return port

    def test_a_tcp_port_gets_our_transport_with_nodelay(self) -> Deferred[None]:
        async def work() -> None:
            port = await self.open("tcp:0:interface=127.0.0.1")
            said = await deferToThread(self.greeting, port.address.port)
            self.assertEqual(said, b"* OK\r\n")
            (link,) = Greeter.seen
            self.assertIsInstance(link, Link)
            option = link.socket and link.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            self.assertTrue(option)
            gone: Deferred[None] = Deferred()
            link.protocol.connectionLost = lambda reason: gone.callback(None)
            self.held.close()
            await gone

        return ensureDeferred(work())

    def test_a_paused_port_takes_nobody_until_it_is_resumed(self) -> Deferred[None]:
        async def work() -> None:
            port = await self.open("tcp:0:interface=127.0.0.1")
            port.pause()
            waiting = deferToThread(self.greeting, port.address.port)
            self.assertEqual(Greeter.seen, [])
            port.resume()
            self.assertEqual(await waiting, b"* OK\r\n")
            gone: Deferred[None] = Deferred()
            Greeter.seen[0].protocol.connectionLost = lambda reason: gone.callback(None)
            self.held.close()
            await gone

        return ensureDeferred(work())

    def test_a_port_that_is_taken_is_told(self) -> Deferred[None]:
        async def work() -> None:
            port = await self.open("tcp:0:interface=127.0.0.1")
            endpoint = f"tcp:{port.address.port}:interface=127.0.0.1"
            await self.assertFailure(ensureDeferred(self.open(endpoint)), CannotListenError)

        return ensureDeferred(work())

    def greeting(self, port: int) -> bytes:
        """Connect, in a thread, and read the greeting."""
        self.held = socket.create_connection(("127.0.0.1", port), timeout=30)
        return self.held.recv(100)
