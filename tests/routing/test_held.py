"""Logins of users whose mail is being copied."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Home, Refer, Refuse, Serve
from referrald.routing.held import HeldLogins
from referrald.routing.policy import PolicySettings, decide
from referrald.routing.router import Router
from referrald.testing import MemoryBackend
from tests.routing.support import Answers, Table, home, login, start

HELD = home("a.example", held=True)


class HeldCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Table(alice=HELD, bob=home())
        self.begin(self.table)

    def begin(self, backend: Any, seconds: float = 20.0, most: int = 1_000) -> None:
        self.homes = Answers(backend, found=600.0)
        self.clock = self.homes.clock
        self.held = HeldLogins(self.clock, most)
        self.router = Router(self.homes, PolicySettings(), None, self.held)
        self.held.use(self.router.look, seconds)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def refused(self, work: Any) -> Refuse:
        decision = self.successResultOf(work)
        assert isinstance(decision, Refuse)
        return decision


class Waiting(HeldCase):
    def test_a_login_waits_and_goes_on_as_soon_as_the_user_is_released(self) -> None:
        waiting = start(self.router.route(login()))
        self.assertNoResult(waiting)
        self.assertEqual(len(self.held), 1)
        self.table.homes["alice"] = home("b.example")
        self.homes.forget("alice")
        self.held.changed("alice")
        decision = self.successResultOf(waiting)
        assert isinstance(decision, Refer)
        self.assertEqual(decision.server.host, "b.example")
        self.assertEqual((self.router.outcomes.elsewhere, self.router.outcomes.refused), (1, 0))
        self.assertEqual((len(self.held), self.clock.getDelayedCalls()), (0, []))

    def test_a_change_of_anybody_is_enough_and_of_somebody_else_is_not(self) -> None:
        waiting = start(self.router.route(login()))
        self.table.homes["alice"] = Home()
        self.homes.forget(None)
        self.held.changed("bob")
        self.assertNoResult(waiting)
        self.held.changed(None)
        self.assertIsInstance(self.successResultOf(waiting), Serve)

    def test_a_change_that_does_not_release_is_waited_through(self) -> None:
        waiting = start(self.router.route(login()))
        for _ in range(3):
            self.homes.forget("alice")
            self.held.changed("alice")
            self.assertNoResult(waiting)

    def test_after_its_time_it_is_refused_with_words_for_a_person(self) -> None:
        waiting = start(self.router.route(login()))
        self.pass_time(19)
        self.assertNoResult(waiting)
        self.pass_time(1.5)
        decision = self.refused(waiting)
        self.assertEqual(decision.code, "UNAVAILABLE")
        self.assertEqual(
            decision.text, "This mailbox is being moved; please try again in a few minutes."
        )
        self.assertIn("held", decision.cause)
        self.assertEqual(self.router.outcomes.refused, 1)

    def test_a_source_that_tells_nothing_is_asked_every_second_or_so(self) -> None:
        waiting = start(self.router.route(login()))
        self.pass_time(5)
        self.assertIn(len(self.table.asked), (5, 6))
        self.table.homes["alice"] = Home()
        self.pass_time(1.5)
        self.assertIsInstance(self.successResultOf(waiting), Serve)

    def test_one_that_tells_is_asked_once(self) -> None:
        backend = MemoryBackend({"alice": HELD})
        asked: list[str] = []
        answer = backend.home

        async def home_of(who: Any) -> Home | None:
            asked.append(who.user)
            return await answer(who)

        backend.home = home_of  # type: ignore[method-assign]
        self.begin(backend)
        start(self.router.route(login()))
        self.pass_time(5)
        self.assertEqual(asked, ["alice"])

    def test_a_shorter_ttl_counts(self) -> None:
        self.table.homes["alice"] = home("a.example", held=True, ttl=0.2)
        start(self.router.look(login()))
        self.pass_time(0.3)
        self.assertIsNone(self.homes.cached("alice"))

    def test_without_a_time_or_a_place_to_wait_it_is_refused_at_once(self) -> None:
        self.begin(self.table, seconds=0)
        self.assertTrue(self.refused(start(self.router.route(login()))).held)
        router = Router(self.homes)
        self.assertTrue(self.refused(start(router.route(login()))).held)

    def test_no_more_than_so_many_wait(self) -> None:
        self.begin(self.table, most=2)
        waiting = [start(self.router.route(login())) for _ in range(3)]
        self.assertNoResult(waiting[0])
        self.assertNoResult(waiting[1])
        self.assertTrue(self.refused(waiting[2]).held)

    def test_a_backend_that_fails_meanwhile_is_unavailable(self) -> None:
        waiting = start(self.router.route(login()))
        self.table.fault = OSError("gone")
        self.homes.forget("alice")
        self.held.changed("alice")
        self.assertIn("gone", self.refused(waiting).cause)
        self.assertEqual(self.router.outcomes.unavailable, 1)

    def test_a_client_that_goes_away_leaves_nothing_behind(self) -> None:
        first, second = start(self.router.route(login())), start(self.router.route(login()))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(len(self.held), 1)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual((len(self.held), self.clock.getDelayedCalls()), (0, []))

    def test_a_reload_asks_the_new_backends(self) -> None:
        waiting = start(self.router.route(login()))
        after = Router(Answers(Table(alice=Home())), PolicySettings(), None, self.held)
        self.held.use(after.look, 20.0)
        self.assertIsInstance(self.successResultOf(waiting), Serve)


class Deciding(SynchronousTestCase):
    def test_held_counts_wherever_the_home_is_and_closed_counts_before_it(self) -> None:
        for each in (HELD, Home(held=True), home(held=True, public_here=True)):
            decision = decide(login(), each, PolicySettings())
            assert isinstance(decision, Refuse)
            self.assertTrue(decision.held)
        decision = decide(login(), Home(held=True, closed="No."), PolicySettings())
        assert isinstance(decision, Refuse)
        self.assertEqual((decision.held, decision.text), (False, "No."))
