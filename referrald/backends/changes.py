"""Whose answers differ between two images of one source."""

from __future__ import annotations

from referrald.backends.image import USER, Image

CHANGES_TOLD = 100


def changes(old: Image, new: Image, limit: int = CHANGES_TOLD) -> tuple[str, ...] | None:
    """Name the users whose records differ; None when more than ``limit`` do, or all may.

    A changed domain, pattern or default may concern anybody.
    """
    if old.notes.get("rules") != new.notes.get("rules"):
        return None
    found: set[bytes] = set()
    in_both = 0
    for place in new.places():
        key = new.key(place)
        before = old.place(key)
        in_both += before is not None
        if before is not None and _alike(old, before, new, place):
            continue
        if not _note(found, key, limit):
            return None
    removed = old.count - in_both
    for place in old.places() if removed else ():
        key = old.key(place)
        if new.place(key) is None and not _note(found, key, limit):
            return None
    return tuple(sorted(key[1:].decode() for key in found))


def _alike(old: Image, before: int, new: Image, place: int) -> bool:
    """Compare two records, but not the lines that they stand in."""
    one, other = old.record(before), new.record(place)
    return one[3:] == other[3:] and old.home_bytes(one.home) == new.home_bytes(other.home)


def _note(found: set[bytes], key: bytes, limit: int) -> bool:
    """Add a key; False when the list is of no use any more."""
    found.add(key)
    return key[:1] == USER and len(found) <= limit
