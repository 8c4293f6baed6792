from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from referrald.ops.guesses import FailedLogins, network_of

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Guesses(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def make(self, **options: Any) -> FailedLogins:
        return FailedLogins(clock=self.clock.seconds, window=60, **options)

    def test_a_user_is_over_the_limit_wherever_from_until_the_first_failure_is_old(self) -> None:
        failed = self.make(per_user=3)
        for peer in (HERE, THERE, ""):
            self.assertEqual(failed.reason("alice", HERE), "")
            failed.note("alice", peer)
            self.clock.advance(10)
        self.assertIn("of this user", failed.reason("alice", "192.0.2.3"))
        self.assertEqual(failed.reason("bob", HERE), "")
        self.clock.advance(30)
        self.assertEqual(failed.reason("alice", HERE), "")
        failed.note("alice", HERE)
        self.assertTrue(failed.reason("alice", HERE))

    def test_an_address_is_whoever_it_tries_to_be(self) -> None:
        failed = self.make(per_address=2)
        failed.note("alice", HERE)
        failed.note("", HERE)
        self.assertIn(HERE, failed.reason("bob", HERE))
        self.assertEqual(failed.reason("alice", THERE), "")

    def test_without_limits_nothing_is_remembered(self) -> None:
        failed = self.make()
        for _ in range(100):
            failed.note("alice", HERE)
        self.assertEqual(failed.reason("alice", HERE), "")

    def test_who_has_an_ipv6_network_has_one_address(self) -> None:
        for one, other, same in (
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
            ("fe80::1%eth0", "fe80::2", True),
            ("::ffff:192.0.2.1", HERE, True),
            ("no:address", "no:other", False),
            (HERE, THERE, False),
        ):
            self.assertEqual(network_of(one) == network_of(other), same, (one, other))

    def test_a_name_of_any_length_takes_no_more_room(self) -> None:
        told: list[str] = []
        failed = self.make(per_user=1, tell=lambda user, peer: told.append(user))
        failed.note("x" * 10_000, HERE)
        self.assertTrue(failed.reason("x" * 10_000, HERE))
        self.assertEqual([len(user) for user in told], [255])

    def test_what_is_heard_from_others_counts_and_is_not_told_on(self) -> None:
        told: list[tuple[str, str]] = []
        failed = self.make(per_user=2, tell=lambda user, peer: told.append((user, peer)))
        self.clock.advance(100)
        failed.hear("alice", HERE, 30)
        failed.hear("alice", HERE, 70)
        self.assertEqual(failed.reason("alice", HERE), "")
        failed.note("alice", THERE)
        self.assertTrue(failed.reason("alice", HERE))
        self.assertEqual(told, [("alice", THERE)])
