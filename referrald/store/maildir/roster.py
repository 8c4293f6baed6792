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
from functools import cached_property, lru_cache
from itertools import compress
from typing import TYPE_CHECKING, Final

from referrald.store.maildir.filenames import SEEN

if TYPE_CHECKING:
    from referrald.store.maildir.folders import Folder

UID: Final = "I"
"""The kind of array that holds UIDs: 32 bits each."""

KEYWORDS: Final = 128
"""The bit of those that have keywords, which are in a table of their own."""

KEPT: Final = 1_000_000
"""Messages of one account that are kept in memory, at most, besides those of one mailbox."""

FEW: Final = 50
"""Messages that are taken out of a roster one by one."""

Told = tuple[int, int, str]
"""UID, flags and keywords, as the index has them."""


class Roster:
    """The UIDs of all messages, ascending, and their flags as bits, in the same order.

    Nobody changes them: a later state has another roster.
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
        return next(iter(compress(self.uids, self.flags.translate(table(SEEN, False)))), None)

    def among(self, uids: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Give those of some UIDs that are there, ascending and each once, and their bits."""
        known, flags = self.uids, self.flags
        asked = uids if isinstance(uids, array) else array(UID, filter(_possible, uids))
        low = bisect_left(known, asked[0]) if asked else 0
        high = low + len(asked)
        if known[low:high] == asked:
            return asked, flags[low:high]
        wanted = set(asked)
        low, high = bisect_left(known, min(wanted)), bisect_right(known, max(wanted))
        if len(wanted) * FEW > high - low:
            chosen = list(map(wanted.__contains__, known[low:high]))
            return list(compress(known[low:high], chosen)), bytes(compress(flags[low:high], chosen))
        places = [(bisect_left(known, uid), uid) for uid in sorted(wanted)]
        there = [at for at, uid in places if at < len(known) and known[at] == uid]
        return [known[at] for at in there], bytes([flags[at] for at in there])

    def told(self, uids: Sequence[int]) -> Iterable[Told]:
        """Tell of those of some UIDs that are there, ascending."""
        keywords = self.keywords
        for uid, bits in zip(*self.among(uids), strict=True):
            yield uid, bits & ~KEYWORDS, keywords[uid] if bits & KEYWORDS else ""


def _possible(uid: int) -> bool:
    return 0 < uid < 2**32


@lru_cache(maxsize=16)
def table(bit: int, wanted: bool) -> bytes:
    """Give what turns flags into ones where a flag is as it is wanted, and zeros elsewhere."""
    return bytes(int(bool(flags & bit) is wanted) for flags in range(256))


class Rosters:
    """The rosters of an account; that which was used last is at the end."""

    def __init__(self) -> None:
        self._rosters: OrderedDict[int, Roster] = OrderedDict()

    def get(self, database: sqlite3.Connection, folder: Folder) -> Roster:
        """Give that of a mailbox as it is now; inside of `Index.reading`, like ``folder``."""
        known = self._rosters.get(folder.id)
        if known is None or known.modseq != folder.modseq:
            self._rosters[folder.id] = known = _brought_up(database, folder, known)
        self._rosters.move_to_end(folder.id)
        while len(self._rosters) > 1 and sum(len(r.uids) for r in self._rosters.values()) > KEPT:
            self._rosters.popitem(last=False)
        return known


def _brought_up(database: sqlite3.Connection, folder: Folder, known: Roster | None) -> Roster:
    if known is None or not folder.remembered <= known.modseq < folder.modseq:
        return _read(database, folder)
    key = (folder.id, known.modseq)
    changed = database.execute(
        "SELECT uid, flags, keywords FROM messages WHERE folder = ? AND modseq > ? ORDER BY uid",
        key,
    ).fetchall()
    gone = database.execute(
        "SELECT uid FROM expunged WHERE folder = ? AND modseq > ?", key
    ).fetchall()
    return _changed(known, folder.modseq, changed, {uid for (uid,) in gone})


def _read(database: sqlite3.Connection, folder: Folder) -> Roster:
    uids, flags, keywords = array(UID), bytearray(), {}
    found = database.execute(
        "SELECT uid, flags, keywords FROM messages WHERE folder = ? ORDER BY uid", (folder.id,)
    )
    for uid, bits, words in found:
        uids.append(uid)
        flags.append(bits | KEYWORDS if words else bits)
        if words:
            keywords[uid] = words
    return Roster(folder.modseq, uids, bytes(flags), keywords)


def _changed(known: Roster, modseq: int, changed: Sequence[Told], gone: set[int]) -> Roster:
    uids, flags = known.uids[:], bytearray(known.flags)
    keywords = dict(known.keywords)
    last = uids[-1] if uids else 0
    for uid, bits, words in changed:
        bits = bits | KEYWORDS if words else bits
        if uid > last:
            uids.append(uid)
            flags.append(bits)
        else:
            flags[bisect_left(uids, uid)] = bits
        keywords.pop(uid, None)
        if words:
            keywords[uid] = words
    _drop(uids, flags, gone)
    for uid in gone:
        keywords.pop(uid, None)
    return Roster(modseq, uids, bytes(flags), keywords)


def _drop(uids: array[int], flags: bytearray, gone: set[int]) -> None:
    """Take out those that are gone; some of them may have never been there."""
    if len(gone) > FEW:
        kept = [uid not in gone for uid in uids]
        flags[:] = bytes(compress(flags, kept))
        uids[:] = array(UID, compress(uids, kept))
        return
    for uid in gone:
        at = bisect_left(uids, uid)
        if at < len(uids) and uids[at] == uid:
            del uids[at], flags[at]
