"""Read the path and query of a URL: mailbox, message, search (RFC 5092 sections 5 and 6)."""

from __future__ import annotations

import re
from collections.abc import Callable

from referrald.imapurl.found import Found, Piece
from referrald.imapurl.percent import PATH, USER

_QUERY = re.compile(r"\?")
_COLON = re.compile(":")
_SEPARATOR = re.compile("/;(?!UIDVALIDITY=)|;", re.IGNORECASE)
_PARAMETER = re.compile("(/?);([A-Za-z]+)=")
_NZ_NUMBER = re.compile("[1-9][0-9]{0,9}")
_PARTIAL = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.([1-9][0-9]{0,18}))?")
_EXPIRE = re.compile(r"[0-9Tt:.Zz+-]*")
_ACCESS = re.compile(r"authuser|anonymous|(?:submit|user)\+", re.IGNORECASE)


def read_path(found: Found, path: Piece) -> None:
    """Read what follows the server, with its leading slash; may be empty."""
    if not path:
        return
    if not path.text.startswith("/"):
        found.fail("a / must come first", path)
    fragment = path.text.find("#")
    if fragment >= 0:
        found.fail("IMAP URLs have no fragment; in a name it is written %23", path, fragment)
    before, query = path.part(1).split(_QUERY)
    if before or query:
        _read_command(found, before)
    if query:
        if "uid" in found.values:
            found.fail("a message cannot have a search", query)
        found.decode("search", query.part(1), PATH, refused="\0")


def _read_command(found: Found, piece: Piece) -> None:
    mailbox, rest = piece.split(_SEPARATOR)
    found.decode("mailbox", mailbox, PATH)
    for name, slash, read in _PARAMETERS:
        match = _PARAMETER.match(rest.text)
        if match and match[2].upper() == name and bool(match[1]) == slash:
            value, rest = rest.part(match.end()).split(_SEPARATOR)
            read(found, value)
    if rest:
        found.fail("a parameter that is unknown, or not in its place", rest)


def _number(field: str) -> Callable[[Found, Piece], None]:
    def read(found: Found, piece: Piece) -> None:
        if not _NZ_NUMBER.fullmatch(piece.text):
            found.fail("not a number from 1 to 4294967295", piece)
        found.put(field, int(piece.text), piece)

    return read


def _read_section(found: Found, piece: Piece) -> None:
    found.decode("section", piece, PATH)


def _read_partial(found: Found, piece: Piece) -> None:
    match = _PARTIAL.fullmatch(piece.text)
    if match is None:
        found.fail("not a range of octets, such as 0.1024", piece)
    length = None if match[2] is None else int(match[2])
    found.put("partial", (int(match[1]), length), piece)


def _read_expire(found: Found, piece: Piece) -> None:
    if not _EXPIRE.fullmatch(piece.text):
        found.fail("not a date and time (RFC 3339)", piece)
    found.put("expire", piece.text, piece)


def _read_urlauth(found: Found, piece: Piece) -> None:
    access, rest = piece.split(_COLON)
    match = _ACCESS.match(access.text)
    if match is None:
        found.fail("not an access identifier of URLAUTH", access)
    found.decode("access", access, USER)
    user = found.values["access"][match.end() :]
    found.put("access", match.group().lower() + user, access)
    if rest:
        mechanism, token = rest.part(1).split(_COLON)
        found.put("urlauth", (mechanism.text, token.text[1:]), mechanism)


_PARAMETERS: tuple[tuple[str, bool, Callable[[Found, Piece], None]], ...] = (
    ("UIDVALIDITY", False, _number("uidvalidity")),
    ("UID", True, _number("uid")),
    ("SECTION", True, _read_section),
    ("PARTIAL", True, _read_partial),
    ("EXPIRE", False, _read_expire),
    ("URLAUTH", False, _read_urlauth),
)
"""The parameters in the order that the grammar prescribes; True for those behind a slash."""
