"""What the parts of a configuration tell each other when a user moves or the configuration does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.assembly import Assembly, Lasting
from referrald.config.load import load_document
from referrald.config.settings import BackendSettings
from referrald.model import Home, Login, Refer, Refuse
from referrald.routing.moving import RECENT
from referrald.testing import MemoryBackend
from tests.routing.sessions import A, B, Session


class Given:
    """The factory of a backend that is there already."""

    def __init__(self, backend: MemoryBackend) -> None:
        self.backend = backend

    def build(self, options: Any, reactor: Any) -> MemoryBackend:
        return self.backend


class AssemblyCase(SynchronousTestCase):
    """Has an assembly over a backend in memory."""

    found: float | None = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.backend = MemoryBackend({"alice": Home(servers=(A,)), "bob": Home(servers=(A,))})
        self.assembly = self.assemble(self.backend)
        self.assembly.take_over()
        self.start(self.assembly)
        self.clock.advance(RECENT + 1)

    def assemble(self, backend: MemoryBackend, **sections: Any) -> Assembly:
        document = {
            "server": {"name": "front.example"},
            "listener": [{"endpoint": "tcp:0", "tls": "none", "allow_cleartext": True}],
            "relay": {"grace": 3, "spread": 0},
            "auth": {"checkers": ["memory:alice:secret"]},
            **sections,
        }
        given = BackendSettings(
            name="given", type="given", options={}, factory=Given(backend), cache_found=self.found
        )
        loaded = load_document(document, "test", backends=[given])
        assert loaded.config is not None, loaded.problems
        if not hasattr(self, "lasting"):
            self.lasting = Lasting(self.clock, loaded.config)
            self.addCleanup(self.lasting.close)
        return Assembly(loaded.config, self.clock, self.lasting)

    def start(self, assembly: Assembly) -> None:
        self.successResultOf(Deferred.fromCoroutine(assembly.start()))
        self.addCleanup(lambda: Deferred.fromCoroutine(assembly.stop()))

    def route(self, user: str = "alice") -> Deferred[Any]:
        return Deferred.fromCoroutine(self.assembly.router.route(Login(user=user)))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)


class Together(AssemblyCase):
    def test_when_a_backend_tells_of_a_move_logins_and_sessions_follow(self) -> None:
        session, other = (Session(self.lasting.mover, user) for user in ("alice", "bob"))
        self.assertEqual(self.successResultOf(self.route()).server, A)
        self.backend.set("alice", Home(servers=(B,)))
        self.assertEqual(self.successResultOf(self.route()).server, B)
        self.pass_time(4)
        self.assertIn("has moved", session.said or "")
        self.assertIsNone(other.said)

    def test_a_login_that_waits_is_woken(self) -> None:
        self.backend.set("alice", Home(servers=(A,), held=True))
        waiting = self.route()
        self.pass_time(10)
        self.assertNoResult(waiting)
        self.backend.set("alice", Home(servers=(B,)))
        self.assertIsInstance(self.successResultOf(waiting), Refer)

    def test_another_configuration_is_asked_about_everybody_and_wakes_who_waits(self) -> None:
        session, other = (Session(self.lasting.mover, user) for user in ("alice", "bob"))
        self.backend.set("carol", Home(held=True))
        waiting = self.route("carol")
        after = self.assemble(
            MemoryBackend(
                {"alice": Home(servers=(B,)), "bob": Home(servers=(A,)), "carol": Home()}
            ),
            relay={"grace": 1, "spread": 0},
        )
        self.start(after)
        self.pass_time(5)
        self.assertIsNone(session.said)
        after.take_over()
        self.assertEqual(self.successResultOf(waiting).outcome, "serve")
        self.pass_time(2)
        self.assertIn("has moved", session.said or "")
        self.assertIsNone(other.said)

    def test_nobody_waits_until_being_slow_to_log_in_ends_the_session(self) -> None:
        after = self.assemble(self.backend, limits={"auth_time": 8})
        after.take_over()
        self.backend.set("alice", Home(held=True))
        waiting = self.route()
        self.pass_time(3.5)
        self.assertNoResult(waiting)
        self.pass_time(1)
        self.assertIsInstance(self.successResultOf(waiting), Refuse)

    def test_whoever_looks_from_outside_does_not_wait(self) -> None:
        self.backend.set("alice", Home(held=True))
        outside = Assembly.from_config(self.assembly.config, self.clock)
        self.addCleanup(outside.lasting.close)
        self.start(outside)
        decision = self.successResultOf(
            Deferred.fromCoroutine(outside.router.route(Login(user="alice")))
        )
        self.assertTrue(decision.held)

    def test_how_long_a_backend_wants_its_answers_kept_is_known_to_the_directory(self) -> None:
        for self.found, kept in ((None, 60), (5.0, 5)):
            assembly = self.assemble(self.backend)
            self.start(assembly)
            looking = Deferred.fromCoroutine(assembly.directory.explain(Login(user="alice")))
            self.assertEqual(self.successResultOf(looking).kept, kept)


class CountsOfOthers(AssemblyCase):
    """What is counted for all front doors together, and for one alone."""

    def test_counts_stay_over_a_reload_while_their_settings_do(self) -> None:
        limited = {"limits": {"failures_per_user": 3}, "referral": {"storm_count": 2}}
        for counts in (lambda each: each.failures, lambda each: each.router._breaker):
            one, same, other = (
                counts(self.door(**sections))
                for sections in (
                    limited,
                    limited,
                    {"limits": {"failures_per_user": 4}, "referral": {"storm_count": 3}},
                )
            )
            self.assertIs(one, same)
            self.assertIsNot(one, other)

    def door(self, **sections: Any) -> Any:
        assembly = self.assemble(self.backend, **sections)
        return assembly.door(assembly.config.listeners[0])

    def test_without_limits_nobody_counts_and_without_a_server_nobody_is_told(self) -> None:
        self.assertIsNone(self.door().failures)
        self.assertIsNone(self.lasting.tallies.sharing.feed)
        door = self.door(limits={"failures_per_address": 1})
        self.assertIsNone(door.failures._tell)
        self.assertIsNone(door.router._breaker._tell)

    def test_what_others_tell_is_counted_by_whatever_counts_at_the_moment(self) -> None:
        self.door(limits={"failures_per_user": 1})
        door = self.door(limits={"failures_per_user": 2})
        for _ in range(2):
            self.assertEqual(door.failures.reason("alice", "192.0.2.1"), "")
            now = self.clock.seconds()
            self.lasting.tallies.sharing.heard([Told(what="failed", user="alice", when=now)])
        self.assertTrue(door.failures.reason("alice", "192.0.2.1"))

    def test_another_server_counts_from_the_next_start(self) -> None:
        notes: list[str] = []
        self.patch(self.lasting.notes, "note", lambda kind, text: notes.append(text))
        again = self.assemble(self.backend, shared={"servers": ["redis://127.0.0.1:1"]})
        self.lasting.adopt(again.config, None)
        self.assertEqual(notes, ["[shared] has changed; it counts from the next start"])
        self.assertIsNone(self.lasting.tallies.sharing.feed)


class Told:
    """What another front door has told."""

    def __init__(self, *, what: str, user: str, when: float) -> None:
        self.fields = {"what": what, "user": user}
        self.when = when
