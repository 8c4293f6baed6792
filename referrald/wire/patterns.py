"""Which names the patterns of LIST match (RFC 3501 section 6.3.8, RFC 5258 section 3).

``*`` stands for anything, ``%`` for anything without the delimiter. The work for a name grows with
its length only, whatever the patterns are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from referrald.errors import WireError
from referrald.wire.listing import ListQuery

MAX_PATTERN: Final = 1000
"""Characters of a pattern; no mailbox has a name that long."""

QUICK: Final = 8
"""How many patterns of a command are tried one after another; all others are tried at once."""

_WILD = re.compile("[*%]")
_START = re.compile("[A-Za-z]{1,5}(?=[*%])")
_RUN = re.compile("[*%]{2,}")


def matcher(query: ListQuery, delimiter: str) -> Callable[[str], bool]:
    """Make the test whether a name matches any pattern of a query.

    Raises `WireError` for a pattern that is too long; in an extended LIST such a one is passed
    over (RFC 5258 section 3).
    """
    return _any_of(query, query.patterns, delimiter)


def level_matcher(query: ListQuery, delimiter: str) -> Callable[[str], bool] | None:
    """Make the test for levels above mailboxes: only patterns that end with ``%`` show these.

    None where no pattern does (RFC 3501 section 6.3.8).
    """
    patterns = [pattern for pattern in query.patterns if pattern.endswith("%")]
    return _any_of(query, patterns, delimiter) if patterns else None


def _any_of(query: ListQuery, patterns: Iterable[str], delimiter: str) -> Callable[[str], bool]:
    if query.extended:
        patterns = [pattern for pattern in patterns if pattern]
    wholes = [_folded(query.reference + pattern, delimiter) for pattern in patterns]
    if not query.extended and any(len(whole) > MAX_PATTERN for whole in wholes):
        raise WireError("Pattern too long.")
    wholes = [whole for whole in wholes if len(whole) <= MAX_PATTERN]
    matches = _compile(wholes, delimiter)
    inboxes = [spelled for whole in wholes if (spelled := _as_inbox(whole)) != whole]
    if not inboxes:
        return matches
    inbox, below = _compile(inboxes, delimiter), f"INBOX{delimiter}"
    return lambda name: (
        matches(name)
        or ((name == "INBOX" or (below != "INBOX" and name.startswith(below))) and inbox(name))
    )


def _as_inbox(whole: str) -> str:
    """Write a pattern like ``inb*`` as one that INBOX, which is so in any case, can match."""
    start = _START.match(whole)
    if start is None or not "INBOX".startswith(start[0].upper()):
        return whole
    return start[0].upper() + whole[start.end() :]


def _compile(wholes: Sequence[str], delimiter: str) -> Callable[[str], bool]:
    exact = frozenset(whole for whole in wholes if not _WILD.search(whole))
    quick: list[Callable[[str], bool]] = []
    union = _Union(delimiter)
    for whole in dict.fromkeys(_simple(whole) for whole in wholes if whole not in exact):
        test = _glob(whole, delimiter) if len(quick) < QUICK else None
        if test is None:
            union.add(whole)
        else:
            quick.append(test)
    if union.starts:
        quick.append(union)
    if not exact and len(quick) == 1:
        return quick[0]
    return lambda name: name in exact or any(test(name) for test in quick)


def _simple(whole: str) -> str:
    """Write wildcards that stand together as the one that they amount to."""
    return _RUN.sub(lambda run: "*" if "*" in run[0] else "%", whole)


def _glob(whole: str, delimiter: str) -> Callable[[str], bool] | None:
    """Make a test that needs no loop over characters; None where both wildcards occur."""
    if whole == "*":
        return lambda _name: True
    if delimiter in ("*", "%") or ("*" in whole and "%" in whole and delimiter):
        return None
    if "%" not in whole or not delimiter:
        pieces = whole.replace("%", "*").split("*")
        return lambda name: _fits(name, pieces)
    levels = [level.split("%") for level in whole.split(delimiter)]
    deep = len(levels) - 1
    return lambda name: (
        name.count(delimiter) == deep and all(map(_fits, name.split(delimiter), levels))
    )


def _fits(text: str, pieces: Sequence[str]) -> bool:
    """Say whether ``pieces`` make up a text, with anything between them."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return text == first
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in pieces[1:-1]:
        # The first place is the best one: what comes after it has the most room.
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _folded(whole: str, delimiter: str) -> str:
    """Write a first level that is INBOX in any case as the one INBOX."""
    first = whole.partition(delimiter)[0] if delimiter else whole
    if first.isascii() and first.upper() == "INBOX":
        return "INBOX" + whole[len(first) :]
    return whole


class _Union:
    """Many patterns at once, without backtracking: all ways to match are bits of one integer.

    Bit *i* says that the first *i* literal characters have been met; a wildcard after *i* of them
    keeps that bit alive. Each pattern has a run of bits of its own, so the work for a name does not
    grow with the number of patterns, of which `MAX_PATTERN` characters are taken in all.
    """

    __slots__ = (
        "_anything",
        "_bit",
        "_delimiter",
        "_goals",
        "_size",
        "_steps",
        "_within",
        "starts",
    )

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._anything = self._within = self.starts = self._goals = self._size = 0
        self._steps: dict[str, int] = {}
        self._bit = 1

    def add(self, whole: str) -> None:
        """Add a pattern, unless there is no room for it any more."""
        self._size += len(whole)
        if self._size > MAX_PATTERN:
            return
        bit = self._bit
        self.starts |= bit
        for char in whole:
            if char == "*":
                self._anything |= bit
            elif char == "%":
                self._within |= bit
            else:
                self._steps[char] = self._steps.get(char, 0) | bit
                bit <<= 1
        self._goals |= bit
        # No step leads from the goal of one pattern to the start of the next.
        self._bit = bit << 1

    def __call__(self, name: str) -> bool:
        anything, anywhere = self._anything, self._anything | self._within
        steps, delimiter = self._steps, self._delimiter
        state = self.starts
        for char in name:
            kept = state & (anything if char == delimiter else anywhere)
            state = (state & steps.get(char, 0)) << 1 | kept
            if not state:
                return False
        return bool(state & self._goals)
