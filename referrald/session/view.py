"""What the client knows of the selected mailbox: its message numbers, each with its UID.

A number means the same message until the client has been told otherwise, whatever happens in the
mailbox meanwhile (RFC 3501 section 2.3.1.2). So messages are asked for by UID only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from referrald.wire.sets import SequenceSet


class View:
    """The UIDs of the messages that the client knows of, ascending."""

    def __init__(self, uids: Iterable[int] = ()) -> None:
        self.uids = list(uids)

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

    def pick(self, messages: SequenceSet, by_uid: bool) -> list[int] | None:
        """Give the UIDs that a set means; None where it names a number that is no message.

        UIDs that are not there are passed over (RFC 3501 section 6.4.8).
        """
        uids = self.uids
        if by_uid:
            ranges = messages.resolve(self.last_uid).ranges
            pieces = ((bisect_left(uids, r.start), bisect_right(uids, r.stop - 1)) for r in ranges)
            return [uid for begin, end in pieces for uid in uids[begin:end]]
        if not uids or messages.highest > len(uids):
            return None
        return [uids[number - 1] for number in messages.iterate(len(uids))]

    def add(self, uids: Iterable[int]) -> bool:
        """Take in messages that have come; say whether there were any."""
        last = self.last_uid
        new = [uid for uid in uids if uid > last]
        self.uids += new
        return bool(new)

    def drop(self, present: Iterable[int]) -> list[int]:
        """Keep only the UIDs that are still ``present``.

        Gives the numbers of the others, highest first: each is right when it is told.
        """
        there = set(present)
        gone = [number for number, uid in enumerate(self.uids, 1) if uid not in there]
        self.uids = [uid for uid in self.uids if uid in there]
        return gone[::-1]
