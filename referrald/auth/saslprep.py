"""SASLprep (RFC 4013): the one form of a user name or password, whatever keyboard it came from."""

from __future__ import annotations

import stringprep
import unicodedata

# RFC 3454 is bound to Unicode 3.2; later characters pass as "unassigned", which a query may hold.
_normalize = unicodedata.ucd_3_2_0.normalize

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Give ``text`` in its prepared form, as a query string (unassigned code points are allowed).

    Raises ValueError, which never quotes the text, when it holds what RFC 4013 prohibits.
    """
    if text.isascii():
        # Of the tables only that of control characters has any of these in it.
        if text and not text.isprintable():
            raise ValueError("prohibited character")
        return text
    kept = (char for char in text if not stringprep.in_table_b1(char))
    spaced = "".join(" " if stringprep.in_table_c12(char) else char for char in kept)
    prepared = _normalize("NFKC", spaced)
    if any(prohibited(char) for char in prepared for prohibited in _PROHIBITED):
        raise ValueError("prohibited character")
    _check_direction(prepared)
    return prepared


def _check_direction(text: str) -> None:
    """Refuse text that mixes writing directions (RFC 3454 section 6)."""
    if text.isascii() or not any(stringprep.in_table_d1(char) for char in text):
        return
    if any(stringprep.in_table_d2(char) for char in text):
        raise ValueError("mixed writing directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("right-to-left text with other ends")
