"""Mailbox names: modified UTF-7 and the patterns of LIST (RFC 3501 sections 5.1.3 and 6.3.8)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Final

from referrald.errors import WireError

_PLAIN = re.compile(rb"[ -%'-~]*")
_ENCODE = re.compile(r"&|[^ -~]+")
_DECODE = re.compile(rb"&([A-Za-z0-9+,]*+)-")
_NEVER = re.compile("[\0\r\n]")


def encode_utf7(name: str) -> bytes:
    """Encode a name for the wire; raises `ValueError` for NUL, CR, LF and lone surrogates."""
    if _NEVER.search(name):
        raise ValueError("a mailbox name takes no NUL, CR or LF")
    return _ENCODE.sub(_shift, name).encode("ascii")


def _shift(match: re.Match[str]) -> str:
    run = match.group()
    if run == "&":
        return "&-"
    code = binascii.b2a_base64(run.encode("utf-16-be"), newline=False).rstrip(b"=")
    return f"&{code.replace(b'/', b',').decode('ascii')}-"


def decode_utf7(raw: bytes) -> str:
    """Decode a name from the wire; only the one canonical form of a name is taken.

    So nothing hides in it: no encoded printable ASCII (``&AC8-`` for ``/``), no superfluous
    shift, no stray bits, no lone surrogate, no NUL, CR or LF.
    """
    if _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    try:
        name = _DECODE.sub(_unshift, raw).decode("utf-8")
        canonical = encode_utf7(name) == raw
    except ValueError:
        canonical = False
    if not canonical:
        raise WireError("Mailbox name is not in modified UTF-7.")
    return name


def _unshift(match: re.Match[bytes]) -> bytes:
    code = match[1].replace(b",", b"/")
    if not code:
        return b"&"
    units = binascii.a2b_base64(code + b"=" * (-len(code) % 4))
    return units.decode("utf-16-be").encode("utf-8")


def decode_utf8(raw: bytes) -> str:
    """Decode a name as UTF-8 (RFC 6855, RFC 9051 section 5.1); NUL, CR and LF are refused."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("Mailbox name is not in UTF-8.") from None
    if _NEVER.search(name):
        raise WireError("A mailbox name takes no NUL, CR or LF.")
    return name


MAX_PATTERN: Final = 1000
"""Characters of a pattern; no mailbox has a name that long."""

_WILD = re.compile("[*%]")


def compile_pattern(reference: str, pattern: str, delimiter: str | None) -> Callable[[str], bool]:
    """Make a test for names out of the two arguments of LIST (RFC 3501 section 6.3.8).

    ``*`` stands for anything, ``%`` for anything without the delimiter. The work for a name grows
    with its length only, whatever the pattern. Raises `WireError` for one that is too long.
    """
    whole = _fold_inbox(reference + pattern, delimiter)
    if len(whole) > MAX_PATTERN:
        raise WireError("Pattern too long.")
    wild = _WILD.search(whole)
    if wild is None:
        return lambda name: name == whole
    if whole == "*":
        return lambda _name: True
    return _Pattern(whole, delimiter)


def _fold_inbox(whole: str, delimiter: str | None) -> str:
    """Write a first level that is INBOX in any case as the one INBOX."""
    first = whole.partition(delimiter)[0] if delimiter else whole
    if first.isascii() and first.upper() == "INBOX":
        return "INBOX" + whole[len(first) :]
    return whole


class _Pattern:
    """All ways to match at once, as bits of an integer: no backtracking.

    Bit *i* of the state says that the first *i* literal characters of the pattern have been met. A
    wildcard after *i* of them keeps that bit alive.
    """

    __slots__ = ("_anything", "_delimiter", "_goal", "_steps", "_within")

    def __init__(self, whole: str, delimiter: str | None) -> None:
        self._delimiter = delimiter
        self._anything = self._within = 0
        self._steps: dict[str, int] = {}
        bit = 1
        for char in whole:
            if char == "*":
                self._anything |= bit
            elif char == "%":
                self._within |= bit
            else:
                self._steps[char] = self._steps.get(char, 0) | bit
                bit <<= 1
        self._goal = bit

    def __call__(self, name: str) -> bool:
        anything, anywhere = self._anything, self._anything | self._within
        steps, delimiter = self._steps, self._delimiter
        state = 1
        for char in name:
            kept = state & (anything if char == delimiter else anywhere)
            state = (state & steps.get(char, 0)) << 1 | kept
            if not state:
                return False
        return bool(state & self._goal)
