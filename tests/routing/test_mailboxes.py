"""From the name of a mailbox to a decision, and who is told when it may be another."""

from __future__ import annotations

import time
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.mailmodel import MailboxLocation, ReferMailbox
from referrald.model import Home, Refuse, Serve
from referrald.routing.mailboxes import MailboxRouter, MailboxRouting
from referrald.routing.policy import PolicySettings
from tests.proves import proves
from tests.routing.support import (
    Answers,
    Mailboxes,
    Places,
    Slow,
    SlowMailboxes,
    Table,
    at,
    at_once,
    home,
    listed,
    start,
)
from tests.routing.test_lists import ENTRIES, NAMES

AWAY = home("h.example", public_here=True)


def routed(backend: Any, homes: Any = None, *, public: str = "", **settings: Any) -> MailboxRouter:
    """Make a router over a backend of mailboxes and one of homes, which may be the same."""
    places = Places(backend, **settings)
    directory = Answers(backend if homes is None else homes, **settings)
    return MailboxRouter(places, directory, PolicySettings(), public=public)


class LocateTests(SynchronousTestCase):
    def test_a_mailbox_is_where_the_backends_say_or_else_where_the_home_is(self) -> None:
        backend = Mailboxes(alice=Home(), bob=AWAY)
        for user in ("alice", "bob"):
            backend.places[user, "A"] = at("a.example")
            backend.places[user, "B"] = MailboxLocation()
        router = routed(backend, public="Public")
        outcomes = [
            [at_once(router.locate(user, name)).outcome for name in ("A", "B", "C", "Public/C")]
            for user in ("alice", "bob", "nobody")
        ]
        self.assertEqual(
            outcomes,
            [
                ["refer", "serve", "serve", "serve"],
                ["refer", "serve", "refer", "serve"],
                ["serve"] * 4,
            ],
        )

    @proves("M12")
    def test_a_mailbox_hidden_from_a_user_is_as_one_that_does_not_exist(self) -> None:
        backend = Mailboxes(alice=Home(), bob=Home())
        backend.places["alice", "Secret"] = at("a.example")
        backend.lists["alice"] = [listed("Secret", "a.example")]
        router = routed(backend)
        self.assertIsInstance(at_once(router.locate("alice", "Secret")), ReferMailbox)
        self.assertEqual(
            at_once(router.locate("bob", "Secret")), at_once(router.locate("bob", "None such"))
        )
        self.assertEqual(at_once(router.remote("bob")), ())
        self.assertEqual(at_once(router.here("bob", ["Secret"])), ["Secret"])

    def test_the_home_is_asked_for_only_when_no_backend_speaks_of_the_name(self) -> None:
        homes = Table(alice=AWAY)
        backend = Mailboxes()
        backend.places["alice", "A"] = at("a.example")
        router = routed(backend, homes)
        at_once(router.locate("alice", "A"))
        self.assertEqual(homes.asked, [])
        at_once(router.locate("alice", "B"))
        self.assertEqual(homes.asked, ["alice"])

    @proves("S1")
    def test_what_is_unavailable_is_refused_with_the_cause(self) -> None:
        backend, homes = Mailboxes(), Table()
        router = routed(backend, homes)
        for broken, cause in ((homes, "homes"), (backend, "mailboxes")):
            broken.fault = OSError(f"{cause} gone")
            decision = at_once(router.locate("alice", cause))
            self.assertEqual(decision.code, "UNAVAILABLE")
            self.assertEqual(decision.cause, f"backend b0: OSError: {cause} gone")
            self.assertNotIn("gone", decision.text)
            self.failureResultOf(start(router.remote("alice")), Unavailable)
            self.failureResultOf(start(router.here("alice", ["A"])), Unavailable)

    @proves("S1")
    def test_what_hangs_is_refused_in_time(self) -> None:
        router = routed(SlowMailboxes(), Table(alice=Home()), deadline=2.0)
        decision = start(router.locate("alice", "A"))
        self.assertNoResult(decision)
        router.locations.clock.advance(2)  # type: ignore[attr-defined]
        self.assertEqual(self.successResultOf(decision).code, "UNAVAILABLE")
        router = routed(Mailboxes(), Slow(), deadline=2.0)
        decision = start(router.locate("alice", "A"))
        router.directory.clock.advance(2)  # type: ignore[attr-defined]
        self.assertEqual(self.successResultOf(decision).code, "UNAVAILABLE")

    @proves("S1")
    def test_nobody_waits_for_one_who_is_down_and_whose_answer_is_known(self) -> None:
        backend = Mailboxes(alice=Home())
        backend.places["alice", "A"] = at("a.example")
        router = routed(backend)
        before = [at_once(router.locate("alice", name)) for name in ("A", "INBOX")]
        backend.fault = OSError("gone")
        router.forget(None)
        router.directory.forget(None)
        after = [at_once(router.locate("alice", name)) for name in ("A", "INBOX")]
        self.assertEqual(after, before)

    def test_a_decision_is_made_once_for_what_stays_the_same(self) -> None:
        backend = Mailboxes(bob=AWAY)
        backend.places["alice", "A"] = at("a.example")
        router = routed(backend)
        for user, name in (("alice", "A"), ("bob", "INBOX")):
            first = at_once(router.locate(user, name))
            self.assertIs(at_once(router.locate(user, name)), first)

    @proves("L9", "L12", "M11")
    def test_another_policy_counts_at_once(self) -> None:
        backend = Mailboxes(bob=AWAY)
        backend.places["bob", "A"] = at("a.example")
        router = routed(backend)
        own = PolicySettings(own_names=frozenset({("a.example", 143), ("h.example", 143)}))
        for name in ("A", "INBOX"):
            router.replace(PolicySettings())
            self.assertIsInstance(at_once(router.locate("bob", name)), ReferMailbox)
            router.replace(own)
            self.assertIn("itself", at_once(router.locate("bob", name)).cause)
            router.replace(PolicySettings(allowed=()))
            self.assertIn("not an allowed", at_once(router.locate("bob", name)).cause)

    def test_another_home_counts_though_the_answer_about_the_name_is_kept(self) -> None:
        backend = Mailboxes(alice=AWAY)
        router = routed(backend)
        self.assertIsInstance(at_once(router.locate("alice", "INBOX")), ReferMailbox)
        backend.homes["alice"] = Home()
        router.directory.forget("alice")
        self.assertIsInstance(at_once(router.locate("alice", "INBOX")), Serve)
        self.assertEqual(backend.questions, [("alice", "INBOX")])

    def test_routers_that_share_locations_do_not_share_decisions(self) -> None:
        backend = Mailboxes(alice=AWAY)
        one = routed(backend, public="Public")
        two = MailboxRouter(one.locations, one.directory, one.policy, public="Other")
        outcomes = [
            at_once(router.locate("alice", "Public/A")).outcome for router in (one, two, one, two)
        ]
        self.assertEqual(outcomes, ["serve", "refer", "serve", "refer"])

    def test_a_changed_place_counts_when_the_old_one_is_forgotten(self) -> None:
        backend = Mailboxes(alice=Home())
        router = routed(backend)
        self.assertIsInstance(at_once(router.locate("alice", "A")), Serve)
        backend.places["alice", "A"] = at("a.example")
        router.forget("bob")
        self.assertIsInstance(at_once(router.locate("alice", "A")), Serve)
        router.forget("alice")
        self.assertIsInstance(at_once(router.locate("alice", "A")), ReferMailbox)

    def test_without_backends_of_mailboxes_only_the_home_counts(self) -> None:
        router = routed(Table(alice=Home(), bob=AWAY, carol=Home(closed="Gone.")))
        kinds = [type(at_once(router.locate(user, "A"))) for user in ("alice", "bob", "carol", "x")]
        self.assertEqual(kinds, [Serve, ReferMailbox, Refuse, Serve])

    def test_what_waits_ends_with_the_router(self) -> None:
        router = routed(SlowMailboxes())
        decision = start(router.locate("alice", "A"))
        router.stop()
        self.assertEqual(self.successResultOf(decision).code, "UNAVAILABLE")

    def test_a_select_costs_microseconds(self) -> None:
        backend = Mailboxes(bob=AWAY)
        backend.places["bob", "A"] = at("a.example", "b.example")
        for router in (routed(backend), routed(Table(bob=AWAY))):
            for name in ("A", "INBOX"):
                at_once(router.locate("bob", name))
                best = min(self.seconds(router, name) for _ in range(20))
                self.assertLess(best / 100, 100e-6)

    def seconds(self, router: MailboxRouter, name: str) -> float:
        began = time.perf_counter()
        for _ in range(100):
            at_once(router.locate("bob", name))
        return time.perf_counter() - began


class RemoteTests(SynchronousTestCase):
    def test_all_that_is_listed_is_given_even_what_is_here_or_cannot_be_reached(self) -> None:
        backend = Mailboxes(alice=Home())
        backend.lists["alice"] = [listed("A", "::1"), listed("B"), listed("C", "a.example")]
        names = [entry.name for entry in at_once(routed(backend).remote("alice"))]
        self.assertEqual(names, ["A", "B", "C"])

    @proves("L4")
    def test_for_one_whose_home_is_elsewhere_inbox_is_listed_there(self) -> None:
        lives = Home(servers=AWAY.servers, user="al", auth="PLAIN", public_here=True)
        backend = Mailboxes(alice=lives)
        backend.lists["alice"] = [listed("A", "a.example"), listed("Z", "a.example")]
        a, inbox, z = at_once(routed(backend).remote("alice"))
        self.assertEqual((a.name, inbox.name, z.name), ("A", "INBOX", "Z"))
        (replica,) = inbox.location.replicas
        self.assertEqual((replica.name, replica.user, replica.auth), ("INBOX", "al", "PLAIN"))
        self.assertEqual(replica.server, AWAY.servers[0])
        self.assertEqual(inbox.location.source, "b0")

    def test_inbox_is_not_added_for_others_or_where_a_backend_lists_it(self) -> None:
        backend = Mailboxes(alice=Home(), carol=home(closed="Gone."), dave=AWAY)
        backend.lists["dave"] = [listed("INBOX", "a.example")]
        router = routed(backend)
        for user in ("alice", "bob", "carol"):
            self.assertEqual(at_once(router.remote(user)), ())
        (inbox,) = at_once(router.remote("dave"))
        self.assertEqual(inbox.location.replicas[0].server.host, "a.example")


class HereTests(SynchronousTestCase):
    def test_names_stay_in_their_order(self) -> None:
        backend = Mailboxes(alice=Home())
        backend.lists["alice"] = [listed("B", "a.example", subtree=True), listed("B/c")]
        router = routed(backend)
        names = ["Z", "B/x", "A", "B", "B/c", "B/c/d", "Bb"]
        self.assertEqual(at_once(router.here("alice", iter(names))), ["Z", "A", "B/c", "Bb"])

    @proves("L4")
    def test_of_one_whose_home_is_elsewhere_only_public_and_what_is_said_to_be_here_is(
        self,
    ) -> None:
        backend = Mailboxes(alice=AWAY)
        backend.lists["alice"] = [listed("Mine"), listed("Public/gone", "a.example")]
        router = routed(backend, public="Public")
        names = ["INBOX", "Mine", "Mine/x", "Public", "Public/A", "Public/gone", "PublicX"]
        self.assertEqual(at_once(router.here("alice", names)), ["Mine", "Public", "Public/A"])
        self.assertEqual(at_once(routed(Mailboxes(alice=AWAY)).here("alice", names)), [])

    def test_of_a_closed_account_nothing_is_here(self) -> None:
        for lives in (Home(closed="Gone."), home(closed="Gone.")):
            router = routed(Mailboxes(alice=lives), public="Public")
            self.assertEqual(at_once(router.here("alice", ["INBOX", "Public/A"])), [])

    @given(
        st.lists(ENTRIES, max_size=6, unique_by=lambda entry: entry.name),
        st.lists(NAMES, max_size=6),
        st.sampled_from([None, Home(), AWAY, home(closed="Gone.")]),
        st.sampled_from(["", "a"]),
    )
    def test_here_is_what_locate_serves(
        self, entries: list[Any], names: list[str], lives: Home | None, public: str
    ) -> None:
        backend = Mailboxes(alice=lives)
        backend.lists["alice"] = entries
        for name in names:
            speaking = [
                entry
                for entry in entries
                if entry.name == name or (entry.subtree and name.startswith(f"{entry.name}/"))
            ]
            if speaking:
                nearest = max(speaking, key=lambda entry: len(entry.name))
                backend.places["alice", name] = nearest.location
        router = routed(backend, public=public)
        served = [
            name for name in names if at_once(router.locate("alice", name)).outcome == "serve"
        ]
        self.assertEqual(at_once(router.here("alice", names)), served)

    def test_thousands_of_names_against_ten_thousand_entries_take_no_time(self) -> None:
        backend = Mailboxes(alice=Home())
        backend.lists["alice"] = [
            listed(f"S/{number}", "a.example", subtree=bool(number % 2)) for number in range(10_000)
        ]
        router = routed(backend)
        names = [f"S/{number}/x/y/z" for number in range(5_000)]
        at_once(router.here("alice", []))
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            here = at_once(router.here("alice", names))
            seconds.append(time.perf_counter() - began)
        self.assertEqual(len(here), 2_500)
        self.assertLess(min(seconds), 0.1)


class RoutingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.routing = MailboxRouting()
        self.told: list[str] = []

    def watch(self, user: str, name: str = "") -> Any:
        return self.routing.watch(user, lambda: self.told.append(name or user))

    def test_before_there_is_a_router_everything_is_here(self) -> None:
        self.assertEqual(at_once(self.routing.locate("alice", "A")), Serve())
        self.assertEqual(at_once(self.routing.remote("alice")), ())
        self.assertEqual(at_once(self.routing.here("alice", iter("AB"))), ["A", "B"])

    def test_the_router_in_use_is_asked(self) -> None:
        for host in ("a.example", "b.example"):
            backend = Mailboxes(alice=Home())
            backend.places["alice", "A"] = at(host)
            backend.lists["alice"] = [listed("A", host)]
            self.routing.use(routed(backend))
            decision = at_once(self.routing.locate("alice", "A"))
            self.assertEqual(decision.replicas[0].server.host, host)
            (entry,) = at_once(self.routing.remote("alice"))
            self.assertEqual(entry.location.replicas[0].server.host, host)
            self.assertEqual(at_once(self.routing.here("alice", ["A", "B"])), ["B"])

    def test_who_watches_a_user_is_told_of_that_user_and_of_everything(self) -> None:
        for user in ("alice", "bob"):
            self.watch(user)
        self.routing.changed("alice")
        self.routing.changed("nobody")
        self.assertEqual(self.told, ["alice"])
        self.routing.changed(None)
        self.assertEqual(self.told, ["alice", "alice", "bob"])
        self.routing.use(routed(Mailboxes()))
        self.assertEqual(len(self.told), 5)

    def test_the_other_router_is_in_use_when_watchers_are_told(self) -> None:
        router = routed(Mailboxes(alice=AWAY))
        self.routing.watch(
            "alice", lambda: self.told.append(at_once(self.routing.locate("alice", "A")).outcome)
        )
        self.routing.use(router)
        self.assertEqual(self.told, ["refer"])

    def test_a_watch_ends_once_and_only_itself(self) -> None:
        def changed() -> None:
            self.told.append("told")

        first, second = (self.routing.watch("alice", changed) for _ in range(2))
        first()
        first()
        self.routing.changed("alice")
        self.assertEqual(self.told, ["told"])
        second()
        self.routing.changed(None)
        self.assertEqual(self.told, ["told"])
        self.assertEqual(self.routing._watchers, {})

    def test_a_watcher_that_fails_is_logged_and_does_not_stop_the_others(self) -> None:
        def broken() -> None:
            raise KeyError("oh")

        self.watch("alice", "first")
        self.routing.watch("alice", broken)
        self.watch("alice", "last")
        self.watch("bob")
        self.routing.changed(None)
        self.assertEqual(self.told, ["first", "last", "bob"])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_watcher_may_end_watches_and_begin_some(self) -> None:
        ends: list[Any] = []

        def changed() -> None:
            self.told.append("first")
            ends[1]()
            ends.append(self.watch("alice", "new"))

        ends += [self.routing.watch("alice", changed), self.watch("alice", "second")]
        self.routing.changed("alice")
        self.assertEqual(self.told, ["first"])
        ends[0]()
        self.routing.changed("alice")
        self.assertEqual(self.told, ["first", "new"])


class MovingTests(SynchronousTestCase):
    def test_while_it_moves_it_is_in_use_and_afterwards_elsewhere(self) -> None:
        backend = Mailboxes(alice=Home())
        router = routed(backend)
        outcomes: list[str | None] = []
        for place in (None, MailboxLocation(moving=True), at("a.example")):
            backend.places["alice", "A"] = place
            backend.lists["alice"] = (
                [] if place is None else [attrs.evolve(listed("A"), location=place)]
            )
            router.forget("alice")
            decision = at_once(router.locate("alice", "A"))
            outcomes.append(getattr(decision, "code", decision.outcome))
            here = at_once(router.here("alice", ["A"]))
            # It stays in the lists of this server until there is another place.
            self.assertEqual(here, ["A"] if place is None or place.waits else [])
        self.assertEqual(outcomes, ["serve", "INUSE", "refer"])
