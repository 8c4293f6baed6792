"""Where one response of a server ends and the next begins, told without taking them apart."""

from __future__ import annotations

import re
from typing import Final

_LITERAL: Final = re.compile(rb"\{([0-9]{1,20})\+?\}\r\n")
_HEAD: Final = 24
"""Bytes of a literal's head, from ``{`` to the line's end: so many are kept of what went by."""


class ResponseEdges:
    """Follows what a server sends, in whatever pieces; literals are not looked into."""

    __slots__ = ("_missing", "_tail")

    def __init__(self) -> None:
        self._missing = 0
        self._tail = b"\r\n"

    @property
    def between(self) -> bool:
        """True when something may be said here that is no part of a response."""
        return self._tail.endswith(b"\r\n")

    def feed(self, data: bytes) -> None:
        """Take note of what came."""
        at = self._missing
        if at and at >= len(data):
            self._missing = at - len(data)
            return
        if data.endswith(b"\r\n") and b"}\r\n" not in data and self._tail.endswith(b"\r\n"):
            # Whole lines and no literal, as nearly always.
            self._tail = b"\r\n"
            return
        # A line's end, or the head of a literal, may come in two pieces. Within a literal there is
        # no tail, so that ``at`` still counts.
        data = self._tail + data
        while (found := _LITERAL.search(data, at)) is not None:
            at = found.end() + int(found[1])
            if at >= len(data):
                self._missing, self._tail = at - len(data), b""
                return
        self._missing, self._tail = 0, data[max(at, len(data) - _HEAD) :]
