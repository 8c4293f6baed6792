"""Users who move while they are logged in."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.model import Home, Server
from referrald.routing.moving import AGAIN, RECENT, Mover
from tests.routing.sessions import A, B, Session
from tests.routing.support import Answers, Slow, Table, login, start

GRACE, SPREAD = 10.0, 30.0
ALL = GRACE + SPREAD + 2


class MovingCase(SynchronousTestCase):
    """alice and bob at home on A, with a mover whose random numbers are the least."""

    def setUp(self) -> None:
        self.table = Table(alice=Home(servers=(A,)), bob=Home(servers=(A,)))
        self.lines: list[str] = []
        self.begin(self.table)

    def begin(
        self, table: Any, uniform: Callable[[float, float], float] = lambda low, high: low
    ) -> None:
        self.homes = Answers(table, found=600.0, stale=3600.0)
        self.clock = self.homes.clock
        self.mover = Mover(self.clock, self.lines.append, uniform=uniform)
        self.mover.use(self.homes, grace=GRACE, spread=SPREAD)
        # What comes now does not look like a login that began before a change.
        self.clock.advance(RECENT + 1)

    def session(self, user: str, relayed_to: Server | None = A) -> Session:
        return Session(self.mover, user, relayed_to)

    def move(self, user: str | None, *servers: Server, **parts: Any) -> None:
        """Tell of a change, as a backend that can be watched does."""
        if user is not None:
            self.table.homes[user] = Home(servers=servers, **parts)
        self.homes.forget(user)
        self.mover.changed(user)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def said(self, *sessions: Session) -> list[str | None]:
        return [session.said for session in sessions]


class Moving(MovingCase):
    def test_sessions_of_a_user_who_moves_end_after_the_grace_and_no_others(self) -> None:
        first, second = self.session("alice"), self.session("alice")
        other = self.session("bob")
        self.move("alice", B)
        self.pass_time(GRACE - 0.5)
        self.assertEqual(self.said(first, second, other), [None] * 3)
        self.pass_time(1)
        gone = "Your mailbox has moved; please connect again."
        self.assertEqual(self.said(first, second, other), [gone, gone, None])
        self.pass_time(ALL)
        self.assertIsNone(other.said)
        self.assertEqual(len(self.mover.partings), 0)

    def test_the_operator_reads_two_lines(self) -> None:
        for _ in range(3):
            self.session("alice")
        self.move("alice", B)
        self.pass_time(2)
        self.assertEqual(self.lines, ["3 sessions of 1 moved user (alice): to end within 40 s"])
        self.pass_time(ALL)
        self.assertEqual(self.lines[1:], ["3 sessions of 1 moved user (alice): ended"])

    def test_of_many_users_some_are_named(self) -> None:
        for number in range(7):
            self.session(f"u{number}")
            self.table.homes[f"u{number}"] = Home(servers=(B,))
        self.session("alice")
        self.move("alice", A, held=True)
        self.move(None)
        self.pass_time(ALL)
        self.assertIn("1 session of 1 held user (alice): ended", self.lines)
        (line,) = [line for line in self.lines if "7 sessions" in line and "ended" in line]
        self.assertEqual(line, "7 sessions of 7 moved users (u0, u1, u2, u3, u4 and 2 more): ended")

    def test_the_ends_are_spread_evenly_over_the_time(self) -> None:
        numbers = random.Random(4)
        self.begin(self.table, numbers.uniform)
        ends: list[float] = []
        sessions = [self.session("alice") for _ in range(1_000)]
        for session in sessions:
            session.part = (  # type: ignore[method-assign]
                lambda text, session=session: ends.append(self.clock.seconds())
            )
        since = self.clock.seconds()
        self.move("alice", B)
        self.pass_time(ALL)
        after = [end - since for end in ends]
        self.assertEqual(len(after), 1_000)
        self.assertGreaterEqual(min(after), GRACE)
        self.assertLess(max(after), GRACE + SPREAD + 0.2)
        thirds = [sum(GRACE + at <= end < GRACE + at + 10 for end in after) for at in (0, 10, 20)]
        for third in thirds:
            self.assertTrue(270 < third < 400, thirds)
        most = max(sum(at <= end < at + 1 for end in after) for at in range(40))
        self.assertLess(most, 70)

    def test_one_that_is_moved_back_within_the_grace_goes_on(self) -> None:
        session = self.session("alice")
        self.move("alice", B)
        self.pass_time(5)
        self.assertEqual(len(self.mover.partings), 1)
        self.move("alice", A)
        self.pass_time(ALL)
        self.assertIsNone(session.said)

    def test_one_that_moves_on_keeps_its_time(self) -> None:
        session = self.session("alice")
        self.move("alice", A, held=True)
        self.pass_time(9)
        self.move("alice", B)
        self.pass_time(1.5)
        self.assertEqual(session.said, "Your mailbox has moved; please connect again.")

    def test_sessions_served_here_end_when_their_user_moves_away(self) -> None:
        self.table.homes["carol"] = Home()
        session, public = self.session("carol", None), self.session("dave", None)
        self.move("carol", B)
        self.move("dave", B, public_here=True)
        self.pass_time(ALL)
        self.assertIn("has moved", session.said or "")
        self.assertIsNone(public.said)

    def test_a_held_user_is_put_out_and_told_why(self) -> None:
        sessions = self.session("alice"), self.session("alice", None)
        self.move("alice", A, held=True)
        self.pass_time(ALL)
        for session in sessions:
            self.assertIn("is being moved", session.said or "")

    def test_the_other_case_of_a_name_is_looked_up_as_it_is_written(self) -> None:
        self.table.homes["Alice"] = Home(servers=(B,), ttl=0.0)
        session = self.session("Alice")
        self.move("alice", A)
        self.pass_time(ALL)
        self.assertIn("has moved", session.said or "")
        self.assertEqual(self.table.asked, ["Alice"])

    def test_one_who_ends_by_itself_is_forgotten(self) -> None:
        session = self.session("alice")
        self.move("alice", B)
        self.pass_time(1)
        self.mover.leave(session)
        self.pass_time(ALL)
        self.assertIsNone(session.said)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_is_looked_up_who_is_not_here(self) -> None:
        self.move("alice", B)
        self.move(None)
        self.pass_time(1)
        self.assertEqual(self.table.asked, [])


class Quiet(MovingCase):
    def test_what_is_under_way_is_waited_for(self) -> None:
        session = self.session("alice")
        session.busy = 3
        self.move("alice", B)
        self.pass_time(GRACE + 5)
        self.assertIsNone(session.said)
        self.pass_time(2)
        self.assertIsNotNone(session.said)

    def test_but_not_for_ever(self) -> None:
        session = self.session("alice")
        session.busy = 1_000
        self.move("alice", B)
        self.pass_time(GRACE + 9)
        self.assertIsNone(session.said)
        self.pass_time(2)
        self.assertIsNotNone(session.said)

    def test_one_that_is_moved_back_while_it_is_waited_for_goes_on(self) -> None:
        session = self.session("alice")
        session.busy = 1_000
        self.move("alice", B)
        self.pass_time(GRACE + 1)
        self.move("alice", A)
        self.pass_time(ALL)
        self.assertIsNone(session.said)


class Everybody(MovingCase):
    def test_five_thousand_sessions_are_looked_at_a_few_at_a_time(self) -> None:
        users = [f"user{number}" for number in range(5_000)]
        for number, user in enumerate(users):
            self.table.homes[user] = Home(servers=(B,) if number % 1_000 == 0 else (A,))
        sessions = [self.session(user) for user in users]
        self.move(None)
        most = before = 0
        for _ in range(1_000):
            self.clock.advance(0.01)
            most, before = max(most, len(self.table.asked) - before), len(self.table.asked)
        self.assertLessEqual(most, 50)
        self.assertEqual(sorted(self.table.asked), sorted(users))
        self.pass_time(ALL)
        self.assertEqual([s.user for s in sessions if s.said], users[::1_000])

    def test_no_more_than_a_few_lookups_run_at_once(self) -> None:
        slow = Slow()
        self.begin(slow)
        for number in range(100):
            self.session(f"user{number}")
        self.mover.changed(None)
        self.pass_time(1)
        self.assertEqual(len(slow.asked), 25)
        for work in slow.asked[:25]:
            work.callback(Home(servers=(A,)))
        self.pass_time(1)
        self.assertEqual(len(slow.asked), 50)

    def test_a_change_during_the_round_counts(self) -> None:
        sessions = [self.session("alice"), self.session("bob")]
        self.move(None)
        self.clock.advance(0.005)
        self.move("bob", B)
        self.pass_time(ALL)
        self.assertEqual([bool(session.said) for session in sessions], [False, True])

    def test_another_directory_is_asked_about_everybody(self) -> None:
        session, other = self.session("alice"), self.session("bob")
        homes = Answers(Table(alice=Home(servers=(B,)), bob=Home(servers=(A,))))
        self.mover.use(homes, grace=1.0, spread=0.0)
        self.pass_time(2)
        self.assertIsNotNone(session.said)
        self.assertIsNone(other.said)


class Down(MovingCase):
    def test_while_a_backend_is_down_everybody_stays_and_is_looked_up_again(self) -> None:
        session = self.session("alice")
        self.table.homes["alice"] = Home(servers=(B,))
        self.table.fault = OSError("gone")
        self.move(None)
        self.pass_time(2 * ALL)
        self.assertIsNone(session.said)
        self.table.fault = None
        self.pass_time(AGAIN + GRACE + 1)
        self.assertIsNotNone(session.said)

    def test_what_was_known_before_is_no_answer(self) -> None:
        session = self.session("alice")
        self.successResultOf(start_explaining(self.homes))
        self.table.fault = OSError("gone")
        session.relayed_to = B
        self.move(None)
        self.pass_time(ALL)
        self.assertIsNone(session.said)

    def test_the_end_of_the_server_ends_all_that_is_under_way(self) -> None:
        slow = Slow()
        self.begin(slow)
        self.session("alice")
        self.mover.changed("alice")
        self.clock.advance(0.1)
        self.assertEqual(len(slow.asked), 1)
        self.mover.stop()
        self.homes._lookups.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_is_ended_once_the_server_stops(self) -> None:
        session = self.session("alice")
        self.move("alice", B)
        self.pass_time(1)
        self.mover.stop()
        self.pass_time(ALL)
        self.assertIsNone(session.said)


class Late(MovingCase):
    """Logins that were decided before a change and are done after it."""

    def test_one_that_comes_to_the_old_home_is_noticed(self) -> None:
        self.move("alice", B)
        session = self.session("alice")
        self.pass_time(GRACE + 1)
        self.assertIsNotNone(session.said)

    def test_what_is_in_the_cache_decides_at_once(self) -> None:
        self.move("alice", B)
        self.successResultOf(start_explaining(self.homes))
        self.session("alice")
        self.assertEqual(len(self.mover.partings), 1)
        self.assertEqual(self.table.asked, ["alice"])

    def test_long_after_a_change_a_login_asks_nobody(self) -> None:
        self.session("alice")
        self.pass_time(1)
        self.assertEqual(self.table.asked, [])


def start_explaining(homes: Answers) -> Any:
    """Get a home into the cache."""
    return start(homes.explain(login("alice")))
