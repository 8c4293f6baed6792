"""Where a user lives: the chain, the cache, deadlines, and what happens while a backend is down."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import BackendTimeout, Unavailable
from referrald.model import Home, Login
from referrald.routing.directory import Lookup
from tests.proves import proves
from tests.routing.support import Answers, Slow, Table, at_once, home, login, start

A, B = home("a.example"), home("b.example")


class ChainTests(SynchronousTestCase):
    def test_the_first_backend_that_knows_the_user_wins(self) -> None:
        first, second = Table(alice=A), Table(alice=B, bob=B)
        directory = Answers(first, second)
        alice, bob = (at_once(directory.home(login(user))) for user in ("alice", "bob"))
        self.assertEqual((alice.servers, alice.source), (A.servers, "b0"))
        self.assertEqual((bob.servers, bob.source), (B.servers, "b1"))
        self.assertEqual(second.asked, ["bob"])

    def test_nobody_knows_a_user_that_no_backend_knows(self) -> None:
        self.assertIsNone(at_once(Answers(Table(), Table()).home(login())))
        self.assertIsNone(at_once(Answers().home(login())))

    @proves("S1")
    def test_a_failure_is_not_passed_on_to_the_next_backend(self) -> None:
        first, second = Table(), Table(alice=B)
        first.fault = RuntimeError("disk\n on fire")
        directory = Answers(first, second)
        error = self.failureResultOf(start(directory.home(login())), Unavailable).value
        self.assertEqual(str(error), "backend b0: RuntimeError: disk on fire")
        self.assertEqual(second.asked, [])

    def test_an_answer_may_be_a_deferred(self) -> None:
        slow = Slow()
        answer = start(Answers(slow).home(login()))
        self.assertNoResult(answer)
        slow.asked[0].callback(A)
        self.assertEqual(self.successResultOf(answer).servers, A.servers)

    @proves("S1")
    def test_what_is_no_answer_is_unavailable(self) -> None:
        class Odd:
            def __init__(self, answer: Any) -> None:
                self.answer = answer

            def home(self, login: Login) -> Any:
                if isinstance(self.answer, Exception):
                    raise self.answer
                return self.answer

        odd = [
            A,
            None,
            "a.example",
            succeed("a.example"),
            fail(ValueError()),
            KeyError("x"),
            object(),
        ]
        for answer in odd:
            with self.subTest(repr(answer)):
                directory = Answers(Odd(answer))
                error = self.failureResultOf(start(directory.home(login())), Unavailable).value
                self.assertTrue(str(error).startswith("backend b0: "))


class CacheTests(SynchronousTestCase):
    def test_found_and_missing_are_kept_for_their_own_times(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, found=60.0, missing=10.0)
        for moment, asked in ((0, 2), (9.9, 2), (10, 3), (19.9, 3), (59.9, 4), (60, 5)):
            directory.clock.advance(moment - directory.clock.seconds())
            at_once(directory.home(login("alice")))
            at_once(directory.home(login("nobody")))
            self.assertEqual(len(table.asked), asked, moment)

    def test_a_home_may_say_for_how_long_it_holds(self) -> None:
        table = Table(alice=home(ttl=5.0))
        directory = Answers(table)
        at_once(directory.home(login()))
        directory.clock.advance(4.9)
        at_once(directory.home(login()))
        self.assertEqual(len(table.asked), 1)
        directory.clock.advance(0.1)
        at_once(directory.home(login()))
        self.assertEqual(len(table.asked), 2)

    @proves("S1")
    def test_an_answer_for_one_login_only_is_never_kept(self) -> None:
        table = Table(alice=home(ttl=0))
        directory = Answers(table)
        at_once(directory.home(login()))
        at_once(directory.home(login()))
        self.assertEqual((len(table.asked), directory.entries), (2, 0))
        table.fault = ValueError()
        self.failureResultOf(start(directory.home(login())), Unavailable)

    def test_an_answer_for_one_login_only_is_not_given_to_another_that_waits(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        here, there = (start(directory.home(login(peer=peer))) for peer in ("1", "2"))
        self.assertEqual(len(slow.asked), 1)
        slow.asked[0].callback(home("one.example", ttl=0))
        self.assertEqual(self.successResultOf(here).servers[0].host, "one.example")
        slow.asked[1].callback(home("two.example", ttl=0))
        self.assertEqual(self.successResultOf(there).servers[0].host, "two.example")

    def test_the_cache_is_bounded_and_the_unused_go_first(self) -> None:
        table = Table()
        directory = Answers(table, size=2)
        for user in ("alice", "bob", "alice", "carol", "alice", "bob"):
            at_once(directory.home(login(user)))
        self.assertEqual(table.asked, ["alice", "bob", "carol", "bob"])
        self.assertEqual(directory.entries, 2)

    def test_without_a_cache_everyone_asks(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, size=0)
        at_once(directory.home(login()))
        at_once(directory.home(login()))
        self.assertEqual((len(table.asked), directory.entries), (2, 0))

    def test_a_forgotten_user_is_asked_about_anew(self) -> None:
        table = Table(alice=A, bob=A)
        directory = Answers(table)
        for user in ("alice", "bob"):
            at_once(directory.home(login(user)))
        table.homes["alice"] = B
        directory.forget("alice")
        self.assertEqual(at_once(directory.home(login("alice"))).servers, B.servers)
        at_once(directory.home(login("bob")))
        self.assertEqual(table.asked, ["alice", "bob", "alice"])

    def test_everyone_is_asked_about_anew_when_all_may_have_changed(self) -> None:
        table = Table(alice=A)
        directory = Answers(table)
        at_once(directory.home(login()))
        table.homes["alice"] = B
        directory.forget(None)
        self.assertEqual(at_once(directory.home(login())).servers, B.servers)


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


class OutageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Table(alice=A, bob=B)
        self.directory = Answers(self.table, found=60.0, missing=10.0, stale=3600.0)
        for user in ("alice", "bob", "nobody"):
            at_once(self.directory.home(login(user)))
        self.directory.clock.advance(60)
        self.table.asked.clear()

    @proves("S1")
    def test_a_home_from_before_is_used_while_the_backend_fails(self) -> None:
        self.table.fault = OSError("gone")
        self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)

    @proves("S1")
    def test_an_outage_is_told_once_with_its_cause_and_so_is_its_end(self) -> None:
        self.table.fault = OSError("gone")
        for user in ("alice", "bob", "alice", "carol"):
            start(self.directory.home(login(user))).addErrback(lambda _: None)
            self.directory.clock.advance(5)
        self.table.fault = None
        for user in ("alice", "bob", "carol"):
            at_once(self.directory.home(login(user)))
        down, recovered = self.directory.events
        self.assertEqual(str(down), "backend b0 does not answer: OSError: gone")
        self.assertEqual(str(recovered), "backend b0 answers again after 20.0 s")

    @proves("S1")
    def test_while_a_backend_is_down_nobody_with_a_known_home_waits(self) -> None:
        slow = Slow()
        directory = Answers(slow, found=60.0)
        for number, user in enumerate(("alice", "bob")):
            start(directory.home(login(user)))
            slow.asked[number].callback(A)
        directory.clock.advance(60)
        first = start(directory.home(login("alice")))
        self.assertNoResult(first)
        directory.clock.advance(2)
        self.assertEqual(self.successResultOf(first).servers, A.servers)
        self.assertEqual(at_once(directory.home(login("bob"))).servers, A.servers)

    @proves("S1")
    def test_a_backend_that_is_down_is_tried_once_a_second(self) -> None:
        self.table.fault = OSError("gone")
        at_once(self.directory.home(login()))
        self.table.asked.clear()
        for _ in range(30):
            at_once(self.directory.home(login("alice")))
            at_once(self.directory.home(login("bob")))
            self.directory.clock.advance(0.1)
        self.assertEqual(len(self.table.asked), 3)

    def test_the_attempt_that_finds_it_back_gives_its_answer(self) -> None:
        self.table.fault = OSError("gone")
        at_once(self.directory.home(login()))
        self.table.fault = None
        self.table.homes["alice"] = B
        self.directory.clock.advance(1)
        self.assertEqual(at_once(self.directory.home(login())).servers, B.servers)
        self.assertEqual(self.directory.down(), {})

    @proves("S1")
    def test_a_user_without_a_known_home_still_asks(self) -> None:
        self.table.fault = OSError("gone")
        for user in ("carol", "nobody"):
            self.failureResultOf(start(self.directory.home(login(user))), Unavailable)
        self.table.fault = None
        self.table.homes["carol"] = B
        self.assertEqual(at_once(self.directory.home(login("carol"))).servers, B.servers)

    def test_a_home_is_not_used_longer_than_configured(self) -> None:
        self.table.fault = OSError("gone")
        self.directory.clock.advance(3599.9)
        self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)
        self.directory.clock.advance(0.1)
        self.failureResultOf(start(self.directory.home(login())), Unavailable)

    def test_when_all_may_have_changed_homes_still_serve_during_an_outage(self) -> None:
        self.table.fault = OSError("gone")
        self.directory.forget(None)
        self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)

    def test_a_home_that_is_known_to_be_wrong_does_not_serve(self) -> None:
        self.table.fault = OSError("gone")
        self.directory.forget("alice")
        self.failureResultOf(start(self.directory.home(login())), Unavailable)

    def test_a_user_of_an_earlier_backend_is_looked_up_while_a_later_one_is_down(self) -> None:
        first, second = Table(alice=A), Table(bob=B)
        directory = Answers(first, second, found=60.0)
        for user in ("alice", "bob"):
            at_once(directory.home(login(user)))
        directory.clock.advance(60)
        second.fault = OSError("gone")
        at_once(directory.home(login("bob")))
        self.assertEqual(directory.down(), {"b1": "OSError: gone"})
        first.homes["alice"] = B
        self.assertEqual(at_once(directory.home(login("alice"))).servers, B.servers)

    def test_a_late_answer_is_no_recovery(self) -> None:
        slow = Slow()
        directory = Answers(slow)
        start(directory.home(login())).addErrback(lambda _: None)
        directory.clock.advance(2)
        slow.asked[0].callback(A)
        self.assertEqual(directory.kinds, ["b0 down"])
        start(directory.home(login("bob")))
        slow.asked[1].callback(A)
        self.assertEqual(directory.kinds, ["b0 down", "b0 recovered"])

    @proves("S1")
    def test_a_wrong_answer_is_told_once_and_is_no_outage(self) -> None:
        self.table.homes["alice"] = Home(servers=("a.example",))  # type: ignore[arg-type]
        for _ in range(3):
            self.assertEqual(at_once(self.directory.home(login())).servers, A.servers)
            at_once(self.directory.home(login("bob")))
        self.assertEqual(self.directory.kinds, ["b0 nonsense"])
        self.assertEqual(
            str(self.directory.events[0]),
            "backend b0 gave a wrong answer: a server of type str",
        )
        self.directory.forget(None)
        at_once(self.directory.home(login()))
        self.assertEqual(self.directory.kinds, ["b0 nonsense"] * 2)


class ExplainTests(SynchronousTestCase):
    def test_where_an_answer_is_from(self) -> None:
        table = Table(alice=A)
        directory = Answers(table, found=60.0)

        def explain() -> Lookup:
            lookup: Lookup = at_once(directory.explain(login()))
            assert lookup.home is not None
            self.assertEqual((lookup.home.servers, lookup.source), (A.servers, "b0"))
            return lookup

        asked, kept = explain(), explain()
        self.assertEqual((asked.age, asked.stale, asked.cached), (0.0, False, False))
        self.assertEqual((kept.age, kept.stale, kept.cached), (0.0, False, True))
        table.fault = OSError()
        directory.clock.advance(61)
        stale = explain()
        self.assertEqual((stale.age, stale.stale, stale.cached), (61.0, True, True))

    def test_an_unknown_user_has_no_source(self) -> None:
        lookup = at_once(Answers(Table()).explain(login()))
        self.assertEqual((lookup.home, lookup.source), (None, ""))


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
