"""The messages of a mailbox in memory, five bytes each: what the index is asked for most often.

A roster is that of one state of the index. It belongs to no session: all that have the mailbox open
share it.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import compress
from typing import Final

from referrald.store.maildir.filenames import SEEN
from referrald.store.maildir.folders import Folder

UID: Final = "I"
"""The kind of array that holds UIDs: 32 bits each."""

KEYWORDS: Final = 128
"""The bit of those that have keywords, which are looked up elsewhere."""

KEPT: Final = 1_000_000
"""Messages of one account that are kept in memory, at most, besides those of one mailbox."""

_SELECT: Final = "SELECT uid, flags, keywords FROM messages WHERE folder = ? "


class Roster:
    """The UIDs of all messages, ascending, and their flags as bits, in the same order.

    Nobody changes either: a later state is another roster.
    """

    def __init__(
        self, modseq: int, uids: array[int], flags: bytes, keywords: dict[int, str]
    ) -> None:
        self.modseq = modseq
        self.uids = uids
        self.flags = flags
        self.keywords = keywords

    @cached_property
    def first_unseen(self) -> int | None:
        """The UID of the first message without ``\\Seen``."""
        return next(iter(compress(self.uids, self.flags.translate(_without(SEEN)))), None)

    def places(self, uids: Sequence[int]) -> slice | list[int]:
        """Say where those of some UIDs are that are there, ascending and each once."""
        known = self.uids
        if not uids:
            return []
        low, high = bisect_left(known, min(uids)), bisect_right(known, max(uids))
        asked = uids if isinstance(uids, array) else array(UID, uids)
        if known[low:high] == asked:
            return slice(low, high)
        wanted = set(uids)
        return [at for at in range(low, high) if known[at] in wanted]

    def having(self, bit: int, wanted: bool, low: int, high: int) -> array[int]:
        """Give those UIDs from ``low`` to ``high`` that have a flag, or have it not."""
        begin, end = bisect_left(self.uids, low), bisect_right(self.uids, high)
        chosen = self.flags[begin:end].translate(_with(bit) if wanted else _without(bit))
        return array(UID, compress(self.uids[begin:end], chosen))

    def pairs(self, uids: Sequence[int]) -> Iterable[tuple[int, int, str]]:
        """Give UID, flags and keywords of those of some UIDs that are there, ascending."""
        where = self.places(uids)
        if isinstance(where, slice):
            found: Iterable[tuple[int, int]] = zip(
                self.uids[where], self.flags[where], strict=True
            )
        else:
            found = ((self.uids[at], self.flags[at]) for at in where)
        keywords = self.keywords
        return ((uid, bits & ~KEYWORDS, keywords.get(uid, "")) for uid, bits in found)


def _with(bit: int) -> bytes:
    return bytes(int(bool(flags & bit)) for flags in range(256))


def _without(bit: int) -> bytes:
    return bytes(int(not flags & bit) for flags in range(256))
