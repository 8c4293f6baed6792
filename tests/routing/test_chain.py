"""Lookups under way: one per user at a time, and only until the deadline."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import BackendTimeout, Unavailable
from referrald.model import Home, Login
from tests.proves import proves
from tests.routing.support import Answers, Slow, Table, at_once, home, login, start

A, B = home("a.example"), home("b.example")


class SingleFlightTests(SynchronousTestCase):
    def test_one_lookup_serves_all_who_wait(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        waiting = [start(directory.home(login())) for _ in range(5)]
        other = start(directory.home(login("bob")))
        self.assertEqual(len(slow.asked), 2)
        slow.asked[0].callback(A)
        for each in waiting:
            self.assertEqual(self.successResultOf(each).servers, A.servers)
        self.assertNoResult(other)
        slow.asked[1].callback(None)
        self.assertIsNone(self.successResultOf(other))

    @proves("S1")
    def test_all_who_wait_are_told_of_a_failure_each_with_an_error_of_its_own(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        waiting = [start(directory.home(login())) for _ in range(2)]
        slow.asked[0].errback(ValueError("x"))
        one, two = (self.failureResultOf(each, Unavailable).value for each in waiting)
        self.assertIsNot(one, two)
        self.assertEqual(str(one), str(two))

    def test_one_who_goes_does_not_disturb_the_others(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        one, two = (start(directory.home(login())) for _ in range(2))
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertFalse(slow.asked[0].called)
        slow.asked[0].callback(A)
        self.assertEqual(self.successResultOf(two).servers, A.servers)

    def test_a_lookup_that_nobody_waits_for_any_more_fills_the_cache(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        one = start(directory.home(login()))
        one.cancel()
        self.failureResultOf(one, CancelledError)
        slow.asked[0].callback(A)
        self.assertEqual(at_once(directory.home(login())).servers, A.servers)

    def test_one_who_is_told_may_send_another_away(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        one, two = (start(directory.home(login())) for _ in range(2))
        one.addCallback(lambda _: two.cancel())
        slow.asked[0].callback(A)
        self.successResultOf(one)
        self.failureResultOf(two, CancelledError)

    def test_nobody_joins_a_lookup_from_before_a_change(self) -> None:
        for changed in ("alice", None):
            with self.subTest(repr(changed)):
                slow = Slow()
                directory = Answers(slow)
                before = start(directory.home(login()))
                directory.forget(changed)
                after = start(directory.home(login()))
                self.assertEqual(len(slow.asked), 2)
                slow.asked[1].callback(B)
                slow.asked[0].callback(A)
                self.assertEqual(self.successResultOf(before).servers, A.servers)
                self.assertEqual(self.successResultOf(after).servers, B.servers)
                self.assertEqual(at_once(directory.home(login())).servers, B.servers)

    def test_an_answer_from_before_a_change_is_not_kept(self) -> None:
        for changed in ("alice", None):
            with self.subTest(repr(changed)):
                slow = Slow()
                directory = Answers(slow)
                start(directory.home(login()))
                directory.forget(changed)
                slow.asked[0].callback(A)
                start(directory.home(login()))
                self.assertEqual(len(slow.asked), 2)


class DeadlineTests(SynchronousTestCase):
    @proves("S1")
    def test_who_had_to_ask_again_does_not_wait_longer(self) -> None:
        slow = Slow()
        directory = Answers(slow, deadline=2.0)
        start(directory.home(login(peer="1")))
        other = start(directory.home(login(peer="2")))
        directory.clock.advance(1.5)
        slow.asked[0].callback(home(ttl=0))
        directory.clock.advance(0.5)
        self.failureResultOf(other, BackendTimeout)

    @proves("S1")
    def test_a_hanging_backend_is_unavailable_in_time_with_its_name(self) -> None:
        directory = Answers(Table(), Slow(), deadline=2.0)
        answer = start(directory.home(login()))
        directory.clock.advance(1.9)
        self.assertNoResult(answer)
        directory.clock.advance(0.1)
        error = self.failureResultOf(answer, BackendTimeout).value
        self.assertEqual(str(error), "backend b1: no answer within 2 s")
        self.assertEqual(directory.down(), {"b1": "no answer within 2 s"})

    @proves("S1")
    def test_the_deadline_is_for_the_whole_chain(self) -> None:
        one, two = Slow(), Slow()
        directory = Answers(one, two, deadline=2.0)
        answer = start(directory.home(login()))
        directory.clock.advance(1.5)
        one.asked[0].callback(None)
        directory.clock.advance(0.5)
        self.failureResultOf(answer, BackendTimeout)

    @proves("S1")
    def test_one_who_comes_later_does_not_wait_longer(self) -> None:
        directory = Answers(Slow(), deadline=2.0)
        start(directory.home(login())).addErrback(lambda _: None)
        directory.clock.advance(1.5)
        second = start(directory.home(login()))
        directory.clock.advance(0.5)
        self.failureResultOf(second, BackendTimeout)

    def test_no_timer_is_left_behind(self) -> None:
        slow = Slow()
        directory = Answers(slow, Table())
        answers = [start(directory.home(login(user))) for user in ("alice", "bob", "carol")]
        slow.asked[0].callback(A)
        slow.asked[1].errback(ValueError())
        slow.asked[2].callback(None)
        self.assertEqual(directory.clock.getDelayedCalls(), [])
        self.failureResultOf(answers[1], Unavailable)

    def test_an_answer_that_is_at_once_sets_no_timer(self) -> None:
        directory = Answers(Table(alice=A))
        at_once(directory.home(login()))
        self.assertEqual(directory.clock.getDelayedCalls(), [])

    def test_a_late_answer_fills_the_cache(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        answer = start(directory.home(login()))
        directory.clock.advance(2)
        self.failureResultOf(answer, BackendTimeout)
        slow.asked[0].callback(A)
        self.assertEqual(at_once(directory.home(login())).servers, A.servers)

    def test_a_late_answer_does_not_displace_a_later_one(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        start(directory.home(login())).addErrback(lambda _: None)
        directory.clock.advance(2)
        second = start(directory.home(login()))
        slow.asked[1].callback(B)
        slow.asked[0].callback(A)
        self.assertEqual(self.successResultOf(second).servers, B.servers)
        self.assertEqual(at_once(directory.home(login())).servers, B.servers)

    def test_a_late_answer_from_before_a_change_is_not_kept(self) -> None:
        for changed in ("alice", None):
            with self.subTest(repr(changed)):
                slow = Slow()
                directory = Answers(slow)
                start(directory.home(login())).addErrback(lambda _: None)
                directory.clock.advance(2)
                directory.forget(changed)
                self.assertTrue(slow.asked[0].called, "it is cancelled")
                self.assertEqual(directory.entries, 0)

    def test_a_lookup_in_a_hanging_backend_does_not_hold_up_the_next_attempt(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        start(directory.home(login())).addErrback(lambda _: None)
        directory.clock.advance(2)
        again = start(directory.home(login()))
        slow.asked[1].callback(A)
        self.assertEqual(self.successResultOf(again).servers, A.servers)

    def test_a_lookup_from_before_a_change_is_cancelled_at_its_deadline(self) -> None:
        for changed in ("alice", None):
            with self.subTest(repr(changed)):
                slow = Slow()
                directory = Answers(slow)
                answer = start(directory.home(login()))
                directory.forget(changed)
                directory.clock.advance(2)
                self.failureResultOf(answer, BackendTimeout)
                self.assertTrue(slow.asked[0].called)

    def test_of_the_lookups_that_hang_for_a_user_only_the_last_is_waited_for(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        for _ in range(3):
            start(directory.home(login())).addErrback(lambda _: None)
            directory.clock.advance(2)
        self.assertEqual([work.called for work in slow.asked], [True, True, False])

    @proves("S1")
    def test_the_lookups_that_hang_are_bounded(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        for number in range(1200):
            start(directory.home(login(str(number)))).addErrback(lambda _: None)
        directory.clock.advance(2)
        self.assertEqual(sum(not work.called for work in slow.asked), 1000)
        self.assertEqual(len(directory.events), 1)

    def test_a_lookup_that_was_given_up_asks_no_further_backend(self) -> None:
        class Stubborn:
            def __init__(self) -> None:
                self.work: Deferred[None] = Deferred()

            async def home(self, login: Login) -> Home | None:
                try:
                    await self.work
                except CancelledError:
                    return None
                return None

        table = Table()
        directory = Answers(Stubborn(), table)
        start(directory.home(login())).addErrback(lambda _: None)
        directory.clock.advance(2)
        directory.forget("alice")
        self.assertEqual(table.asked, [])


class StopTests(SynchronousTestCase):
    def test_what_is_under_way_ends(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        late, running = start(directory.home(login())), None
        late.addErrback(lambda _: None)
        directory.clock.advance(2)
        running = start(directory.home(login("bob")))
        self.successResultOf(start(directory.stop()))
        self.failureResultOf(running, Unavailable)
        self.assertEqual([work.called for work in slow.asked], [True, True])
        self.assertEqual(directory.clock.getDelayedCalls(), [])
        self.assertEqual(directory.kinds, ["b0 down"])
