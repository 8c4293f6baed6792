"""Servers that could not be reached are tried last for a while."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Server
from referrald.relay.circuit import Circuit

A, B = Server(host="a.example"), Server(host="b.example")


class Resting(SynchronousTestCase):
    def test_one_that_failed_comes_last_until_it_has_rested(self) -> None:
        clock = Clock()
        circuit = Circuit(clock.seconds, rest=30)
        self.assertEqual(circuit.order([A, B]), [A, B])
        circuit.failed(A)
        self.assertEqual((circuit.order([A, B]), circuit.resting), ([B, A], 1))
        circuit.failed(B)
        self.assertEqual(circuit.order([A, B]), [A, B])
        clock.advance(30)
        self.assertEqual((circuit.order([A, B]), circuit.resting), ([A, B], 0))
        circuit.failed(A)
        circuit.worked(A)
        self.assertEqual(circuit.order([A, B]), [A, B])
