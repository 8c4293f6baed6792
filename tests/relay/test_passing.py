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


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        connection: Any = SimpleNamespace(capabilities=frozenset({"UNSELECT"}))
        connection.hand_over = lambda successor: successor.makeConnection(self.transport)
        self.passing = Passing(self.clock, connection, "imap.example")


class Held(Case):
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


class Down:
    """A client that can be sent to directly, while ``outlet`` is something."""

    outlet: Any = "the client's transport"
    lost: LostServer | None = None

    def __init__(self) -> None:
        self.said: list[tuple[bytes, bool]] = []

    def away_gathers(self, gathers: bool) -> None:
        pass

    def away_said(self, data: bytes, inside: bool) -> None:
        self.said.append((data, inside))

    def away_outlet(self) -> Any:
        return self.outlet

    def away_lost(self, error: LostServer) -> None:
        self.lost = error


class Poured(Case):
    """What is in a large literal does not have to come by."""

    def setUp(self) -> None:
        super().setUp()
        self.pours: list[Any] = []
        self.transport.pour = lambda *how: self.pours.append(how)  # type: ignore[attr-defined]
        self.down = Down()
        self.passing.attach(self.down)
        self.answer = Deferred.fromCoroutine(self.passing.run(b"FETCH", (b"1 BODY[]",)))

    def test_the_rest_of_a_large_literal_goes_past(self) -> None:
        self.passing.dataReceived(b"* 1 FETCH (BODY[] {100000}\r\nabc")
        [(size, into, poured)] = self.pours
        self.assertEqual((size, into), (99_997, Down.outlet))
        self.assertEqual(self.down.said[-1], (b"* 1 FETCH (BODY[] {100000}\r\nabc", True))
        poured(99_000)
        poured(997)
        self.passing.dataReceived(b")\r\np1 OK done\r\n")
        self.assertEqual(self.down.said[-1], (b")\r\n", False))
        self.assertEqual(self.successResultOf(self.answer), b"OK done\r\n")

    def test_as_long_as_something_comes_the_server_is_not_taken_for_dead(self) -> None:
        self.passing.dataReceived(b"* 1 FETCH (BODY[] {100000}\r\n")
        [(_, _, poured)] = self.pours
        for _ in range(3):
            self.clock.advance(PATIENCE - 1)
            poured(1_000)
        self.assertNoResult(self.answer)
        self.clock.advance(PATIENCE + 1)
        self.failureResultOf(self.answer, LostServer)
        self.assertIsNotNone(self.down.lost)

    def test_a_small_one_and_one_for_a_client_that_cannot_does_not(self) -> None:
        self.passing.dataReceived(b"* 1 FETCH (BODY[] {1000}\r\nabc")
        self.passing.dataReceived(b"x" * 997 + b")\r\n")
        self.down.outlet = None
        self.passing.dataReceived(b"* 1 FETCH (BODY[] {100000}\r\nabc")
        self.assertEqual(self.pours, [])

    def test_what_is_not_for_the_client_does_not(self) -> None:
        self.passing.dataReceived(b"* LIST () NIL {100000}\r\nabc")
        self.assertEqual(self.pours, [])

    def test_what_is_collected_to_be_copied_does_not(self) -> None:
        self.passing.dataReceived(b"p1 OK done\r\n")
        Deferred.fromCoroutine(self.passing.collect(b"FETCH", b"1 BODY[]", b"FETCH"))
        self.passing.dataReceived(b"* 1 FETCH (BODY[] {100000}\r\nabc")
        self.assertEqual(self.pours, [])
