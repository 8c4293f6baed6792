"""Sequence sets: which messages a command is about (RFC 3501 section 9, ``sequence-set``)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import attrs

from referrald.errors import WireError
from referrald.wire.tokens import MAX_NUMBER

STAR: Final = 0
"""Stands for ``*`` in a span: the largest number in use, not known while parsing."""


class Numbers:
    """The numbers that a set means in one mailbox: ascending, each once."""

    __slots__ = ("_starts", "ranges")

    def __init__(self, ranges: tuple[range, ...]) -> None:
        self.ranges = ranges
        self._starts = [each.start for each in ranges]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number)
        return at > 0 and number in self.ranges[at - 1]

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.ranges)

    def __len__(self) -> int:
        return sum(map(len, self.ranges))


@attrs.frozen
class SequenceSet:
    """A set as the client wrote it; ``spans`` are its pairs in order, with `STAR` for ``*``.

    saved: ``$`` is in it, what the last search has saved (RFC 5182).
    """

    spans: tuple[tuple[int, int], ...]
    saved: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> SequenceSet:
        """Parse a set in linear time; raises `WireError`."""
        pieces = raw.split(b",")
        # RFC 9051 section 9 has ``$`` at the end only.
        saved = pieces[-1] == b"$"
        return cls(tuple(map(_span, pieces[:-1] if saved else pieces)), saved)

    @property
    def highest(self) -> int:
        """The highest number named; 0 for ``*`` alone.

        A command with a message number beyond the mailbox is answered BAD.
        """
        return max(map(max, self.spans), default=0)

    def resolve(self, largest: int) -> Numbers:
        """Give the numbers up to ``largest``, which is also what ``*`` stands for, without ``$``.

        For UIDs, test those that exist with ``in``: there may be four thousand million others.
        """
        ranges: list[range] = []
        for low, high in sorted(_placed(span, largest) for span in self.spans):
            first, last = max(low, 1), min(high, largest)
            if first > last:
                continue
            if ranges and first <= ranges[-1].stop:
                ranges[-1] = range(ranges[-1].start, max(ranges[-1].stop, last + 1))
            else:
                ranges.append(range(first, last + 1))
        return Numbers(tuple(ranges))

    def contains(self, number: int, largest: int) -> bool:
        """Say whether the set means ``number``; for many numbers, `resolve` first."""
        if not 1 <= number <= largest:
            return False
        placed = (_placed(span, largest) for span in self.spans)
        return any(low <= number <= high for low, high in placed)

    def iterate(self, largest: int) -> Iterator[int]:
        """Yield the numbers up to ``largest``, ascending, each once."""
        return iter(self.resolve(largest))

    def __str__(self) -> str:
        spans = (
            _name(low) if low == high else f"{_name(low)}:{_name(high)}" for low, high in self.spans
        )
        return ",".join((*spans, "$") if self.saved else spans)


class Spelling:
    """Writes numbers that ascend as a set; very many can be given one piece after another."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._runs: list[bytes] = []
        self._first = self._last = -1
        self.add(numbers)

    def add(self, numbers: Iterable[int]) -> None:
        """Take the next numbers."""
        first, last, runs = self._first, self._last, self._runs
        for number in numbers:
            if number != last + 1 or first < 0:
                if first >= 0:
                    runs.append(_run(first, last))
                first = number
            last = number
        self._first, self._last = first, last

    def __bytes__(self) -> bytes:
        """Give the set; empty where there were no numbers."""
        open_run = [_run(self._first, self._last)] if self._first >= 0 else []
        return b",".join([*self._runs, *open_run])


def _run(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


def _name(number: int) -> str:
    return "*" if number == STAR else str(number)


def _placed(span: tuple[int, int], largest: int) -> tuple[int, int]:
    low, high = (largest if end == STAR else end for end in span)
    return (low, high) if low <= high else (high, low)


def _span(piece: bytes) -> tuple[int, int]:
    low, colon, high = piece.partition(b":")
    first = _number(low)
    return (first, _number(high)) if colon else (first, first)


def _number(raw: bytes) -> int:
    if raw == b"*":
        return STAR
    # bytes.isdigit() knows ASCII digits only; int() alone would take "+1" and "1_0".
    if raw.isdigit() and len(raw) <= 10 and raw[0] != ord("0"):
        number = int(raw)
        if number <= MAX_NUMBER:
            return number
    raise WireError("Malformed sequence set.")
