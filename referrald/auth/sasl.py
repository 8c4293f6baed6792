"""The messages of the simple SASL mechanisms: bytes in, values out; no reactor, no state.

Every parser raises `WireError` for what is not a message of its mechanism, and
`AuthenticationFailed` for a proper message that can authenticate nobody. Nothing else, whatever the
bytes are, and neither ever quotes them.
"""

from __future__ import annotations

import json
import re

from referrald.errors import AuthenticationFailed, WireError

_GS2_HEADER = re.compile(rb"(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,\0]+))?,")
_TOKEN = re.compile(rb"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*) *")
_KEY = re.compile(rb"[A-Za-z]+")
_VALUE = re.compile(rb"[\t\n\r\x20-\xff]*")
_SEPARATOR = b"\x01"


def plain(message: bytes) -> tuple[str, str, bytes]:
    """Parse a PLAIN message into authzid, authcid and password (RFC 4616 section 2)."""
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise WireError("A PLAIN message has three parts.")
    authzid, authcid, password = parts
    return _text(authzid), _text(authcid), password


def external(message: bytes) -> str:
    """Parse an EXTERNAL message: the authorization identity or nothing (RFC 4422 appendix A)."""
    if b"\0" in message:
        raise WireError("An EXTERNAL message holds no NUL.")
    return _text(message)


def oauthbearer(message: bytes) -> tuple[str, bytes]:
    """Parse an OAUTHBEARER message into authzid and token (RFC 7628 section 3.1).

    The token is empty when the client sent none, which asks for the error message only.
    """
    authzid, rest = gs2_header(message)
    return authzid, _bearer(_pairs(rest))


def xoauth2(message: bytes) -> tuple[str, bytes]:
    """Parse an XOAUTH2 message into user name and token."""
    pairs = _pairs(_SEPARATOR + message)
    return _text(pairs.get(b"user", b"")), _bearer(pairs)


def bearer_error(status: str = "invalid_token", scope: str = "") -> bytes:
    """Give the JSON that tells a client why its token is not good (RFC 7628 section 3.2.2)."""
    fields = {"status": status, "schemes": "bearer"}
    if scope:
        fields["scope"] = scope
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def gs2_header(message: bytes) -> tuple[str, bytes]:
    """Split a message into the authzid of its GS2 header and what follows (RFC 5801 section 4).

    A client that insists on channel binding is refused: no ``-PLUS`` mechanism is offered. One that
    would have bound if we had offered it (``y``) is as good as one that cannot (``n``).
    """
    header = _GS2_HEADER.match(message)
    if header is None:
        raise WireError("The GS2 header is malformed.")
    if header["flag"].startswith(b"p"):
        raise AuthenticationFailed("channel binding is not offered")
    return saslname(header["authzid"] or b""), message[header.end() :]


def saslname(encoded: bytes) -> str:
    """Decode a saslname, in which ``=2C`` is a comma and ``=3D`` an equals sign (RFC 5802, 5.1)."""
    parts = encoded.split(b"=")
    decoded = [parts[0]]
    for part in parts[1:]:
        if part.startswith(b"2C"):
            decoded.append(b"," + part[2:])
        elif part.startswith(b"3D"):
            decoded.append(b"=" + part[2:])
        else:
            raise WireError("A name holds a bare equals sign.")
    return _text(b"".join(decoded))


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise AuthenticationFailed("the user name is not UTF-8")


def _pairs(text: bytes) -> dict[bytes, bytes]:
    """Parse ``^A key=value ^A key=value ^A ^A``; keys in any case, each at most once."""
    fields = text.split(_SEPARATOR)
    if len(fields) < 3 or fields[0] or fields[-1] or fields[-2]:
        raise WireError("The token message is malformed.")
    pairs: dict[bytes, bytes] = {}
    for field in fields[1:-2]:
        key, equals, value = field.partition(b"=")
        known = key.lower() in pairs
        if known or not (equals and _KEY.fullmatch(key) and _VALUE.fullmatch(value)):
            raise WireError("The token message is malformed.")
        pairs[key.lower()] = value
    return pairs


def _bearer(pairs: dict[bytes, bytes]) -> bytes:
    found = _TOKEN.fullmatch(pairs.get(b"auth", b""))
    return b"" if found is None else found[1]
