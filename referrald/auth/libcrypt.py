"""The system's crypt(3), for every kind of hash that it knows (crypt(5)).

Called through ctypes: Python has no module for it any more, and a foreign function of this kind
runs without the interpreter lock, so that a slow hash in a thread holds up nobody.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from typing import Any

LONGEST_PASSWORD = 511
# struct crypt_data: 32 KiB in libxcrypt, 128 KiB in the old library of glibc, 260 bytes in musl.
_DATA_SIZE = 256 * 1024
_SETTING_SIZE = 192


@functools.cache
def load() -> ctypes.CDLL | None:
    """Give the library that has a re-entrant crypt, or None."""
    for name in ("libcrypt.so.2", "libcrypt.so.1", ctypes.util.find_library("crypt"), None):
        try:
            library = ctypes.CDLL(name)
            _declare(library.crypt_r, _PASSWORD_AND_SETTING)
        except (OSError, AttributeError):
            continue
        if hasattr(library, "crypt_gensalt_rn"):
            _declare(library.crypt_gensalt_rn, _SALT_ARGUMENTS)
        return library
    return None


_PASSWORD_AND_SETTING = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_SALT_ARGUMENTS = (
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_int,
)


def _declare(function: Any, arguments: tuple[type, ...]) -> None:
    function.argtypes = arguments
    function.restype = ctypes.c_char_p


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """Hash ``password`` as ``setting`` (a salt or a whole hash) says; None when it cannot be.

    A hash of a kind that the library does not know, a malformed one, a NUL or an over-long password
    cannot be. Takes as long as the setting wants; call it in a thread.
    """
    library = load()
    if library is None or len(password) > LONGEST_PASSWORD or b"\0" in password + setting:
        return None
    data = ctypes.create_string_buffer(_DATA_SIZE)
    try:
        hashed: bytes | None = library.crypt_r(password, setting, data)
    finally:
        ctypes.memset(data, 0, _DATA_SIZE)
    # A hash that begins with an asterisk is the library's way to say no.
    return None if hashed is None or hashed.startswith(b"*") else hashed


def setting(prefix: bytes, cost: int = 0) -> bytes | None:
    """Make a new salt for hashes that begin with ``prefix``; None when the library cannot.

    cost: in the unit of that kind of hash, 0 for its default.
    """
    library = load()
    if library is None or not hasattr(library, "crypt_gensalt_rn"):
        return None
    output = ctypes.create_string_buffer(_SETTING_SIZE)
    made: bytes | None = library.crypt_gensalt_rn(prefix, cost, None, 0, output, _SETTING_SIZE)
    return None if made is None or made.startswith(b"*") else made


@functools.cache
def knows(sample: bytes) -> bool:
    """Say whether the library can hash with the setting ``sample``."""
    return crypt(b"x", sample) is not None
