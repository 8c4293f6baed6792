"""Servers that failed are left alone for a while, and tried by one login at a time then."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Server
from referrald.relay.circuit import BROKEN_OFF, LONGEST, SHORTEST, SPREAD, Admission, Circuit

A, B = Server(host="a.example"), Server(host="b.example")


class CircuitCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.circuit = Circuit(self.clock.seconds, lambda: 0.0)

    def admit(self, server: Server = A) -> Admission:
        admission = self.circuit.admit(server)
        assert admission is not None
        return admission

    def may(self, server: Server = A) -> bool:
        """Say whether a login might try a server; it does not."""
        admission = self.circuit.admit(server)
        if admission is not None:
            admission.spared()
        return admission is not None


class Resting(CircuitCase):
    def test_one_that_failed_rests_and_the_other_does_not(self) -> None:
        self.admit().failed()
        self.assertEqual((self.may(A), self.may(B), self.circuit.resting), (False, True, 1))
        self.clock.advance(SHORTEST)
        self.assertEqual((self.may(A), self.circuit.resting), (True, 0))

    def test_each_rest_is_twice_as_long_up_to_a_minute(self) -> None:
        for rest in (5, 10, 20, 40, 60, 60, 60):
            self.admit().failed()
            self.clock.advance(rest - 0.1)
            self.assertFalse(self.may(), rest)
            self.clock.advance(0.1)
            self.assertTrue(self.may(), rest)

    def test_a_success_begins_anew(self) -> None:
        for _ in range(4):
            self.admit().failed()
            self.clock.advance(LONGEST)
        self.admit().worked()
        self.admit().failed()
        self.clock.advance(SHORTEST)
        self.assertTrue(self.may())

    def test_it_is_told_once_when_one_fails_and_when_it_is_back(self) -> None:
        told: list[tuple[str, str]] = []
        self.circuit = Circuit(
            self.clock.seconds, lambda: 0.0, lambda kind, text: told.append((kind, text))
        )
        self.admit().worked()
        for _ in range(3):
            self.admit().failed("connection refused")
            self.clock.advance(LONGEST)
        self.assertEqual(
            told,
            [
                (
                    "home a.example down",
                    "home server a.example is left alone: connection refused",
                )
            ],
        )
        self.admit().worked()
        self.admit().worked()
        self.assertEqual(
            told[1:],
            [("home a.example up", "home server a.example works again after 180 s")],
        )

    def test_many_that_fail_at_once_are_one_failure(self) -> None:
        for admission in [self.admit() for _ in range(50)]:
            admission.failed()
        self.clock.advance(SHORTEST)
        self.assertTrue(self.may())

    def test_rests_are_of_unequal_length_and_never_longer(self) -> None:
        chance = random.Random(4).random
        rests = set()
        for _ in range(20):
            circuit, clock = Circuit(self.clock.seconds, chance), self.clock
            began = clock.seconds()
            admission = circuit.admit(A)
            assert admission is not None
            admission.failed()
            while circuit.resting:
                clock.advance(0.01)
            rests.add(round(clock.seconds() - began, 2))
        self.assertGreater(len(rests), 15)
        self.assertGreaterEqual(min(rests), SHORTEST * (1 - SPREAD) - 0.01)
        self.assertLessEqual(max(rests), SHORTEST + 0.01)


class HalfOpen(CircuitCase):
    def setUp(self) -> None:
        super().setUp()
        self.admit().failed()
        self.clock.advance(SHORTEST)
        self.trial = self.admit()

    def test_one_login_tries_and_all_others_go_elsewhere(self) -> None:
        self.assertIsNone(self.circuit.admit(A))
        self.clock.advance(1000)
        self.assertIsNone(self.circuit.admit(A))
        self.assertTrue(self.may(B))

    def test_when_it_works_everybody_may(self) -> None:
        self.trial.worked()
        for _ in range(10):
            self.admit()

    def test_when_it_fails_the_server_rests_for_longer(self) -> None:
        self.trial.failed(reached=True)
        self.clock.advance(SHORTEST)
        self.assertFalse(self.may())
        self.clock.advance(SHORTEST)
        self.assertTrue(self.may())

    def test_when_nothing_is_learnt_the_next_may_try(self) -> None:
        self.trial.spared()
        self.admit()
        self.assertIsNone(self.circuit.admit(A))


class OneUsersTrouble(CircuitCase):
    def test_a_server_that_breaks_off_now_and_then_goes_on(self) -> None:
        for _ in range(10):
            for _ in range(BROKEN_OFF - 1):
                self.admit().failed(reached=True)
            self.admit().worked()
        self.assertEqual(self.circuit.resting, 0)

    def test_one_that_breaks_every_login_off_rests(self) -> None:
        for _ in range(BROKEN_OFF):
            self.admit().failed(reached=True)
        self.assertFalse(self.may())

    def test_one_that_is_given_up_on_by_clients_goes_on(self) -> None:
        for _ in range(20):
            self.admit().spared()
        self.assertTrue(self.may())


class AnyCourse(SynchronousTestCase):
    """Whatever happens in whatever order, nobody is locked out for ever and no trial is doubled."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from(["admit", "worked", "failed", "reached", "spared", "wait"])))
    def test_at_most_one_tries_and_a_server_comes_back(self, events: list[str]) -> None:
        clock = Clock()
        circuit = Circuit(clock.seconds, random.Random(1).random)
        open_: list[Admission] = []
        for event in events:
            if event == "admit":
                resting, known = circuit.resting, circuit._states.get(A)
                busy = known is not None and known.trial is not None
                admission = circuit.admit(A)
                self.assertFalse(admission is not None and (resting or busy))
                if admission is not None:
                    open_.append(admission)
            elif event == "wait":
                clock.advance(3)
            elif open_:
                admission = open_.pop(0)
                if event == "reached":
                    admission.failed(reached=True)
                else:
                    getattr(admission, event)()
        for admission in open_:
            admission.spared()
        clock.advance(LONGEST)
        self.assertIsNotNone(circuit.admit(A))
