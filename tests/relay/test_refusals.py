"""How long nobody's login takes."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.relay.refusals import FIRST_GUESS, SERVERS_KEPT, TIMES_KEPT, Refusals
from tests.proves import proves


class RefusalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.refusals = Refusals(self.clock, most=5.0)

    def times(self, user: str) -> set[float]:
        return {self.refusals.expected(user) for _ in range(300)}

    def test_first_there_is_a_guess(self) -> None:
        self.assertEqual(self.times("x"), {FIRST_GUESS})
        self.assertEqual(Refusals(self.clock, most=0.01).expected("x"), 0.01)

    @proves("L7")
    def test_a_user_has_the_times_of_one_server_in_no_order(self) -> None:
        for seconds in (0.1, 0.2):
            self.refusals.note("near", seconds)
        for seconds in (1.1, 1.2):
            self.refusals.note("far", seconds)
        found = [self.times(f"user{number}") for number in range(50)]
        self.assertEqual({frozenset(times) for times in found}, {
            frozenset({0.1, 0.2}), frozenset({1.1, 1.2})
        })  # fmt: skip
        self.assertEqual(found, [self.times(f"user{number}") for number in range(50)])

    def test_only_the_last_times_count(self) -> None:
        self.refusals.note("home", 3.0)
        for _ in range(TIMES_KEPT):
            self.refusals.note("home", 0.5)
        self.assertEqual(self.times("x"), {0.5})

    def test_a_server_that_refuses_nobody_is_forgotten_when_there_are_many(self) -> None:
        self.refusals.note("old", 1.0)
        for number in range(SERVERS_KEPT):
            self.refusals.note(f"home{number}", 2.0)
        found = [self.times(f"user{number}") for number in range(2 * SERVERS_KEPT)]
        self.assertEqual(found, [{2.0}] * len(found))

    def test_no_wait_is_longer_than_it_may_be(self) -> None:
        self.refusals.note("home", 60.0)
        self.assertEqual(self.times("x"), {5.0})

    def test_it_waits_and_can_be_cancelled(self) -> None:
        self.refusals.note("home", 2.0)
        waiting = Deferred.fromCoroutine(self.refusals.pretend("x"))
        self.clock.advance(1.9)
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.successResultOf(waiting)
        waiting = Deferred.fromCoroutine(self.refusals.pretend("x"))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
