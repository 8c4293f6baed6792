"""From a login to a decision."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.model import Decision, Home, Refer, Refuse, Serve
from referrald.routing.guard import StormBreaker
from referrald.routing.policy import PolicySettings
from referrald.routing.router import Router
from tests.proves import proves
from tests.routing.support import Answers, Slow, Table, at_once, home, login, start


def routed(table: Table, **settings: Any) -> tuple[Router, Clock]:
    """Make a router over a table, with a breaker that trips at the third login."""
    directory = Answers(table, **settings)
    clock = directory.clock
    breaker = StormBreaker(clock=clock.seconds, count=2, window=60.0)
    return Router(directory, PolicySettings(), breaker), clock


class RouterTests(SynchronousTestCase):
    def test_every_login_gets_a_decision_and_is_counted(self) -> None:
        table = Table(alice=home(), bob=Home(), carol=home(closed="No."))
        router, _ = routed(table)
        kinds = [
            type(at_once(router.route(login(user)))) for user in ("alice", "bob", "carol", "x")
        ]
        self.assertEqual(kinds, [Refer, Serve, Refuse, Refuse])
        outcomes = router.outcomes
        self.assertEqual((outcomes.elsewhere, outcomes.served, outcomes.refused), (1, 1, 2))

    @proves("S1")
    def test_a_backend_that_fails_is_a_refusal_with_the_cause(self) -> None:
        table = Table()
        table.fault = OSError("gone")
        router, _ = routed(table)
        decision = at_once(router.route(login()))
        self.assertEqual(decision.code, "UNAVAILABLE")
        self.assertEqual(decision.cause, "backend b0: OSError: gone")
        self.assertNotIn("gone", decision.text)
        self.assertEqual(router.outcomes.unavailable, 1)

    @proves("S1")
    def test_a_backend_that_hangs_is_a_refusal_in_time(self) -> None:
        directory = Answers(Slow(), deadline=2.0)
        decision = start(Router(directory).route(login()))
        self.assertNoResult(decision)
        directory.clock.advance(2)
        self.assertEqual(self.successResultOf(decision).code, "UNAVAILABLE")

    def test_a_decision_is_made_once_for_a_home(self) -> None:
        router, clock = routed(Table(alice=home(public_here=True), bob=Home()), found=60.0)
        for user in ("alice", "bob", "nobody"):
            first = at_once(router.route(login(user)))
            self.assertIs(at_once(router.route(login(user, secure=True))), first)
        first = at_once(router.route(login()))
        clock.advance(60)
        self.assertIsNot(at_once(router.route(login())), first)

    def test_a_changed_home_is_decided_about_anew(self) -> None:
        table = Table(alice=home("a.example"))
        router, _ = routed(table)
        at_once(router.route(login()))
        table.homes["alice"] = home("b.example")
        router.directory.forget("alice")
        self.assertEqual(at_once(router.route(login())).server.host, "b.example")

    @proves("L9", "L12")
    def test_another_policy_counts_at_once(self) -> None:
        router, _ = routed(Table(alice=home("a.example")))
        self.assertIsInstance(at_once(router.route(login())), Refer)
        router.replace(PolicySettings(allowed=()))
        self.assertIsInstance(at_once(router.route(login())), Refuse)
        router.replace(PolicySettings(own_names=frozenset({("a.example", 143)})))
        self.assertIn("itself", at_once(router.route(login())).cause)

    def test_a_decision_about_one_login_is_not_used_for_another(self) -> None:
        table = Table(alice=lambda login: home(f"h{login.peer}.example", ttl=0))
        router, _ = routed(table)
        hosts = [at_once(router.route(login(peer=peer))).server.host for peer in "12"]
        self.assertEqual(hosts, ["h1.example", "h2.example"])


def sent_away(router: Router, user: str = "alice", peer: str = "192.0.2.1") -> Decision:
    """Route, and send away who is to be referred."""
    decision: Decision = at_once(router.route(login(user, peer=peer)))
    if isinstance(decision, Refer) and not decision.authenticated:
        router.note_referred(user, peer)
    return decision


class StormTests(SynchronousTestCase):
    def test_a_client_that_does_not_follow_is_told_so_until_it_rests(self) -> None:
        router, clock = routed(Table(alice=home("a.example")))
        kinds = [sent_away(router).outcome for _ in range(4)]
        self.assertEqual(kinds, ["refer", "refer", "refuse", "refuse"])
        self.assertEqual((router.outcomes.storms, router.outcomes.elsewhere), (2, 4))
        clock.advance(60)
        self.assertIsInstance(sent_away(router), Refer)

    def test_what_it_is_told_helps_a_person(self) -> None:
        router, _ = routed(Table(alice=home("a.example", how="auto")))
        for _ in range(3):
            decision = sent_away(router)
        self.assertIn("set its server to a.example", decision.text)
        self.assertIn("storm", decision.cause)
        self.assertEqual(
            (decision.instead.server.host, decision.instead.how), ("a.example", "auto")
        )

    def test_who_is_relayed_makes_no_storm(self) -> None:
        router, _ = routed(Table(alice=home("a.example")))
        kinds = {type(at_once(router.route(login(peer="192.0.2.1")))) for _ in range(9)}
        self.assertEqual(kinds, {Refer})

    def test_without_a_breaker_nobody_is_counted(self) -> None:
        router = Router(Answers(Table(alice=home("a.example"))))
        self.assertEqual({type(sent_away(router)) for _ in range(9)}, {Refer})
        self.assertFalse(router.came_back("alice", "192.0.2.1"))

    def test_who_was_sent_away_just_now_has_come_back(self) -> None:
        router, clock = routed(Table(alice=home("a.example")))
        self.assertFalse(router.came_back("alice", "192.0.2.1"))
        sent_away(router)
        self.assertTrue(router.came_back("alice", "192.0.2.1"))
        clock.advance(60)
        self.assertFalse(router.came_back("alice", "192.0.2.1"))

    def test_others_are_not_refused_for_it(self) -> None:
        router, _ = routed(Table(alice=home(), bob=home()))
        for _ in range(3):
            sent_away(router)
        self.assertIsInstance(sent_away(router, peer="192.0.2.2"), Refer)
        self.assertIsInstance(sent_away(router, "bob"), Refer)

    @proves("L4")
    def test_a_client_that_is_let_in_with_its_referral_makes_no_storm(self) -> None:
        router, _ = routed(Table(alice=home(public_here=True)))
        for _ in range(3):
            router.note_referred("alice", "192.0.2.1")
        kinds = {type(at_once(router.route(login(peer="192.0.2.1")))) for _ in range(9)}
        self.assertEqual(kinds, {Refer})


class KnownTests(SynchronousTestCase):
    """What a login was decided to be, for the next one."""

    def test_only_what_was_decided_a_moment_ago_is_known(self) -> None:
        router, clock = routed(Table(alice=home()), found=60.0)
        self.assertIsNone(router.known("alice", "192.0.2.7"))
        decision = at_once(router.route(login()))
        self.assertIs(router.known("alice", "192.0.2.7"), decision)
        self.assertEqual(router.outcomes.elsewhere, 1)
        router.relayed()
        self.assertEqual(router.outcomes.elsewhere, 2)
        clock.advance(61)
        self.assertIsNone(router.known("alice", "192.0.2.7"))

    def test_another_policy_has_decided_nothing_yet(self) -> None:
        router, _ = routed(Table(alice=home()), found=60.0)
        at_once(router.route(login()))
        router.replace(PolicySettings(allowed=("other.example",)))
        self.assertIsNone(router.known("alice", "192.0.2.7"))

    def test_only_of_those_who_live_elsewhere_and_follow(self) -> None:
        table = Table(
            alice=home(), bob=Home(), carol=home(closed="No."), dave=home(held=True),
            erin=home(public_here=True),
        )  # fmt: skip
        router, _ = routed(table, found=60.0)
        for user in ("alice", "bob", "carol", "dave", "erin", "nobody"):
            at_once(router.look(login(user)))
        known = [user for user in ("alice", "bob", "carol", "dave", "erin", "nobody")
                 if router.known(user, "192.0.2.7") is not None]  # fmt: skip
        self.assertEqual(known, ["alice"])
        for _ in range(2):
            router.note_referred("alice", "192.0.2.7")
        self.assertIsNone(router.known("alice", "192.0.2.7"))
        self.assertIsNotNone(router.known("alice", "192.0.2.8"))


class Away(SynchronousTestCase):
    """Where somebody's home is, for those who want to ask it something."""

    def test_only_users_who_live_elsewhere_have_servers(self) -> None:
        table = Table(alice=home("a.example"), bob=Home())
        router, _ = routed(table)
        self.assertEqual(at_once(router.away(login("alice"))).server.host, "a.example")
        self.assertIsNone(at_once(router.away(login("bob"))))
        self.assertIsNone(at_once(router.away(login("nobody"))))

    def test_nothing_is_counted(self) -> None:
        router, _ = routed(Table(alice=home()))
        for _number in range(5):
            self.assertIsInstance(at_once(router.away(login())), Refer)
        self.assertIsInstance(at_once(router.route(login())), Refer)
        self.assertEqual(router.outcomes.elsewhere, 1)

    def test_closed_and_held_accounts_have_a_home(self) -> None:
        table = Table(alice=home(closed="No."), bob=home(held=True), carol=Home(closed="No."))
        router, _ = routed(table)
        self.assertIsInstance(at_once(router.away(login("alice"))), Refer)
        self.assertIsInstance(at_once(router.away(login("bob"))), Refer)
        self.assertIsNone(at_once(router.away(login("carol"))))

    @proves("S1")
    def test_what_cannot_be_known_is_unavailable(self) -> None:
        table = Table(alice=home("a.example"))
        router, _ = routed(table)
        router.replace(PolicySettings(allowed=()))
        failure = self.failureResultOf(start(router.away(login())), Unavailable)
        self.assertIn("not an allowed target", str(failure.value))
        table.fault = OSError("gone")
        self.failureResultOf(start(router.away(login("bob"))), Unavailable)
