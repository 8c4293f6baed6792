"""A connection whose answers go through to a client, when the client reads slowly or not at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from referrald.relay import passing
from referrald.relay.passing import PATIENCE, LostServer, Passing


class Held(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        connection: Any = SimpleNamespace(capabilities=frozenset({"UNSELECT"}))
        connection.hand_over = lambda successor: successor.makeConnection(self.transport)
        self.passing = Passing(self.clock, connection, "imap.example")

    def test_a_server_that_may_not_go_on_is_not_taken_for_dead(self) -> None:
        answer = Deferred.fromCoroutine(self.passing.run(b"FETCH", (b"1 BODY[]",)))
        self.passing.dataReceived(b"* 1 FETCH (BODY[] {5}\r\nhe")
        self.passing.hold(True)
        self.assertEqual(self.transport.producerState, "paused")
        for _ in range(4):
            self.clock.advance(PATIENCE)
        self.assertNoResult(answer)
        self.passing.hold(False)
        self.assertEqual(self.transport.producerState, "producing")
        self.clock.advance(PATIENCE - 1)
        self.assertNoResult(answer)
        self.clock.advance(2)
        self.failureResultOf(answer, LostServer)

    def test_a_message_that_is_too_long_to_be_copied_is_not_held(self) -> None:
        self.patch(passing, "CONTENT_LIMIT", 100)
        work = self.passing.collect(b"UID FETCH", b"7 BODY.PEEK[]", b"FETCH")
        answer = Deferred.fromCoroutine(work)
        self.passing.dataReceived(b"* 1 FETCH (UID 7 BODY[] {1000}\r\n" + b"x" * 60)
        self.assertNoResult(answer)
        self.passing.dataReceived(b"x" * 60)
        self.assertIn("too long", str(self.failureResultOf(answer, LostServer).value))

    def test_the_server_of_a_client_that_does_not_read_is_heard_when_it_is_left(self) -> None:
        self.passing.hold(True)
        left = Deferred.fromCoroutine(self.passing.leave())
        self.assertEqual(self.transport.producerState, "producing")
        self.passing.dataReceived(b"p1 OK left\r\n")
        self.assertTrue(self.successResultOf(left))
