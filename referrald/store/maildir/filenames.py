"""File names of messages: unique names, sizes in them, and flags behind them.

``cur/BASE:2,LETTERS``: the base stays as long as the message is there, the letters are its flags.
"""

from __future__ import annotations

import os
import re
import socket
import time
from functools import lru_cache
from itertools import count
from typing import Final

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = 1, 2, 4, 8, 16

BITS: Final = {
    "\\Seen": SEEN,
    "\\Answered": ANSWERED,
    "\\Flagged": FLAGGED,
    "\\Deleted": DELETED,
    "\\Draft": DRAFT,
}
LETTERS: Final = {"S": SEEN, "R": ANSWERED, "F": FLAGGED, "T": DELETED, "D": DRAFT}
MARK: Final = ":2,"

_SIZES = re.compile(r",S=(\d{1,15})\b.*,W=(\d{1,15})\b")
_numbers = count(1)


def _host() -> str:
    """Give the name of this host as it may stand in a file name."""
    name = socket.gethostname() or "localhost"
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:64]


HOST: Final = _host()


def new_base(stored: int, size: int) -> str:
    """Make the unchanging part of a new name, with the sizes on disk and as sent."""
    return f"{unique()},S={stored},W={size}"


def unique() -> str:
    """Make a name that nobody has used."""
    now = time.time_ns()
    seconds, micros = now // 10**9, now % 10**9 // 1000
    return f"{seconds}.M{micros:06d}P{os.getpid()}Q{next(_numbers)}.{HOST}"


def split(name: str) -> tuple[str, str]:
    """Part a file name into its base and what follows, ``:`` included."""
    base, colon, rest = name.partition(":")
    return base, colon + rest


def sizes(base: str) -> tuple[int, int] | None:
    """Give the sizes on disk and as sent, where the name tells both."""
    match = _SIZES.search(base)
    return None if match is None else (int(match[1]), int(match[2]))


@lru_cache(maxsize=1024)
def bits_of(info: str) -> int:
    """Give the flags that a file name tells."""
    if not info.startswith(MARK):
        return 0
    return sum(bit for letter, bit in LETTERS.items() if letter in info[len(MARK) :])


def info_of(bits: int, before: str = "") -> str:
    """Give what follows the base for these flags; letters of others in ``before`` are kept."""
    other = before[len(MARK) :] if before.startswith(MARK) else ""
    kept = {letter for letter in other if letter not in LETTERS and letter.isalpha()}
    ours = {letter for letter, bit in LETTERS.items() if bits & bit}
    return MARK + "".join(sorted(kept | ours))
