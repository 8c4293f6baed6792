"""Sequence sets against the simplest model: a Python set."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.sets import SequenceSet, Spelling
from tests.proves import proves

ends = st.one_of(st.just("*"), st.integers(1, 30).map(str))
pieces = st.one_of(ends, st.tuples(ends, ends).map(":".join))
written = st.lists(pieces, min_size=1, max_size=8).map(",".join)


def model(text: str, largest: int) -> set[int]:
    numbers: set[int] = set()
    for piece in text.split(","):
        low, *high = (largest if end == "*" else int(end) for end in piece.split(":"))
        first, last = sorted((low, *high, low)[:2])
        numbers.update(range(first, last + 1))
    return {number for number in numbers if 1 <= number <= largest}


class Sets(SynchronousTestCase):
    @proves("base:sequence sets")
    @settings(deadline=None)
    @given(written, st.integers(0, 35))
    def test_a_set_means_what_the_model_says(self, text: str, largest: int) -> None:
        parsed = SequenceSet.parse(text.encode())
        expected = model(text, largest)
        numbers = parsed.resolve(largest)
        self.assertEqual(list(numbers), sorted(expected))
        self.assertEqual(list(parsed.iterate(largest)), sorted(expected))
        self.assertEqual(len(numbers), len(expected))
        for number in range(-1, 40):
            self.assertEqual(number in numbers, number in expected)
            self.assertEqual(parsed.contains(number, largest), number in expected)

    @settings(deadline=None)
    @given(written)
    def test_it_is_written_as_it_was_read(self, text: str) -> None:
        parsed = SequenceSet.parse(text.encode())
        self.assertEqual(SequenceSet.parse(str(parsed).encode()), parsed)

    @proves("base:sequence sets")
    def test_examples_of_the_rfc(self) -> None:
        self.assertEqual(
            list(SequenceSet.parse(b"2,4:7,9,12:*").iterate(15)), [2, 4, 5, 6, 7, 9, 12, 13, 14, 15]
        )
        self.assertEqual(list(SequenceSet.parse(b"*:4,5:7").iterate(10)), [4, 5, 6, 7, 8, 9, 10])
        self.assertEqual(list(SequenceSet.parse(b"3291:*").iterate(5)), [5])
        self.assertEqual(list(SequenceSet.parse(b"*:*").iterate(3)), [3])

    def test_the_highest_number_named_is_known(self) -> None:
        self.assertEqual(SequenceSet.parse(b"3,9:4,*").highest, 9)
        self.assertEqual(SequenceSet.parse(b"*").highest, 0)

    def test_what_was_saved_may_stand_at_the_end(self) -> None:
        for raw in (b"$", b"2:3,$"):
            parsed = SequenceSet.parse(raw)
            self.assertTrue(parsed.saved)
            self.assertEqual(str(parsed).encode(), raw)
        self.assertEqual((SequenceSet.parse(b"$").spans, SequenceSet.parse(b"$").highest), ((), 0))

    @given(st.sets(st.integers(1, 30)), st.integers(1, 5))
    def test_numbers_are_spelled_as_a_short_set(self, numbers: set[int], piece: int) -> None:
        pieces, given = Spelling(), sorted(numbers)
        for at in range(0, len(given), piece):
            pieces.add(given[at : at + piece])
        spelling = bytes(pieces)
        if numbers:
            read = SequenceSet.parse(spelling)
            self.assertEqual(list(read.iterate(30)), sorted(numbers))
            ends = [low for low, _ in read.spans], [high + 1 for _, high in read.spans]
            self.assertTrue(set(ends[0]).isdisjoint(ends[1]))
        else:
            self.assertEqual(spelling, b"")

    @proves("S2", "base:sequence sets")
    def test_what_is_no_set_is_refused(self) -> None:
        for raw in (
            *(b"", b",", b"1,", b",1", b"1,,2", b":", b"1:", b":1", b"1:2:3", b"0", b"01", b"1:0"),
            *(
                b"-1",
                b"+1",
                b"1_0",
                b" 1",
                b"1 ",
                b"a",
                b"**",
                b"1*",
                b"$,1",
                b"$:2",
                b"$$",
                b"\xd9\xa1",
            ),
            *(b"4294967296", b"99999999999", b"9" * 5000, b"$,1", b"$:2", b"$$"),
        ):
            self.assertRaises(WireError, SequenceSet.parse, raw)
        self.assertEqual(SequenceSet.parse(b"4294967295").highest, 4294967295)

    @proves("base:CPU traps", "base:sequence sets")
    def test_a_hundred_thousand_elements_take_linear_time(self) -> None:
        raw = b",".join(b"%d" % number for number in range(200_000, 0, -2))
        started = time.process_time()
        numbers = SequenceSet.parse(raw).resolve(1_000_000)
        self.assertEqual(len(numbers), 100_000)
        self.assertEqual(sum(number in numbers for number in range(1, 200_001)), 100_000)
        self.assertLess(time.process_time() - started, 3.0)

    @proves("base:CPU traps")
    def test_a_huge_range_costs_nothing_until_it_is_walked(self) -> None:
        numbers = SequenceSet.parse(b"1:4294967295").resolve(4294967295)
        self.assertEqual(len(numbers), 4294967295)
        self.assertIn(4000000000, numbers)
        self.assertEqual(list(SequenceSet.parse(b"1:4294967295").iterate(3)), [1, 2, 3])
