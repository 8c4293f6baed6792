"""Flags and keywords: one spelling for each in a mailbox, and what can be one at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from referrald.errors import NotPossible, OverQuota, UnknownUse

FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
ANY = "\\*"
KEYWORDS = 1000
"""Keywords that one mailbox may have: each SELECT tells them all."""

# flag-keyword = atom (RFC 3501 section 9)
ATOM = re.compile(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]+')

USES = {
    use.lower(): use
    for use in ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
}
"""The special uses of RFC 6154, by their lower-case spelling."""


class Flags:
    """The flags of one mailbox: the system's, and the keywords that clients have made."""

    def __init__(self) -> None:
        self._spelling = {flag.lower(): flag for flag in FLAGS}

    @property
    def all(self) -> tuple[str, ...]:
        """Name every flag and keyword."""
        return tuple(self._spelling.values())

    @property
    def permanent(self) -> tuple[str, ...]:
        """Name what can be changed for good; ``\\*`` while there is room for keywords."""
        full = len(self._spelling) >= len(FLAGS) + KEYWORDS
        return self.all if full else (*self.all, ANY)

    def fresh(self, flags: Iterable[str]) -> dict[str, str]:
        """Give the keywords among ``flags`` that are new, by their lower-case spelling.

        Raises `NotPossible` where something is no flag, `OverQuota` where there are too many.
        """
        found: dict[str, str] = {}
        for flag in flags:
            low = flag.lower()
            if low not in self._spelling:
                if not ATOM.fullmatch(flag):
                    raise NotPossible(public="There is no such flag.")
                found.setdefault(low, flag)
        if found and len(self._spelling) + len(found) > len(FLAGS) + KEYWORDS:
            raise OverQuota(public="This mailbox has too many keywords.")
        return found

    def add(self, fresh: Mapping[str, str]) -> None:
        """Take new keywords in, as `fresh` gave them."""
        self._spelling.update(fresh)

    def spelled(self, flags: Iterable[str], fresh: Mapping[str, str]) -> frozenset[str]:
        """Give flags in the one spelling; those neither known nor ``fresh`` are left out."""
        lows = {flag.lower() for flag in flags}
        return frozenset(
            self._spelling.get(low) or fresh[low]
            for low in lows
            if low in self._spelling or low in fresh
        )


def special_uses(given: Iterable[str]) -> tuple[str, ...]:
    """Give special uses in their usual spelling, each once, or raise `UnknownUse`."""
    try:
        return tuple(dict.fromkeys(USES[use.lower()] for use in given))
    except KeyError as error:
        raise UnknownUse from error
