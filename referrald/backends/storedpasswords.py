"""Passwords as a column, a field or a value has them."""

from __future__ import annotations

from referrald.backends.passwdformat import read_password, split_password
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.model import StoredPassword


def stored_password(value: object, usual: str) -> StoredPassword | None:
    """Read a password column, ``{SCHEME}hash``; raises `Unavailable`, without a word of it."""
    if value is None or value == "":
        return None
    field = value.encode() if isinstance(value, str) else value
    if not isinstance(field, bytes | bytearray | memoryview):
        raise Unavailable("a password is no text")
    try:
        found = read_password(bytes(field), usual.upper().encode())
    except Wrong as error:
        raise Unavailable(error.wrong) from None
    if found is None:
        return None
    scheme, encoded = split_password(found)
    return StoredPassword(scheme=scheme, encoded=encoded.encode("utf-8", "surrogateescape"))
