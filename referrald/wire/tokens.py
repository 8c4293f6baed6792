"""The character classes of the grammar (RFC 3501 section 9), as pieces of bytes patterns."""

from __future__ import annotations

from typing import Final

ATOM: Final = rb"!#$&'+-\[^-z|-~"
"""ATOM-CHAR: printable ASCII except ``( ) { % * " \\ ]`` and space."""

ASTRING: Final = rb"\]" + ATOM
"""ASTRING-CHAR: ATOM-CHAR and ``]``."""

TAG: Final = rb"!#$&',-\[\]^-z|-~"
"""What a tag is made of: ASTRING-CHAR except ``+``."""

LIST: Final = rb"%*" + ASTRING
"""list-char: ASTRING-CHAR and the wildcards."""

PLAIN: Final = rb" !#-z|-~"
"""What may stand outside quoted strings at all: printable ASCII but ``"`` and ``{``."""

QUOTED: Final = rb'"[^\0\r\n"\\]*+(?:\\["\\][^\0\r\n"\\]*+)*"'
"""A quoted string; 8-bit characters are left to whoever takes the string apart."""

TEXT: Final = rb"[" + PLAIN + rb"]*+(?:" + QUOTED + rb"[" + PLAIN + rb"]*+)*"
"""Arguments up to a literal or the line's end. The loops are unrolled: matching is linear."""

MAX_NUMBER: Final = 0xFFFFFFFF
"""The largest ``number`` (32 bits, unsigned)."""
