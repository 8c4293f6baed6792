"""Modification sequences in commands (RFC 7162 section 7). Pure."""

from __future__ import annotations

import re
from typing import Final

from referrald.errors import WireError
from referrald.wire.arguments import Arguments

MAX_MODSEQ: Final = (1 << 63) - 1
_DIGITS = re.compile(rb"[0-9]{1,20}")
_OPEN = re.compile(rb"\(")
_CLOSE = re.compile(rb"\)")


def modseq(arguments: Arguments) -> int:
    """Take a number of 63 bits."""
    number = int(arguments.production(_DIGITS, "a modification sequence")[0])
    if number > MAX_MODSEQ:
        raise WireError("Number too big.")
    return number


def modifier(arguments: Arguments, name: bytes) -> int:
    """Take ``(name modseq)``."""
    arguments.production(_OPEN, "a modifier in parentheses")
    if arguments.atom().upper() != name:
        raise WireError("Unknown modifier.")
    arguments.space()
    number = modseq(arguments)
    arguments.production(_CLOSE, "the end of the modifiers")
    return number
