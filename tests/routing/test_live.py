"""Who is logged in."""

from __future__ import annotations

import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.routing.live import LiveSessions, fold
from referrald.routing.moving import Mover
from tests.routing.sessions import Session


class Live(SynchronousTestCase):
    def setUp(self) -> None:
        self.mover = Mover(Clock(), lambda line: None)
        self.live = self.mover.live

    def test_sessions_are_found_by_their_user_in_any_case(self) -> None:
        first, second, other = (Session(self.mover, user) for user in ("alice", "Alice", "bob"))
        self.assertEqual(self.live.of("ALICE"), [first, second])
        self.assertEqual(self.live.of("bob"), [other])
        self.assertEqual(self.live.of("carol"), [])
        self.assertEqual([*self.live.users()], ["alice", "bob"])

    def test_those_that_have_gone_leave_nothing_behind(self) -> None:
        sessions = [Session(self.mover, user) for user in ("alice", "alice", "alice", "bob")]
        self.live.add(sessions[0])
        for session in sessions:
            self.live.discard(session)
            self.live.discard(session)
            self.assertNotIn(session, self.live.of(session.user))
        self.assertEqual([*self.live.users()], [])

    def test_one_that_was_never_there_is_passed_over(self) -> None:
        here = Session(self.mover, "alice")
        stranger = Session(Mover(Clock(), lambda line: None), "alice")
        self.live.discard(stranger)
        self.assertEqual(self.live.of("alice"), [here])
        self.live.add(here)
        self.assertEqual(self.live.of("alice"), [here])

    def test_a_session_costs_less_than_a_hundred_bytes(self) -> None:
        live = LiveSessions()
        for number in range(10_000):
            live.add(Session(self.mover, f"user{number}"))
        self.assertLess(sys.getsizeof(live._sessions) / 10_000, 100)

    def test_a_name_that_is_folded_already_is_kept_as_it_is(self) -> None:
        name = "".join(["ali", "ce"])
        self.assertIs(fold(name), name)
        self.assertEqual(fold("Alice"), "alice")
