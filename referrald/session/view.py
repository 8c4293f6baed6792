"""What the client knows of the selected mailbox: its message numbers, each with its UID.

A number means the same message until the client has been told otherwise, whatever happens in the
mailbox meanwhile (RFC 3501 section 2.3.1.2). So messages are asked for by UID only.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from referrald.wire.sets import SequenceSet

UID: Final = "I"
"""The kind of array that holds UIDs: 32 bits each, for there may be very many."""


class View:
    """The UIDs of the messages that the client knows of, ascending."""

    def __init__(self, uids: Iterable[int] = ()) -> None:
        self.uids = array(UID, uids)

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
        if not by_uid:
            if not uids or messages.highest > len(uids):
                return None
            return list(messages.resolve(len(uids)).ranges)
        ranges = messages.resolve(self.last_uid).ranges
        pieces = ((bisect_left(uids, r.start), bisect_right(uids, r.stop - 1)) for r in ranges)
        return [range(begin + 1, end + 1) for begin, end in pieces if begin < end]

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
