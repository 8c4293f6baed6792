from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.recent import RecentTimes

TIMES = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 100)), max_size=30)


class Times(SynchronousTestCase):
    @given(TIMES, st.integers(1, 5))
    def test_the_last_ones_are_kept_in_whatever_order_they_become_known(
        self, times: list[tuple[str, float]], count: int
    ) -> None:
        recent = RecentTimes[str](count=count, size=10)
        for key, when in times:
            recent.note(key, when)
        for key in "ab":
            known = sorted(when for each, when in times if each == key)[-count:]
            self.assertEqual(sorted(recent.get(key, ())), list(recent.get(key, ())))
            if len(known) == count:
                # What came too late to be among the last may have driven out none of them.
                self.assertEqual(list(recent[key]), known)
            self.assertEqual(
                recent.all_since(key, 50), len(known) == count and known[0] > 50, (key, known)
            )

    def test_the_keys_that_were_last_heard_of_are_remembered(self) -> None:
        recent = RecentTimes[int](count=1, size=3)
        for key in (1, 2, 3, 1, 4):
            recent.note(key, 0)
        self.assertEqual(list(recent), [3, 1, 4])
