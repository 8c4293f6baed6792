"""What the client knows of its mailbox."""

from __future__ import annotations

import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.session.view import View
from referrald.wire.sets import SequenceSet

UIDS = st.sets(st.integers(1, 40), max_size=12).map(sorted)
SETS = st.lists(st.tuples(st.integers(0, 45), st.integers(0, 45)), min_size=1, max_size=4).map(
    lambda spans: SequenceSet(tuple(spans))
)


def picked(view: View, wanted: bytes, by_uid: bool) -> list[int]:
    """Give the UIDs of a set that is good."""
    uids = view.pick(SequenceSet.parse(wanted), by_uid)
    assert uids is not None
    return list(uids)


class Views(SynchronousTestCase):
    def test_numbers_and_uids(self) -> None:
        view = View([3, 5, 9])
        self.assertEqual([view.number(uid) for uid in (3, 4, 5, 9, 10)], [1, None, 2, 3, None])
        self.assertEqual((len(view), view.last_uid, View().last_uid), (3, 9, 0))

    def test_numbers_beyond_the_mailbox_mean_nothing(self) -> None:
        view = View([3, 5])
        self.assertIsNone(view.pick(SequenceSet.parse(b"1:3"), False))
        self.assertIsNone(View().pick(SequenceSet.parse(b"*"), False))
        self.assertEqual(picked(view, b"2:*", False), [5])
        self.assertEqual(picked(View(), b"1:*", True), [])

    def test_a_range_of_all_uids_costs_nothing(self) -> None:
        view = View([3, 4_000_000_000])
        self.assertEqual(view.pick(SequenceSet.parse(b"1:4294967295"), True), view.uids)

    def test_very_many_take_little_room(self) -> None:
        view = View(range(1, 100_001))
        self.assertLess(sys.getsizeof(view.uids), 1_000_000)
        self.assertEqual(view.drop(range(2, 100_001, 2))[:2], [100_000, 99_998])
        self.assertEqual((len(view), view.last_uid, view.number(99_999)), (50_000, 99_999, 50_000))

    @given(UIDS, SETS)
    def test_uids_are_picked_as_each_alone_would_be(
        self, uids: list[int], wanted: SequenceSet
    ) -> None:
        view = View(uids)
        expected = [uid for uid in uids if wanted.contains(uid, view.last_uid)]
        self.assertEqual(list(view.pick(wanted, True) or ()), expected)

    @given(UIDS, SETS, UIDS, st.booleans())
    def test_what_is_saved_is_picked_too_as_far_as_it_is_there(
        self, uids: list[int], wanted: SequenceSet, saved: list[int], by_uid: bool
    ) -> None:
        view = View(uids)
        plain = view.pick(wanted, by_uid)
        view.saved = saved
        both = view.pick(SequenceSet(wanted.spans, saved=True), by_uid)
        alone = view.pick(SequenceSet((), saved=True), by_uid)
        self.assertEqual(list(alone or ()), sorted({*uids} & {*saved}))
        if plain is None:
            self.assertIsNone(both)
        else:
            self.assertEqual(list(both or ()), sorted({*plain} | ({*uids} & {*saved})))

    @given(UIDS, SETS, UIDS, st.booleans(), st.booleans())
    def test_a_set_means_the_same_messages_in_a_search(
        self, uids: list[int], wanted: SequenceSet, saved: list[int], by_uid: bool, also: bool
    ) -> None:
        view = View(uids)
        view.saved = saved
        meant = view.meant(SequenceSet(wanted.spans, saved=also), by_uid)
        ranges = meant.ranges
        self.assertEqual([*ranges], sorted(ranges))
        self.assertTrue(all(one[1] < two[0] for one, two in pairwise(ranges)))
        for number, uid in enumerate(uids, 1):
            named = uid if by_uid else number
            expected = wanted.contains(named, view.last_uid if by_uid else len(uids))
            found = any(low <= uid <= high for low, high in ranges)
            self.assertEqual(found, expected or (also and uid in saved))

    @given(UIDS, UIDS)
    def test_what_is_told_turns_the_old_list_into_the_new(
        self, old: list[int], new: list[int]
    ) -> None:
        view = View(old)
        client: list[int | None] = list(old)
        for number in view.drop(set(old).difference(new)):
            del client[number - 1]
        self.assertEqual(client, list(view.uids))
        last = view.last_uid
        self.assertEqual(view.add(new), any(uid > last for uid in new))
        self.assertEqual(list(view.uids), [*client, *(uid for uid in new if uid > last)])
