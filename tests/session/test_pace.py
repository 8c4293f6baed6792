"""Long computations let others have a turn."""

from __future__ import annotations

from collections.abc import Generator

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.session.pace import TURN, Pace
from tests.mime.mail import SIMPLE
from tests.proves import proves
from tests.session.inbox import Home
from tests.session.support import ExactWheel


@proves("base:CPU traps")
class Pacing(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pace = Pace(self.clock.seconds, ExactWheel(self.clock))

    def test_a_pause_comes_only_after_a_while(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.pace.breathe()))
        self.clock.advance(TURN)
        waiting = Deferred.fromCoroutine(self.pace.breathe())
        self.assertNoResult(waiting)
        self.clock.advance(0)
        self.successResultOf(waiting)
        self.successResultOf(Deferred.fromCoroutine(self.pace.breathe()))

    def test_one_who_has_rested_need_not_pause(self) -> None:
        self.clock.advance(TURN)
        self.pace.rested()
        self.successResultOf(Deferred.fromCoroutine(self.pace.breathe()))

    def test_a_pause_that_is_cancelled_leaves_no_timer(self) -> None:
        self.clock.advance(TURN)
        waiting = Deferred.fromCoroutine(self.pace.breathe())
        waiting.cancel()
        self.failureResultOf(waiting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_goes_by_steps_pauses_between_them_when_it_is_time(self) -> None:
        def counting() -> Generator[None, None, str]:
            for at in range(4):
                done.append(at)
                now[0] += 0.6 * TURN
                yield
            return "counted"

        done: list[int] = []
        now = [0.0]
        pace = Pace(lambda: now[0], ExactWheel(self.clock))
        waiting = Deferred.fromCoroutine(pace.through(counting()))
        self.assertNoResult(waiting)
        self.assertEqual(done, [0, 1])
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waiting), "counted")
        self.assertEqual(done, [0, 1, 2, 3])

    def test_a_search_through_a_lot_pauses_and_goes_on(self) -> None:
        home = Home(*[SIMPLE] * 5)
        client = home.log_in()
        clock = home.house.clock
        for message in home.inbox.messages:
            message.getFlags = lambda: clock.advance(TURN) or []  # type: ignore[method-assign,func-returns-value]
        self.assertEqual(client.say(b"x SEARCH UNSEEN\r\n"), b"")
        for _ in range(5):
            clock.advance(0)
        self.assertEqual(client.read(), b"* SEARCH 1 2 3 4 5\r\nx OK Searched.\r\n")
