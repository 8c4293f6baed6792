"""Names in a Maildir: of messages with their flags, of the folders of Maildir++. Pure."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from referrald.errors import WireError
from referrald.mailfiles.messages import possible
from referrald.wire.names import decode_utf7

LETTERS: Final = {
    "D": "\\Draft",
    "F": "\\Flagged",
    "P": "$Forwarded",
    "R": "\\Answered",
    "S": "\\Seen",
    "T": "\\Deleted",
}
"""What the letters behind a name mean; small ones are keywords, as Dovecot numbers them."""

KEYWORDS: Final = "abcdefghijklmnopqrstuvwxyz"

_INFO = re.compile(r"[:;!]2,([^:;!]*)$")
_ARRIVAL = re.compile(r"(\d{1,12})(?:\.[^.:]*?M(\d{1,6})(?!\d)(?:[^.:]*?Q(\d{1,9})(?!\d))?)?")
_NUMBERED = re.compile(r"(\d+) (.+)")
_PLAIN = re.compile(r"[ -%'-\-0-~]+|&|[^ -\-0-~]+")
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


def arrival_of(name: str) -> tuple[int, int, int, str]:
    """Give what messages are sorted by to have them in the order in which they came.

    It is seconds, microseconds (``M``) and the number in a process (``Q``), as programs write them
    into the names of files, mostly without zeros in front; names without come first.
    """
    match = _ARRIVAL.match(name)
    seconds, micros, number = match.groups("0") if match else ("0", "0", "0")
    return int(seconds), int(micros), int(number), name


def flags_of(name: str, keywords: Mapping[str, str]) -> tuple[str, ...]:
    """Give the flags that a file name tells; ``keywords`` are what small letters mean."""
    info = _INFO.search(name)
    letters = info[1] if info else ""
    return possible([(LETTERS.get(each) or keywords.get(each, "")) for each in letters])


def info_of(flags: Iterable[str], keywords: Sequence[str] = ()) -> str:
    """Write flags as they stand behind a name; those beyond the letters are left out."""
    meant = {flag.lower(): letter for letter, flag in LETTERS.items()}
    small = zip(keywords, KEYWORDS, strict=False)
    meant |= {keyword.lower(): letter for keyword, letter in small}
    return ":2," + "".join(sorted({meant[f.lower()] for f in flags if f.lower() in meant}))


def read_keywords(text: str) -> dict[str, str]:
    """Read Dovecot's file of keywords: a number and a word in each line."""
    found = {}
    for line in text.splitlines():
        match = _NUMBERED.fullmatch(line)
        if match and int(match[1]) < len(KEYWORDS):
            found[KEYWORDS[int(match[1])]] = match[2]
    return found


def write_keywords(keywords: Sequence[str]) -> str:
    """Write such a file."""
    return "".join(f"{number} {word}\n" for number, word in enumerate(keywords))


def levels_of(directory: str) -> tuple[str, ...]:
    """Give the levels of a folder's name, such as ``.Work.2025``; empty ones are dropped.

    They are in modified UTF-7, or in UTF-8 with some servers.
    """
    return tuple(decoded(level) for level in directory.split(".") if level)


def decoded(level: str) -> str:
    """Give one level of a name, however it is written."""
    try:
        return decode_utf7(level.encode("utf-8", "surrogateescape"))
    except WireError:
        pass
    try:
        # Dots are written so: in themselves they would part levels.
        return _SHIFTED.sub(_unshifted, level)
    except ValueError:
        return level.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unshifted(match: re.Match[str]) -> str:
    code = match[1].replace(",", "/")
    if not code:
        return "&"
    units = binascii.a2b_base64(code + "=" * (-len(code) % 4), strict_mode=True)
    return units.decode("utf-16-be")


def directory_of(levels: Sequence[str]) -> str:
    """Give the name of a folder; dots and slashes in a level are written as other scripts are."""
    return "".join("." + "".join(map(_encoded, _PLAIN.findall(level))) for level in levels)


def _encoded(run: str) -> str:
    if run == "&":
        return "&-"
    if " " <= run[0] <= "~" and run[0] not in "./":
        return run
    code = binascii.b2a_base64(run.encode("utf-16-be"), newline=False).rstrip(b"=")
    return f"&{code.replace(b'/', b',').decode('ascii')}-"
