"""Whose answers differ between two images of one source."""

from __future__ import annotations

from referrald.backends.image import USER, Image

CHANGES_TOLD = 100
PAIRS_KEPT = 10_000


def changes(old: Image, new: Image, limit: int = CHANGES_TOLD) -> tuple[str, ...] | None:
    """Name the users whose records differ; None when more than ``limit`` do, or all may.

    A changed domain, pattern or default may concern anybody.
    """
    if old.notes.get("rules") != new.notes.get("rules"):
        return None
    found: set[bytes] = set()
    alike = _Alike(old, new)
    in_both = 0
    for place in new.places():
        key = new.key(place)
        before = old.place(key)
        in_both += before is not None
        if (before is None or not alike(before, place)) and not _note(found, key, limit):
            return None
    removed = old.count - in_both
    for place in old.places() if removed else ():
        key = old.key(place)
        if new.place(key) is None and not _note(found, key, limit):
            return None
    return tuple(sorted(key[1:].decode() for key in found))


class _Alike:
    """Compares records, but not the lines that they stand in; each pair of homes once."""

    def __init__(self, old: Image, new: Image) -> None:
        self._old, self._new = old, new
        self._homes: dict[tuple[int, int], bool] = {}

    def __call__(self, before: int, place: int) -> bool:
        (one, body), (other, new_body) = self._old.body(before), self._new.body(place)
        if body != new_body:
            return False
        known = self._homes.get((one, other))
        if known is None:
            if len(self._homes) >= PAIRS_KEPT:
                self._homes.clear()
            known = self._old.home_bytes(one) == self._new.home_bytes(other)
            self._homes[one, other] = known
        return known


def _note(found: set[bytes], key: bytes, limit: int) -> bool:
    """Add a key; False when the list is of no use any more."""
    found.add(key)
    return key[:1] == USER and len(found) <= limit
