"""What the parts of an IMAP URL may be: the validators of `ImapUrl` (RFC 5092 section 11)."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from typing import Any, Final

import attrs

from referrald.errors import UrlError
from referrald.imapurl.hosts import canonical

IMAP_PORT: Final = 143
_LARGEST: Final = 2**32 - 1
_LARGEST_64: Final = 2**63 - 1

_NEVER = re.compile("[\0\r\n\ud800-\udfff]")
_NEVER_IN_SEARCH = re.compile("[\0\ud800-\udfff]")
_MECHANISM = re.compile(r"\*|[A-Z0-9_-]{1,20}")
_URLAUTH_MECHANISM = re.compile(r"[A-Za-z0-9.-]+")
_TOKEN = re.compile(r"[0-9A-Fa-f]{32,}")
_ACCESS = re.compile(r"authuser|anonymous|(?:submit|user)\+.+", re.DOTALL)
_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-]([0-9]{2}):([0-9]{2}))"
)

_QUOTED = r'"(?:[^"\\\0\r\n\x80-\U0010ffff]|\\["\\])*+"'
_FIELD = rf"(?:[^\x00-\x20()\"%*\\{{\x7f-\U0010ffff]+|{_QUOTED})"
_TEXT = rf"(?:HEADER(?:\.FIELDS(?:\.NOT)? \({_FIELD}(?: {_FIELD})*\))?|TEXT)"
_PART = r"[1-9][0-9]*(?:\.[1-9][0-9]*)*"
_SECTION = re.compile(rf"(?:{_TEXT}|{_PART}(?:\.(?:{_TEXT}|MIME))?)", re.IGNORECASE | re.ASCII)

_SEARCH_TOKEN = re.compile(rb'[^"{\r\n]+|"(?:[^"\\\r\n]|\\["\\])*+"|\{([0-9]{1,10})\+\}\r\n|\{')

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


class FieldError(UrlError):
    """A part of a URL cannot be what it is; ``field`` names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def optional(check: Callable[[Any], str]) -> Validator:
    """Make a validator of a function that gives a reason, or an empty text; None is fine."""

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and (reason := check(value)):
            raise FieldError(attribute.name, reason)

    return validate


def host(value: str) -> str:
    """Convert a host to its canonical form."""
    if not isinstance(value, str):
        raise FieldError("host", "not text")
    try:
        return canonical(value)
    except UrlError as error:
        raise FieldError("host", error.reason) from None


def port(value: int | None) -> int | None:
    """Leave out the port that is meant anyway."""
    return None if value == IMAP_PORT else value


def upper(value: str | None) -> str | None:
    """Fold the case of a mechanism."""
    return value.upper() if isinstance(value, str) and value.isascii() else value


def text(value: Any) -> str:
    """Check a user or a mailbox."""
    if not isinstance(value, str):
        return "not text"
    if not value:
        return "empty"
    return "holds NUL, CR, LF or half a character" if _NEVER.search(value) else ""


def matching(pattern: re.Pattern[str], reason: str) -> Callable[[Any], str]:
    """Make a check that a text has a certain form."""

    def check(value: Any) -> str:
        return text(value) or ("" if pattern.fullmatch(value) else reason)

    return check


mechanism = matching(_MECHANISM, "not the name of a SASL mechanism")
section = matching(_SECTION, "not a section of a message")
access = matching(_ACCESS, "not an access identifier of URLAUTH")


def number(least: int, largest: int) -> Callable[[Any], str]:
    """Make a check for numbers between two bounds."""

    def check(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= largest:
            return ""
        return f"not a number from {least} to {largest}"

    return check


port_number = number(1, 65535)
nz_number = number(1, _LARGEST)
_start = number(0, _LARGEST_64)
_length = number(1, _LARGEST_64)


def partial(value: Any) -> str:
    """Check a pair of a first octet and a length, which may be None; 64 bits as in RFC 9051."""
    if not isinstance(value, tuple) or len(value) != 2:
        return "not a pair"
    start, length = value
    return _start(start) or ("" if length is None else _length(length))


def expire(value: Any) -> str:
    """Check a date and time of RFC 3339."""
    match = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return "not a date and time (RFC 3339)"
    year, month, day, hour, minute, second, off_hour, off_minute = map(int, match.groups("0"))
    fits = 1 <= month <= 12 and year >= 1 and 1 <= day <= monthrange(year, month)[1]
    clock = hour < 24 and minute < 60 and second <= 60 and off_hour < 24 and off_minute < 60
    return "" if fits and clock else "not a date and time (RFC 3339)"


def urlauth(value: Any) -> str:
    """Check a pair of an authorization mechanism and a token of at least 128 bits."""
    if not isinstance(value, tuple) or len(value) != 2 or any(map(text, value)):
        return "not a pair of texts"
    if not _URLAUTH_MECHANISM.fullmatch(value[0]):
        return "not the name of a URLAUTH mechanism"
    return "" if _TOKEN.fullmatch(value[1]) else "not a token of 32 or more hexadecimal digits"


def search(value: Any) -> str:
    """Check a search program.

    A line break may stand in it only where a non-synchronising literal needs it (RFC 5092
    section 5), and the literal must end within: or else a URL could smuggle commands to a server.
    """
    if not isinstance(value, str):
        return "not text"
    if not value:
        return "empty"
    if _NEVER_IN_SEARCH.search(value):
        return "holds NUL or half a character"
    if "\r" in value or "\n" in value:
        return _check_literals(value.encode("utf-8"))
    return ""


def _check_literals(octets: bytes) -> str:
    at = 0
    while at < len(octets):
        token = _SEARCH_TOKEN.match(octets, at)
        if token is None:
            return "a line break that belongs to no literal"
        at = token.end()
        if token[1]:
            literal = octets[at : at + int(token[1])]
            at += int(token[1])
            if at > len(octets) or b"\r" in literal or b"\n" in literal:
                return "a literal that does not end or has line breaks in it"
    return ""
