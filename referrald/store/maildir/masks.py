"""Queries about flags and UIDs, answered for all messages at once out of a roster.

A mask is a number with a byte for each message, the first one in the lowest byte: 1 where it is
meant, 0 where not.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import reduce
from itertools import compress
from operator import and_

from referrald.query import All, Either, Flag, Not, Query, Uids
from referrald.store.maildir.filenames import BITS
from referrald.store.maildir.roster import UID, Roster, table

_BITS = {name.lower(): bit for name, bit in BITS.items()}


def matching(query: Query, roster: Roster) -> array[int] | None:
    """Give the UIDs of the messages that match, None where a roster does not tell."""
    mask = _mask(query, roster)
    if mask is None:
        return None
    return array(UID, compress(roster.uids, mask.to_bytes(len(roster.uids), "little")))


def _mask(query: Query, roster: Roster) -> int | None:
    if isinstance(query, All):
        masks = [_mask(part, roster) for part in query.parts]
        known = [mask for mask in masks if mask is not None]
        return reduce(and_, known, _all(roster)) if len(known) == len(masks) else None
    if isinstance(query, Either):
        first, second = _mask(query.first, roster), _mask(query.second, roster)
        return None if first is None or second is None else first | second
    if isinstance(query, Not):
        inner = _mask(query.inner, roster)
        return None if inner is None else _all(roster) ^ inner
    if isinstance(query, Uids):
        return _uids(query, roster)
    return _flag(query, roster) if isinstance(query, Flag) else None


def _number(mask: bytes | bytearray) -> int:
    return int.from_bytes(mask, "little")


def _all(roster: Roster) -> int:
    return _number(b"\1" * len(roster.uids))


def _uids(query: Uids, roster: Roster) -> int:
    mask, known = bytearray(len(roster.uids)), roster.uids
    for low, high in query.ranges:
        begin, end = bisect_left(known, low), bisect_right(known, high)
        mask[begin:end] = b"\1" * (end - begin)
    return _number(mask)


def _flag(query: Flag, roster: Roster) -> int:
    name = query.name.lower()
    if name in _BITS:
        return _number(roster.flags.translate(table(_BITS[name], True)))
    mask = bytearray(len(roster.uids))
    for uid, words in roster.keywords.items():
        if name in words.lower().split():
            mask[bisect_left(roster.uids, uid)] = 1
    return _number(mask)
