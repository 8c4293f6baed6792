"""Percent-encoding, with the character sets of RFC 5092 section 11."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from referrald.errors import UrlError

_ACHAR = r"A-Za-z0-9\-._~!$'()*+,&="
_BCHAR = _ACHAR + ":@/"
_ESCAPE = "%[0-9A-Fa-f]{2}"


class CharacterSet:
    """The characters that may stand as they are in one part of a URL.

    ``legal`` matches the longest valid beginning of an encoded text.
    """

    def __init__(self, members: str) -> None:
        self.legal = re.compile(f"(?:[{members}]|{_ESCAPE})*")
        self._unsafe = re.compile(f"[^{members}]+")

    def encode(self, text: str) -> str:
        """Percent-encode the UTF-8 octets of everything that is not in the set."""
        return self._unsafe.sub(_escape, text)

    def decode(self, raw: str, refused: str = "\0\r\n") -> str:
        """Undo `encode`; raises `UrlError` with an offset into ``raw``.

        refused: characters that must not come out, however they are written.
        """
        end = _end(self.legal, raw)
        if end < len(raw):
            raise UrlError(_illegal(raw[end]), text=raw, offset=end)
        if "%" not in raw:
            return raw
        octets = unquote_to_bytes(raw)
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UrlError("not UTF-8", text=raw, offset=_place(raw, error.start)) from None
        for character in refused:
            if character in text:
                at = _place(raw, octets.index(character.encode()))
                raise UrlError("an encoded NUL, CR or LF", text=raw, offset=at)
        return text


USER: Final = CharacterSet(_ACHAR)
"""``achar``: users and mechanisms."""

PATH: Final = CharacterSet(_BCHAR)
"""``bchar``: mailboxes, sections and searches."""

HOST: Final = CharacterSet(_ACHAR + r";\u0080-\U0010ffff")
"""``reg-name`` of RFC 3986, and raw non-ASCII as people write it (RFC 3987)."""


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match.group().encode("utf-8"))


def _end(pattern: re.Pattern[str], raw: str) -> int:
    match = pattern.match(raw)
    return match.end() if match else 0


def _illegal(character: str) -> str:
    if character == "%":
        return "a % without two hexadecimal digits"
    return f"{character!r} must be percent-encoded here"


def _place(raw: str, octet: int) -> int:
    """Find where in ``raw`` the octet stands that is number ``octet`` when decoded."""
    at = 0
    while octet > 0:
        octet -= 1 if raw[at] == "%" else len(raw[at].encode("utf-8"))
        at += 3 if raw[at] == "%" else 1
    return at
