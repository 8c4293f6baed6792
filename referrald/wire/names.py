"""Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3), or UTF-8."""

from __future__ import annotations

import binascii
import re

from referrald.errors import MalformedName, WireError

_PLAIN = re.compile(rb"[ -%'-~]*")
_ENCODE = re.compile(r"&|[^ -~]+")
_DECODE = re.compile(rb"&([A-Za-z0-9+,]*+)-")
_NEVER = re.compile("[\0\r\n]")
_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")


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
        raise MalformedName("Mailbox name is not in modified UTF-7.")
    return name


def _unshift(match: re.Match[bytes]) -> bytes:
    code = match[1].replace(b",", b"/")
    if not code:
        return b"&"
    units = binascii.a2b_base64(code + b"=" * (-len(code) % 4))
    return units.decode("utf-16-be").encode("utf-8")


def encode_utf8(name: str) -> bytes:
    """Encode a name as UTF-8; raises `ValueError` for NUL, CR, LF and lone surrogates."""
    if _NEVER.search(name):
        raise ValueError("a mailbox name takes no NUL, CR or LF")
    return name.encode("utf-8")


def decode_utf8(raw: bytes) -> str:
    """Decode a name as UTF-8 (RFC 6855, RFC 9051 section 5.1).

    What Net-Unicode has no place for in a name is refused: control characters, and what ends lines
    and paragraphs (RFC 6855 section 3). Whether a name is normalised is for others to say. What is
    not UTF-8 at all is no argument either.
    """
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("Mailbox name is not in UTF-8.") from None
    if _CONTROLS.search(name):
        raise MalformedName("A mailbox name takes no control characters.")
    return name
