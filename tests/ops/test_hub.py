"""Many links behind one descriptor, on socket pairs and a reactor that is turned by hand."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import error, main
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from referrald.ops.hub import AT_ONCE, Hub, hub_of
from tests.ops.test_link import Reactor


@implementer(IReactorFDSet)
class Polling(Reactor):
    """A reactor that polls descriptors."""


class Selectable:
    """Reads what comes, and ends as it is told to."""

    def __init__(self, hub: Hub, sock: socket.socket) -> None:
        self.hub = hub
        self.sock = sock
        self.read = b""
        self.written = self.turns = 0
        self.ends: Any = None
        self.raises = False
        self.lost: list[Failure] = []
        self.disconnected = 0
        self.then: Any = None

    def fileno(self) -> int:
        return self.sock.fileno()

    def doRead(self) -> Any:
        self.turns += 1
        self.read += self.sock.recv(100)
        if self.then is not None:
            self.then()
        if self.raises:
            raise ValueError("a fault of ours")
        return self.ends

    def doWrite(self) -> None:
        self.written += 1
        self.hub.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)
        self.disconnected = 1
        self.hub.removeReader(self)
        self.hub.removeWriter(self)
        self.sock.close()


def _moved(sock: socket.socket, descriptor: int) -> socket.socket:
    """Give a socket another descriptor."""
    os.dup2(sock.fileno(), descriptor)
    sock.close()
    return socket.socket(fileno=descriptor)


class Polled(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Polling()
        self.hub = hub_of(self.reactor)

    def link(self) -> tuple[Selectable, socket.socket]:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        link = Selectable(self.hub, ours)
        self.hub.addReader(link)
        return link, theirs

    def test_there_is_one_for_each_reactor_that_polls(self) -> None:
        self.assertIsInstance(self.hub, Hub)
        self.assertIs(hub_of(self.reactor), self.hub)
        clock = Clock()
        self.assertIs(hub_of(clock), clock)

    def test_the_reactor_polls_it_as_long_as_there_are_links(self) -> None:
        first, _ = self.link()
        second, _ = self.link()
        self.assertEqual(self.reactor.readers, {self.hub})
        self.hub.removeReader(first)
        self.assertEqual(self.hub.getReaders(), [second])
        self.hub.removeReader(second)
        self.assertEqual(self.reactor.readers, set())

    def test_each_that_has_something_to_read_gets_its_turn(self) -> None:
        pairs = [self.link() for _ in range(3)]
        for _, theirs in pairs[:2]:
            theirs.sendall(b"x")
        self.reactor.turn()
        self.assertEqual([link.read for link, _ in pairs], [b"x", b"x", b""])

    def test_reading_and_writing_are_polled_apart(self) -> None:
        link, theirs = self.link()
        self.hub.addWriter(link)
        self.assertEqual(self.hub.getWriters(), [link])
        self.hub.removeReader(link)
        theirs.sendall(b"x")
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual((link.read, link.written), (b"", 1))

    def test_one_that_fails_ends_and_the_others_go_on(self) -> None:
        bad, their_bad = self.link()
        good, their_good = self.link()
        bad.raises = True
        their_bad.sendall(b"x")
        their_good.sendall(b"x")
        self.reactor.turn()
        self.assertEqual([failure.type for failure in bad.lost], [ValueError])
        self.assertEqual((good.read, good.lost), (b"x", []))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_what_a_reader_says_is_how_it_ended(self) -> None:
        link, theirs = self.link()
        link.ends = main.CONNECTION_LOST
        theirs.sendall(b"x")
        self.reactor.turn()
        self.assertEqual([failure.type for failure in link.lost], [error.ConnectionLost])

    def test_one_that_another_has_ended_gets_no_turn_any_more(self) -> None:
        pairs = [self.link() for _ in range(2)]
        for number, (link, theirs) in enumerate(pairs):
            other = pairs[1 - number][0]
            link.then = lambda other=other: other.connectionLost(Failure(error.ConnectionDone()))
            theirs.sendall(b"x")
        self.reactor.turn()
        self.assertEqual(sorted(link.read for link, _ in pairs), [b"", b"x"])

    def test_an_event_of_one_that_has_gone_is_none_of_its_successor(self) -> None:
        first, their_first = self.link()
        gone, their_gone = self.link()
        came: list[Selectable] = []

        def replace() -> None:
            """End the other link, and have a new one get its descriptor in the same turn."""
            descriptor = gone.fileno()
            gone.connectionLost(Failure(error.ConnectionDone()))
            ours, theirs = socket.socketpair()
            self.addCleanup(theirs.close)
            taken = ours if ours.fileno() == descriptor else _moved(ours, descriptor)
            taken.setblocking(False)
            self.addCleanup(taken.close)
            came.append(Selectable(self.hub, taken))
            self.hub.addReader(came[-1])

        first.then = replace
        their_first.sendall(b"x")
        their_gone.close()
        self.reactor.turn()
        self.assertEqual([(new.read, new.lost, new.turns) for new in came], [(b"", [], 0)])

    def test_all_end_when_the_reactor_stops(self) -> None:
        links = [self.link()[0] for _ in range(2)]
        self.hub.connectionLost(Failure(error.ConnectionDone()))
        self.assertEqual([len(link.lost) for link in links], [1, 1])
        self.assertEqual(self.hub.removeAll(), [])
        self.assertEqual(self.reactor.readers, set())

    def test_a_descriptor_that_is_closed_next_is_forgotten(self) -> None:
        link, theirs = self.link()
        self.hub.addWriter(link)
        theirs.sendall(b"x")
        self.hub.forget(link.fileno())
        self.assertEqual(self.hub.getReaders() + self.hub.getWriters(), [])
        self.assertEqual(self.reactor.readers, set())
        self.hub.forget(link.fileno())
        # Whoever gets that descriptor next has nothing to do with it.
        number = link.fileno()
        link.sock.close()
        ours, other = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(other.close)
        link.sock = _moved(ours, number) if ours.fileno() != number else ours
        self.addCleanup(link.sock.close)
        self.hub.addReader(link)
        self.reactor.turn()
        self.assertEqual((link.turns, link.written), (0, 0))

    def test_those_that_come_while_there_is_a_crowd_have_their_turn_in_the_same(self) -> None:
        first, their_first = self.link()
        second, their_second = self.link()
        third, their_third = self.link()
        first.then = lambda: first.turns == 1 and their_third.sendall(b"x")
        their_first.sendall(b"x")
        their_second.sendall(b"x")
        self.reactor.turn()
        self.assertEqual((first.turns, second.turns, third.turns), (1, 1, 1))

    def test_a_crowd_holds_up_nobody_for_longer_than_it_may(self) -> None:
        pairs = [self.link() for _ in range(2)]
        for link, theirs in pairs:
            link.then = lambda theirs=theirs: theirs.sendall(b"x")
            theirs.sendall(b"x")
        self.reactor.turn()
        self.assertEqual(sum(link.turns for link, _ in pairs), AT_ONCE)
