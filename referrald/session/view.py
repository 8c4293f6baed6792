"""What the client knows of the selected mailbox: its message numbers, each with its UID.

A number means the same message until the client has been told otherwise, whatever happens in the
mailbox meanwhile (RFC 3501 section 2.3.1.2). So messages are asked for by UID only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Final

from referrald.query import Uids
from referrald.wire.sets import SequenceSet

UID: Final = "I"
"""The kind of array that holds UIDs: 32 bits each, for there may be very many."""


class View:
    """The UIDs of the messages that the client knows of, ascending.

    saved: those that ``$`` stands for (RFC 5182), ascending; some may be gone.
    knows_recent: whether it is known here which are ``\\Recent``, and not by the mailbox alone.
    recent: the UIDs of those, as ranges that ascend; some may be gone. told_recent: how many the
    client was told of.
    """

    def __init__(self, uids: Iterable[int] = (), *, knows_recent: bool = False) -> None:
        self.uids = array(UID, uids)
        self.saved: Sequence[int] = ()
        self.knows_recent = knows_recent
        self.recent: list[tuple[int, int]] = []
        self.told_recent = 0

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def last_uid(self) -> int:
        """The highest UID, 0 for none."""
        return self.uids[-1] if self.uids else 0

    def number(self, uid: int) -> int | None:
        """Give the message number of a UID, None for a message that the client does not know."""
        at = bisect_left(self.uids, uid)
        return at + 1 if at < len(self.uids) and self.uids[at] == uid else None

    def runs(self, messages: SequenceSet, by_uid: bool) -> list[range] | None:
        """Give the message numbers that a set means, as ranges that ascend.

        UIDs that are not there are passed over (RFC 3501 section 6.4.8); None where the set names a
        number that is no message.
        """
        uids = self.uids
        if by_uid:
            ranges = messages.resolve(self.last_uid).ranges
            runs = [self._numbers(each.start, each.stop - 1) for each in ranges]
        elif messages.spans and (not uids or messages.highest > len(uids)):
            return None
        else:
            runs = list(messages.resolve(len(uids)).ranges)
        if messages.saved:
            runs = _joined(merge(runs, (self._numbers(uid, uid) for uid in self.saved), key=_start))
        return [run for run in runs if run]

    def _numbers(self, low: int, high: int) -> range:
        """Give the message numbers of UIDs from ``low`` to ``high``."""
        return range(bisect_left(self.uids, low) + 1, bisect_right(self.uids, high) + 1)

    def meant(self, messages: SequenceSet, by_uid: bool) -> Uids:
        """Give what a set means as ranges of UIDs; numbers of no message are passed over."""
        uids = self.uids
        numbers = messages.resolve(self.last_uid if by_uid else len(uids)).ranges
        if not by_uid:
            numbers = tuple(range(uids[run.start - 1], uids[run.stop - 2] + 1) for run in numbers)
        if messages.saved:
            saved = (range(uid, uid + 1) for uid in self.saved)
            numbers = tuple(_joined(merge(numbers, saved, key=_start)))
        return Uids(tuple((run.start, run.stop - 1) for run in numbers))

    def add_recent(self, first: int, last: int) -> None:
        """Take note of messages that are ``\\Recent`` from now on."""
        begin = self.recent[-1][1] + 1 if self.recent else first
        if self.recent and first <= begin:
            first = self.recent.pop()[0]
            last = max(last, begin - 1)
        self.recent.append((first, last))

    def is_recent(self, uid: int) -> bool:
        """Say whether a message is ``\\Recent``."""
        at = bisect_right(self.recent, uid, key=_start_of)
        return at > 0 and uid <= self.recent[at - 1][1]

    def count_recent(self) -> int:
        """Count the messages that are ``\\Recent``."""
        return sum(len(self._numbers(first, last)) for first, last in self.recent)

    def pick(self, messages: SequenceSet, by_uid: bool) -> Sequence[int] | None:
        """Give the UIDs that a set means; None where it names a number that is no message."""
        runs = self.runs(messages, by_uid)
        return None if runs is None else self.uids_of(runs)

    def uids_of(self, runs: Iterable[range]) -> Sequence[int]:
        """Give the UIDs of message numbers."""
        found = array(UID)
        for run in runs:
            found += self.uids[run.start - 1 : run.stop - 1]
        return found

    def add(self, uids: Iterable[int]) -> bool:
        """Take in messages that have come; say whether there were any."""
        last = self.last_uid
        new = array(UID, (uid for uid in uids if uid > last))
        # Whoever still has the old array keeps it as it is.
        self.uids = self.uids + new if new else self.uids
        return bool(new)

    def drop(self, gone: Iterable[int]) -> list[int]:
        """Forget messages that are gone.

        Gives their numbers, highest first: each is right when it is told.
        """
        numbers = [number for uid in sorted(gone) if (number := self.number(uid)) is not None]
        kept, end = array(UID), 0
        for number in numbers:
            kept += self.uids[end : number - 1]
            end = number
        self.uids = kept + self.uids[end:] if numbers else self.uids
        return numbers[::-1]


def _start(run: range) -> int:
    return run.start


def _start_of(ends: tuple[int, int]) -> int:
    return ends[0]


def _joined(runs: Iterable[range]) -> list[range]:
    """Put ranges whose starts ascend, but which may overlap, together."""
    joined: list[range] = []
    for run in runs:
        if joined and run.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(run.stop, joined[-1].stop))
        else:
            joined.append(run)
    return joined
