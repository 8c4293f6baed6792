"""What can be the name of a mailbox, and the levels of one. Pure."""

from __future__ import annotations

import unicodedata

from referrald.errors import NotPossible

DELIMITER = "/"
INBOX = "INBOX"
LEVEL = 255
"""Characters that one level of a name may have."""

LONGEST = 1000
"""Characters that a name may have."""

FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that RFC 5198 keeps out: control characters, surrogates, line separators."""


def checked(name: str) -> str:
    """Give ``name`` if a mailbox can be called so, else raise `NotPossible`."""
    if not name:
        raise NotPossible(public="A mailbox needs a name.")
    if any(unicodedata.category(character) in FORBIDDEN for character in name):
        raise NotPossible(public="That name has characters that no name may have.")
    levels = name.split(DELIMITER)
    if not all(levels):
        raise NotPossible(public="That name has an empty level.")
    if len(name) > LONGEST or max(map(len, levels)) > LEVEL:
        raise NotPossible(public="That name is too long.")
    return name


def undelimited(name: str) -> str:
    """Drop the one delimiter that a client may put after a name (RFC 3501 section 6.3.3)."""
    return name.removesuffix(DELIMITER)


def above(name: str) -> list[str]:
    """Name the levels above ``name``, from the top."""
    return [name[:at] for at, character in enumerate(name) if character == DELIMITER]


def is_below(name: str, top: str) -> bool:
    """Say whether ``name`` is an inferior of ``top``."""
    return name.startswith(top + DELIMITER)
