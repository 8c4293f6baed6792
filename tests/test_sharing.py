from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.ops.guesses import FailedLogins
from referrald.routing.guard import StormBreaker
from referrald.sharing import Sharing

HERE = "192.0.2.1"


@attrs.frozen(kw_only=True)
class Happened:
    fields: Mapping[str, str]
    when: float


class Wire:
    """Hands on at once what one of two front doors tells."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.others: list[Sharing] = []
        self.told: list[Mapping[str, str]] = []

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def tell(self, fields: Mapping[str, str]) -> None:
        self.told.append(fields)
        for other in self.others:
            other.heard([Happened(fields=fields, when=self._clock.seconds())])


class Front:
    """The counts of one front door."""

    def __init__(self, clock: Clock) -> None:
        self.sharing = Sharing(lambda: self.breaker, lambda: self.failures)
        self.wire = Wire(clock)
        self.sharing.feed = self.wire
        self.breaker = StormBreaker(clock=clock.seconds, count=3, tell=self.sharing.referred)
        self.failures: Any = FailedLogins(clock=clock.seconds, per_user=2, tell=self.sharing.failed)


class Counts(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.one, self.other = Front(self.clock), Front(self.clock)
        self.one.wire.others.append(self.other.sharing)
        self.other.wire.others.append(self.one.sharing)

    def test_a_storm_is_one_wherever_the_client_comes(self) -> None:
        for front in (self.one, self.other, self.one):
            self.assertFalse(front.breaker.is_storm("alice", HERE))
            front.breaker.note_referred("alice", HERE, "al%40ice")
        for front in (self.one, self.other):
            self.assertTrue(front.breaker.is_storm("alice", HERE))
            self.assertTrue(front.breaker.was_referred("alice", HERE))
            self.assertEqual(front.breaker.sent_away_as("al%40ice", HERE), "alice")
            self.assertFalse(front.breaker.is_storm("alice", "192.0.2.2"))
        self.clock.advance(61)
        self.assertFalse(self.other.breaker.is_storm("alice", HERE))

    def test_failed_logins_count_wherever_they_fail(self) -> None:
        self.one.failures.note("alice", HERE)
        self.other.failures.note("alice", HERE)
        for front in (self.one, self.other):
            self.assertTrue(front.failures.reason("alice", HERE))

    def test_what_is_heard_is_not_told_on_nor_taken_for_news_when_it_is_old(self) -> None:
        self.one.breaker.note_referred("alice", HERE)
        self.assertEqual((len(self.one.wire.told), len(self.other.wire.told)), (1, 0))
        self.clock.advance(100)
        old = {"what": "referred", "user": "bob", "peer": HERE}
        self.one.sharing.heard([Happened(fields=old, when=30)])
        self.assertFalse(self.one.breaker.was_referred("bob", HERE))

    def test_what_means_nothing_is_passed_over(self) -> None:
        for fields in ({}, {"what": "x"}, {"what": "failed"}, {"what": "referred"}):
            self.one.sharing.heard([Happened(fields=fields, when=0)])
        self.one.failures = None
        self.one.sharing.heard([Happened(fields={"what": "failed", "user": "a"}, when=0)])

    def test_a_name_that_nobody_can_have_is_not_told(self) -> None:
        self.one.breaker.note_referred("x" * 256, HERE)
        self.one.breaker.note_referred("x", HERE, "x" * 256)
        self.assertEqual(self.one.wire.told, [])

    def test_without_a_feed_each_counts_for_itself(self) -> None:
        self.one.sharing.feed = None
        self.one.breaker.note_referred("alice", HERE)
        self.assertTrue(self.one.breaker.was_referred("alice", HERE))
        self.assertFalse(self.other.breaker.was_referred("alice", HERE))
