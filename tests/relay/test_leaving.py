"""Logging out where a login came the short way."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from referrald.relay.outgoing import timers_of
from referrald.relay.straight import StraightLogin, command_for

GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n"
IN = b"a1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"


class Leaving(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        command = command_for("al", "", "secret")
        assert command is not None
        self.straight = StraightLogin(command, None, 10.0)
        self.straight.makeConnection(self.transport)
        self.straight.begin(self.clock)
        self.straight.dataReceived(GREETING)
        self.straight.dataReceived(IN)
        self.successResultOf(self.straight.settled())
        self.transport.clear()

    def test_it_waits_for_the_answer(self) -> None:
        leaving = Deferred.fromCoroutine(self.straight.logout())
        self.assertEqual(self.transport.value(), b"a2 LOGOUT\r\n")
        self.straight.dataReceived(b"* BYE bye\r\n")
        self.assertNoResult(leaving)
        self.assertFalse(self.transport.disconnecting)
        self.straight.dataReceived(b"a2 OK done\r\n")
        self.successResultOf(leaving)
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(len(timers_of(self.clock)), 0)

    def test_a_server_that_closes_has_answered(self) -> None:
        leaving = Deferred.fromCoroutine(self.straight.logout())
        self.straight.connectionLost(connectionDone)
        self.successResultOf(leaving)
        self.successResultOf(Deferred.fromCoroutine(self.straight.logout()))
        self.assertEqual(self.transport.value(), b"a2 LOGOUT\r\n")

    def test_it_waits_for_a_while_only(self) -> None:
        leaving = Deferred.fromCoroutine(self.straight.logout())
        self.clock.advance(9)
        self.assertNoResult(leaving)
        self.clock.advance(1)
        self.successResultOf(leaving)
        self.assertTrue(self.transport.disconnecting)

    def test_nobody_may_wait_any_more(self) -> None:
        leaving = Deferred.fromCoroutine(self.straight.logout())
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(len(timers_of(self.clock)), 0)
