"""How each kind of password hash is checked and made. `referrald.auth.schemes` gives them names."""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import secrets
import string
from base64 import b64decode, b64encode
from collections.abc import Callable
from types import ModuleType
from typing import Any

from referrald.auth import libcrypt
from referrald.auth.scram import derive_keys, prepared_password
from referrald.model import ScramKeys

Verifier = Callable[[bytes, bytes], bool]
Maker = Callable[[bytes, int | None], bytes]

# Costs for new hashes: some tenths of a second at most, so that a login stays quick.
BCRYPT_COST = 11
SHA_CRYPT_ROUNDS = 100_000
PBKDF2_ROUNDS = 300_000
SCRAM_ROUNDS = 100_000
ARGON2_PASSES = 3
ARGON2_MEMORY = 65_536
SALT_SIZE = 16

BCRYPT_PREFIXES = (b"$2a$", b"$2b$", b"$2x$", b"$2y$")
BCRYPT_LONGEST = 72

_CRYPT_LETTERS = "./" + string.digits + string.ascii_uppercase + string.ascii_lowercase
_BCRYPT_LETTERS = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits
_PBKDF2 = re.compile(rb"\$1\$([^$]*)\$(\d{1,9})\$([0-9a-fA-F]{40})")
_ARGON2 = re.compile(
    rb"\$(argon2i|argon2id)\$v=19\$m=[1-9]\d{0,7},t=[1-9]\d{0,7},p=[1-9]\d{0,2}"
    rb"\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+"
)
_SCRAM = re.compile(rb"(\d{1,9}),([A-Za-z0-9+/]+=*),([A-Za-z0-9+/]+=*),([A-Za-z0-9+/]+=*)")


class Malformed(ValueError):
    """A hash is not of its kind. The message never quotes it."""


# -- plain and digests -----------------------------------------------------------------------


def verify_plain(password: bytes, stored: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(password, stored)


def make_plain(password: bytes, _cost: int | None) -> bytes:
    """Give the password as it is."""
    return password


def digest_size(name: str) -> int:
    """Give the length of a digest in bytes."""
    return hashlib.new(name, usedforsecurity=False).digest_size


def digest_verifier(name: str) -> Verifier:
    """Check ``digest`` and ``digest + salt`` (RFC 2307 and what grew from it)."""
    size = digest_size(name)

    def verify(password: bytes, stored: bytes) -> bool:
        if len(stored) < size:
            raise Malformed("too short")
        digest, salt = stored[:size], stored[size:]
        return hmac.compare_digest(_digest(name, password + salt), digest)

    return verify


def salted_maker(name: str) -> Maker:
    """Make ``digest + salt``."""

    def make(password: bytes, _cost: int | None) -> bytes:
        salt = secrets.token_bytes(SALT_SIZE)
        return _digest(name, password + salt) + salt

    return make


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


# -- crypt(3) --------------------------------------------------------------------------------


def crypt_verifier(prefixes: tuple[bytes, ...]) -> Verifier:
    """Check a crypt(3) hash that begins with one of ``prefixes``, any when there is none."""

    def verify(password: bytes, stored: bytes) -> bool:
        if _locked(stored) or len(password) > libcrypt.LONGEST_PASSWORD or b"\0" in password:
            return False
        if prefixes and not stored.startswith(prefixes):
            raise Malformed("begins in another way")
        hashed = libcrypt.crypt(password, stored)
        if hashed is None:
            raise Malformed("crypt(3) does not take it")
        return hmac.compare_digest(hashed, stored)

    return verify


def _locked(stored: bytes) -> bool:
    """Say whether a field is one of those that no password fits, by old custom."""
    return stored[:1] in (b"", b"*", b"!") or stored == b"x"


def crypt_missing(sample: bytes) -> Callable[[], str]:
    """Make the test whether crypt(3) knows hashes like ``sample``."""

    def missing() -> str:
        if libcrypt.load() is None:
            return "the system library libcrypt"
        return "" if libcrypt.knows(sample) else "a libcrypt that knows it"

    return missing


def make_sha512_crypt(password: bytes, rounds: int | None) -> bytes:
    """Make ``$6$``."""
    return _sha_crypt(b"$6$", password, rounds)


def make_sha256_crypt(password: bytes, rounds: int | None) -> bytes:
    """Make ``$5$``."""
    return _sha_crypt(b"$5$", password, rounds)


def _sha_crypt(prefix: bytes, password: bytes, rounds: int | None) -> bytes:
    salt = _letters(_CRYPT_LETTERS, 16)
    setting = b"%brounds=%d$%b" % (prefix, rounds or SHA_CRYPT_ROUNDS, salt)
    return _crypted(password, setting)


def make_yescrypt(password: bytes, cost: int | None) -> bytes:
    """Make ``$y$``, or ``$6$`` where libcrypt knows no yescrypt."""
    setting = libcrypt.setting(b"$y$", cost or 0)
    return make_sha512_crypt(password, None) if setting is None else _crypted(password, setting)


def _crypted(password: bytes, setting: bytes) -> bytes:
    hashed = libcrypt.crypt(password, setting)
    if hashed is None:
        raise Malformed("crypt(3) takes neither this cost nor so long a password")
    return hashed


def _letters(alphabet: str, count: int) -> bytes:
    return "".join(secrets.choice(alphabet) for _ in range(count)).encode("ascii")


# -- bcrypt: by libcrypt, or by the package of that name -------------------------------------


def bcrypt_missing() -> str:
    """Say what is missing for bcrypt."""
    return "" if _libcrypt_knows_bcrypt() or _bcrypt_package() else "libcrypt or the bcrypt package"


def verify_bcrypt(password: bytes, stored: bytes) -> bool:
    """Check ``$2y$`` and its sisters; only the first 72 bytes of a password count."""
    if _locked(stored):
        return False
    if not stored.startswith(BCRYPT_PREFIXES):
        raise Malformed("begins in another way")
    if len(password) > libcrypt.LONGEST_PASSWORD or b"\0" in password:
        return False
    return hmac.compare_digest(_bcrypted(password, stored), stored)


def make_bcrypt(password: bytes, cost: int | None) -> bytes:
    """Make ``$2y$``; ``cost`` is the logarithm of the rounds."""
    # The last letter of a 16-byte salt carries two bits only.
    salt = _letters(_BCRYPT_LETTERS, 21) + _letters(".Oeu", 1)
    return _bcrypted(password, b"$2y$%02d$%b" % (cost or BCRYPT_COST, salt))


def _bcrypted(password: bytes, setting: bytes) -> bytes:
    package = _bcrypt_package()
    if _libcrypt_knows_bcrypt():
        hashed = libcrypt.crypt(password, setting)
    elif package is not None:
        hashed = _by_package(package, password, setting)
    else:
        hashed = None
    if hashed is None:
        raise Malformed("bcrypt does not take it")
    return hashed


def _by_package(package: ModuleType, password: bytes, setting: bytes) -> bytes | None:
    try:
        hashed: bytes = package.hashpw(password[:BCRYPT_LONGEST], setting)
    except ValueError:
        return None
    # The package answers in the newest dialect whatever it was asked in.
    return setting[:4] + hashed[4:]


def _libcrypt_knows_bcrypt() -> bool:
    return libcrypt.knows(b"$2y$04$" + b"." * 22)


@functools.cache
def _bcrypt_package() -> ModuleType | None:
    try:
        import bcrypt
    except ImportError:
        return None
    return bcrypt


# -- PBKDF2, Argon2, SCRAM -------------------------------------------------------------------


def verify_pbkdf2(password: bytes, stored: bytes) -> bool:
    """Check Dovecot's ``$1$salt$rounds$hex``, which is PBKDF2 with HMAC-SHA1."""
    fields = _PBKDF2.fullmatch(stored)
    if fields is None or not int(fields[2]):
        raise Malformed("not $1$salt$rounds$hex")
    hashed = _pbkdf2(password, fields[1], int(fields[2]))
    return hmac.compare_digest(hashed, bytes.fromhex(fields[3].decode("ascii")))


def make_pbkdf2(password: bytes, rounds: int | None) -> bytes:
    """Make ``$1$salt$rounds$hex``."""
    salt = _letters(_CRYPT_LETTERS, 16)
    rounds = rounds or PBKDF2_ROUNDS
    hashed = _pbkdf2(password, salt, rounds).hex().encode("ascii")
    return b"$1$%b$%d$%b" % (salt, rounds, hashed)


def _pbkdf2(password: bytes, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha1", password, salt, rounds, 20)


@functools.cache
def _argon2(kind: str) -> Any:
    """Give the class of `cryptography` for a kind of Argon2, None where OpenSSL lacks it."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.kdf import argon2

        algorithm = getattr(argon2, kind)
        algorithm(salt=bytes(8), length=4, iterations=1, lanes=1, memory_cost=8)
    except (ImportError, AttributeError, UnsupportedAlgorithm):
        return None
    return algorithm


def argon2_missing(kind: str) -> Callable[[], str]:
    """Make the test whether a kind of Argon2 can be done."""
    return lambda: "" if _argon2(kind) else "the cryptography package with OpenSSL 3.2 or newer"


def argon2_verifier(kind: str) -> Verifier:
    """Check ``$argon2id$v=19$m=…,t=…,p=…$salt$hash`` or its sister."""

    def verify(password: bytes, stored: bytes) -> bool:
        from cryptography.exceptions import InvalidKey

        # The library tells a malformed hash and a wrong password apart no further.
        form = _ARGON2.fullmatch(stored)
        if form is None or form[1] != kind.lower().encode("ascii"):
            raise Malformed("not in the form that Argon2 hashes have")
        try:
            _argon2(kind).verify_phc_encoded(password, stored.decode("ascii"))
        except InvalidKey:
            return False
        except ValueError:
            raise Malformed("not in the form that Argon2 hashes have") from None
        return True

    return verify


def make_argon2id(password: bytes, passes: int | None) -> bytes:
    """Make ``$argon2id$``; 64 MiB of memory."""
    algorithm = _argon2("Argon2id")(
        salt=secrets.token_bytes(SALT_SIZE),
        length=32,
        iterations=passes or ARGON2_PASSES,
        lanes=1,
        memory_cost=ARGON2_MEMORY,
    )
    encoded: str = algorithm.derive_phc_encoded(password)
    return encoded.encode("ascii")


def verify_scram(password: bytes, stored: bytes) -> bool:
    """Check a password against the keys that are kept for SCRAM-SHA-256.

    Some programs prepare a password that is not ASCII before they hash it, some do not.
    """
    keys = parse_scram(stored)
    for form in dict.fromkeys((prepared_password(password), password)):
        made = derive_keys(form, salt=keys.salt, iterations=keys.iterations)
        if hmac.compare_digest(made.stored_key, keys.stored_key):
            return True
    return False


def make_scram(password: bytes, rounds: int | None) -> bytes:
    """Make ``iterations,salt,stored,server``."""
    keys = derive_keys(prepared_password(password), iterations=rounds or SCRAM_ROUNDS)
    parts = (keys.salt, keys.stored_key, keys.server_key)
    return b",".join((b"%d" % keys.iterations, *map(b64encode, parts)))


def parse_scram(stored: bytes) -> ScramKeys:
    """Read ``iterations,salt,stored,server``."""
    fields = _SCRAM.fullmatch(stored)
    if fields is None or not int(fields[1]):
        raise Malformed("not iterations,salt,stored key,server key")
    try:
        salt, stored_key, server_key = (b64decode(fields[n], validate=True) for n in (2, 3, 4))
    except ValueError:
        raise Malformed("not base64") from None
    if len(stored_key) != 32 or len(server_key) != 32:
        raise Malformed("a key has another length")
    return ScramKeys(
        iterations=int(fields[1]), salt=salt, stored_key=stored_key, server_key=server_key
    )
