"""Header fields in which an mbox keeps what it knows of a message. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from referrald.mailfiles.messages import is_blank, possible

FIELDS: Final = frozenset(
    (
        b"status", b"x-status", b"x-keywords", b"x-uid", b"x-imap", b"x-imapbase",
        b"content-length",
    )
)  # fmt: skip
"""Fields that belong to the mbox, in lower case: they are no part of the message that was sent."""

LETTERS: Final = {
    b"status": {"R": "\\Seen"},
    b"x-status": {"A": "\\Answered", "F": "\\Flagged", "T": "\\Draft", "D": "\\Deleted"},
}

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")


class StatusFilter:
    """Takes those fields out of a message, line by line.

    in_header: the empty line has not come yet.
    """

    def __init__(self) -> None:
        self.in_header = True
        self._found: dict[bytes, bytes] = {}
        self._at: bytes | None = None

    def passes(self, line: bytes, *, starts: bool = True) -> bool:
        """Take a line of the header; says whether it belongs to the message.

        starts: it is the beginning of a line, not a further piece of a long one.
        """
        if starts and is_blank(line):
            self.in_header = False
            return True
        if starts and not line.startswith((b" ", b"\t")):
            match = _NAME.match(line)
            name = match[1].lower() if match else b""
            self._at = name if name in FIELDS else None
            line = line[match.end() :] if match else line
        if self._at is not None:
            self._found[self._at] = self._found.get(self._at, b"") + b" " + line.strip()
        return self._at is None

    @property
    def internal(self) -> bool:
        """True for what a program has put first for itself, and nobody has sent."""
        return b"x-imap" in self._found

    @property
    def flags(self) -> tuple[str, ...]:
        """Give the flags and keywords; what can be none is left out."""
        found = [
            flag
            for name, letters in LETTERS.items()
            for letter, flag in letters.items()
            if letter in self._found.get(name, b"").decode("ascii", "replace")
        ]
        words = self._found.get(b"x-keywords", b"").decode("ascii", "replace").split()
        return possible([*found, *(word for word in words if not word.startswith("\\"))])


def status_fields(flags: Iterable[str]) -> bytes:
    """Write the fields that say which flags a message has."""
    given = {flag.lower(): flag for flag in flags}
    lines = [b"Status: " + (b"RO" if "\\seen" in given else b"O") + b"\n"]
    letters = [letter for letter, flag in LETTERS[b"x-status"].items() if flag.lower() in given]
    if letters:
        lines.append(b"X-Status: " + "".join(letters).encode("ascii") + b"\n")
    words = [flag for flag in given.values() if not flag.startswith("\\")]
    if words:
        lines.append(b"X-Keywords: " + " ".join(words).encode("ascii") + b"\n")
    return b"".join(lines)
