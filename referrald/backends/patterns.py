"""Globs over user names: ``*`` is any run of characters, ``?`` any one; nothing else is special."""

from __future__ import annotations

import re
from functools import lru_cache


class Pattern:
    """One glob over whole names; takes time linear in the name for each of its parts."""

    def __init__(self, glob: str) -> None:
        self.glob = glob
        self._first, *self._middle = glob.split("*")
        self._last = self._middle.pop() if self._middle else None
        self._shortest = len(glob.replace("*", ""))

    def matches(self, name: str) -> bool:
        """Tell whether the whole of ``name`` fits."""
        if self._last is None:
            return len(name) == self._shortest and _is_at(self._first, name, 0)
        end = len(name) - len(self._last)
        if len(name) < self._shortest:
            return False
        if not _is_at(self._first, name, 0) or not _is_at(self._last, name, end):
            return False
        start = len(self._first)
        for part in self._middle:
            found = _find(part, name, start, end)
            if found < 0:
                return False
            start = found + len(part)
        return True


def _is_at(part: str, name: str, start: int) -> bool:
    if "?" in part:
        return _compiled(part).match(name, start) is not None
    return name.startswith(part, start)


def _find(part: str, name: str, start: int, end: int) -> int:
    """Find the leftmost place of a part; taking that one leaves most room for the others."""
    if "?" in part:
        match = _compiled(part).search(name, start, end)
        return -1 if match is None else match.start()
    return name.find(part, start, end)


@lru_cache(maxsize=1024)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile("".join("." if char == "?" else re.escape(char) for char in part), re.DOTALL)
