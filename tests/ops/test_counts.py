from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.ops.counts import ConnectionCounts, Outcomes, place
from tests.proves import proves


@proves("S2")
class CountTests(SynchronousTestCase):
    def test_connections_are_admitted_up_to_the_total(self) -> None:
        counts = ConnectionCounts(total=2)
        self.assertIsNone(counts.admit("192.0.2.1"))
        self.assertIsNone(counts.admit("192.0.2.2"))
        self.assertEqual(counts.admit("192.0.2.3"), "2 connections are open already")
        counts.release("192.0.2.1")
        self.assertIsNone(counts.admit("192.0.2.3"))

    def test_connections_of_one_address_are_admitted_up_to_its_limit(self) -> None:
        counts = ConnectionCounts(per_address=1)
        self.assertIsNone(counts.admit("192.0.2.1"))
        self.assertEqual(counts.admit("192.0.2.1"), "1 connections from there are open already")
        self.assertIsNone(counts.admit("192.0.2.2"))

    def test_a_refused_connection_is_not_counted(self) -> None:
        counts = ConnectionCounts(total=10, per_address=1)
        counts.admit("192.0.2.1")
        counts.admit("192.0.2.1")
        self.assertEqual((counts.current, counts.refused), (1, 1))
        counts.release("192.0.2.1")
        self.assertEqual((counts.current, counts.at("192.0.2.1")), (0, 0))

    def test_all_addresses_of_one_ipv6_network_count_as_one(self) -> None:
        counts = ConnectionCounts(per_address=2)
        self.assertIsNone(counts.admit("2001:db8:0:1::1"))
        self.assertIsNone(counts.admit("2001:db8:0:1:ffff::2"))
        self.assertIsNotNone(counts.admit("2001:DB8:0:1::3"))
        self.assertIsNone(counts.admit("2001:db8:0:2::1"))
        counts.release("2001:db8:0:1::1")
        self.assertIsNone(counts.admit("2001:db8:0:1::3"))

    def test_a_mapped_address_counts_as_the_ipv4_address_that_it_is(self) -> None:
        self.assertEqual(place("::ffff:192.0.2.1"), place("192.0.2.1"))
        self.assertEqual(place("::FFFF:192.0.2.1"), place("192.0.2.1"))

    def test_a_scope_makes_no_other_network(self) -> None:
        self.assertEqual(place("fe80::1%eth0"), place("fe80::2%3"))

    def test_what_is_no_address_stands_for_itself(self) -> None:
        self.assertEqual(place("not:an:address"), "not:an:address")

    def test_without_an_address_only_the_total_counts(self) -> None:
        counts = ConnectionCounts(total=3, per_address=1)
        self.assertIsNone(counts.admit(""))
        self.assertIsNone(counts.admit(""))
        counts.release("")
        self.assertEqual(counts.current, 1)

    def test_zero_is_no_limit(self) -> None:
        counts = ConnectionCounts(0, 0)
        for _ in range(1000):
            self.assertIsNone(counts.admit("192.0.2.1"))
        self.assertEqual(counts.at("192.0.2.1"), 1000)

    def test_new_limits_hold_for_what_comes_next(self) -> None:
        counts = ConnectionCounts(0, 0)
        counts.admit("192.0.2.1")
        counts.limit(total=0, per_address=1)
        self.assertIsNotNone(counts.admit("192.0.2.1"))
        self.assertEqual(counts.current, 1)

    @given(st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"])))
    def test_nothing_is_left_when_everyone_has_gone(self, addresses: list[str]) -> None:
        counts = ConnectionCounts(total=8, per_address=3)
        admitted = [address for address in addresses if counts.admit(address) is None]
        self.assertLessEqual(len(admitted), 8)
        self.assertEqual(counts.current, len(admitted))
        for address in reversed(admitted):
            counts.release(address)
        self.assertEqual(counts.current, 0)
        self.assertEqual(counts._places, {})


class OutcomeTests(SynchronousTestCase):
    def test_each_outcome_has_its_own_count(self) -> None:
        outcomes = Outcomes()
        for name in ("referred", "refused", "referred"):
            outcomes.count(name)
        self.assertEqual(outcomes.snapshot(), {"referred": 2, "refused": 1})
