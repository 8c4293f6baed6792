"""Read the ``iserver`` of a URL: user, mechanism, host and port (RFC 5092 sections 3 and 4)."""

from __future__ import annotations

import re

from referrald.imapurl.found import Found, Piece
from referrald.imapurl.percent import HOST, USER

_AUTH = re.compile(";AUTH=", re.IGNORECASE)
_AT = re.compile("@")
_SEMICOLON = re.compile(";")
_COLON = re.compile(":")
_DIGITS = re.compile("[0-9]*")


def read_server(found: Found, server: Piece) -> None:
    """Read everything between ``//`` and the path."""
    user, rest = server.split(_AT)
    if not rest:
        _read_host(found, server)
        return
    if "@" in rest.text[1:]:
        found.fail("an @ in a user is written %40", rest)
    _read_user(found, user)
    _read_host(found, rest.part(1))


def _read_user(found: Found, piece: Piece) -> None:
    user, rest = piece.split(_SEMICOLON)
    if user or not rest:
        found.decode("user", user, USER)
    if not rest:
        return
    match = _AUTH.match(rest.text)
    if match is None:
        found.fail("only ;AUTH= may follow a user", rest)
    mechanism = rest.part(match.end())
    if found.decode("auth", mechanism, USER) == "*" and mechanism.text != "*":
        found.fail("%2A is not the * that stands for any mechanism", mechanism)


def _read_host(found: Found, piece: Piece) -> None:
    if piece.text.startswith("["):
        end = piece.text.find("]")
        if end < 0:
            found.fail("a [ without ]", piece)
        _read_address(found, piece.part(1, end))
        rest = piece.part(end + 1)
    else:
        host, rest = piece.split(_COLON)
        if ":" in found.decode("host", host, HOST):
            found.fail("an address in a name", host)
    if rest:
        _read_port(found, rest)


def _read_address(found: Found, address: Piece) -> None:
    if ":" not in address.text:
        found.fail("not an IPv6 address", address)
    found.put("host", address.text, address)


def _read_port(found: Found, piece: Piece) -> None:
    """Read a port; RFC 3986 allows it to be empty."""
    if not piece.text.startswith(":"):
        found.fail("only a port may follow a host", piece)
    port = piece.part(1)
    digits = _DIGITS.match(port.text)
    end = digits.end() if digits else 0
    if end < len(port.text):
        found.fail("a port is made of digits", port, end)
    significant = port.text.lstrip("0")
    if port:
        # More digits than any port has need no counting, and might take long.
        found.put("port", int(significant[:6] or "0"), port)
