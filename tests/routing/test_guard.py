"""Clients that do not follow referrals are noticed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.routing.guard import StormBreaker


class StormTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def breaker(self, count: int = 3, window: float = 60.0, size: int = 100) -> StormBreaker:
        return StormBreaker(clock=self.clock.seconds, count=count, window=window, size=size)

    def test_who_was_referred_just_now_is_known_at_the_next_login(self) -> None:
        breaker = self.breaker(count=3)
        self.assertFalse(breaker.was_referred("alice", "h"))
        breaker.note_referred("alice", "h")
        self.clock.advance(59)
        known = [
            breaker.was_referred(*who) for who in (("alice", "h"), ("bob", "h"), ("alice", "g"))
        ]
        self.assertEqual(known, [True, False, False])
        self.clock.advance(1)
        self.assertFalse(breaker.was_referred("alice", "h"))
        switched_off = self.breaker(count=0)
        switched_off.note_referred("alice", "h")
        self.assertFalse(switched_off.was_referred("alice", "h"))

    def test_many_referrals_in_a_short_time_are_a_storm(self) -> None:
        breaker = self.breaker()
        for _ in range(3):
            self.assertFalse(breaker.is_storm("alice", "192.0.2.1"))
            breaker.note_referred("alice", "192.0.2.1")
        self.assertTrue(breaker.is_storm("alice", "192.0.2.1"))
        self.assertFalse(breaker.is_storm("alice", "192.0.2.2"))
        self.assertFalse(breaker.is_storm("bob", "192.0.2.1"))

    def test_a_storm_passes(self) -> None:
        breaker = self.breaker()
        for _ in range(3):
            breaker.note_referred("alice", "192.0.2.1")
        self.clock.advance(59.9)
        self.assertTrue(breaker.is_storm("alice", "192.0.2.1"))
        self.clock.advance(0.1)
        self.assertFalse(breaker.is_storm("alice", "192.0.2.1"))

    def test_it_can_be_switched_off(self) -> None:
        breaker = self.breaker(count=0)
        breaker.note_referred("alice", "192.0.2.1")
        self.assertFalse(breaker.is_storm("alice", "192.0.2.1"))
        self.assertEqual(len(breaker), 0)

    def test_without_an_address_nobody_is_suspected(self) -> None:
        breaker = self.breaker(count=1)
        breaker.note_referred("alice", "")
        self.assertFalse(breaker.is_storm("alice", ""))

    def test_memory_is_bounded_and_the_longest_quiet_go_first(self) -> None:
        breaker = self.breaker(count=1, size=2)
        for user in ("alice", "bob", "alice", "carol"):
            breaker.note_referred(user, "192.0.2.1")
        storms = [user for user in ("alice", "bob", "carol") if breaker.is_storm(user, "192.0.2.1")]
        self.assertEqual((storms, len(breaker)), (["alice", "carol"], 2))

    @given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 4), st.integers(1, 10))
    def test_it_counts_as_one_would_by_hand(self, gaps: list[int], count: int, window: int) -> None:
        self.clock = Clock()
        breaker = self.breaker(count=count, window=window)
        times: list[float] = []
        for gap in gaps:
            self.clock.advance(gap)
            now = self.clock.seconds()
            recent = [time for time in times if now - time < window]
            self.assertEqual(breaker.is_storm("alice", "192.0.2.1"), len(recent) >= count)
            breaker.note_referred("alice", "192.0.2.1")
            times.append(now)

    def test_who_was_sent_away_is_known_by_the_name_in_the_url(self) -> None:
        breaker = self.breaker()
        breaker.note_referred("bob@x.example", "192.0.2.1", "bob%40x.example")
        breaker.note_referred("alice", "192.0.2.1", "alice")
        known = breaker.sent_away_as
        self.assertEqual(known("bob%40x.example", "192.0.2.1"), "bob@x.example")
        self.assertEqual(known("bob%40x.example", "192.0.2.2"), "")
        self.assertEqual(known("bob@x.example", "192.0.2.1"), "")
        # A name that is the user's own says nothing new.
        self.assertEqual(known("alice", "192.0.2.1"), "")
        self.clock.advance(60)
        self.assertEqual(known("bob%40x.example", "192.0.2.1"), "")

    def test_of_two_users_of_one_name_there_the_last_is_meant(self) -> None:
        breaker = self.breaker()
        for user in ("bob@a.example", "bob@b.example"):
            breaker.note_referred(user, "192.0.2.1", "bob")
        self.assertEqual(breaker.sent_away_as("bob", "192.0.2.1"), "bob@b.example")

    def test_names_are_bounded_as_well(self) -> None:
        breaker = self.breaker(size=2)
        for user in ("a", "b", "a", "c"):
            breaker.note_referred(user, "192.0.2.1", f"{user}%40x")
        found = [user for user in "abc" if breaker.sent_away_as(f"{user}%40x", "192.0.2.1")]
        self.assertEqual(found, ["a", "c"])
