from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from referrald.auth.deadline import within
from referrald.errors import Unavailable
from tests.auth.support import AuthTestCase
from tests.proves import proves


class WithinTests(AuthTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def test_an_answer_that_is_there_needs_no_timer(self) -> None:
        self.assertEqual(self.result(within(succeed(1), 5, self.clock)), 1)
        self.failure(within(fail(ValueError()), 5, self.clock), ValueError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_in_time_stops_the_timer(self) -> None:
        work: Deferred[int] = Deferred()
        waiting = within(work, 5, self.clock)
        self.clock.advance(4.9)
        work.callback(1)
        self.assertEqual(self.successResultOf(waiting), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @proves("S1")
    def test_no_answer_in_time_is_unavailable(self) -> None:
        cancelled: list[object] = []
        work: Deferred[int] = Deferred(cancelled.append)
        waiting = within(work, 5, self.clock)
        self.clock.advance(5)
        self.assertIn("5 s", str(self.failureResultOf(waiting, Unavailable).value))
        self.assertEqual(cancelled, [work])

    def test_work_that_ignores_being_cancelled_is_left_behind(self) -> None:
        stubborn: Deferred[int] = Deferred()
        work: Deferred[int] = succeed(1)
        work.addCallback(lambda _: stubborn)
        stubborn.cancel = lambda: None  # type: ignore[method-assign]
        waiting = within(work, 5, self.clock)
        self.clock.advance(5)
        self.failureResultOf(waiting, Unavailable)
        stubborn.errback(ValueError("late"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_who_waits_may_cancel(self) -> None:
        work: Deferred[int] = Deferred()
        waiting = within(work, 5, self.clock)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertTrue(work.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_work_that_is_cancelled_from_elsewhere_is_unavailable(self) -> None:
        work: Deferred[int] = Deferred()
        waiting = within(work, 5, self.clock)
        work.cancel()
        self.failureResultOf(waiting, Unavailable)
