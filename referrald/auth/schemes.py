"""Password hashes as Dovecot writes them: ``{SCHEME}hash``, ``{SCHEME.b64}``, ``{SCHEME.hex}``."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable

import attrs

from referrald.auth import hashes
from referrald.auth.hashes import Malformed
from referrald.model import ScramKeys, StoredPassword

DEFAULT_SCHEME = "CRYPT"
ENCODINGS = {"B64": "base64", "BASE64": "base64", "HEX": "hex"}

_FIELD = re.compile(r"\{([A-Za-z0-9.-]+)\}(.*)", re.DOTALL)


class SchemeError(ValueError):
    """A stored password that cannot be used. The message says why and never quotes it."""


@attrs.frozen(kw_only=True)
class Scheme:
    """One kind of password hash.

    verify: takes the password and the hash (decoded, where digests are meant); raises `Malformed`.
    make: hashes a new password, None where new ones should not be made.
    binary: a hash is bytes, which are written as base64 when no suffix says otherwise.
    digest_size: of digests without a salt, which may be hexadecimal without a suffix too.
    cheap: takes no more time than a thread switch, so needs no thread.
    missing: says what this machine lacks for it, empty when nothing.
    """

    verify: Callable[[bytes, bytes], bool]
    make: Callable[[bytes, int | None], bytes] | None = None
    binary: bool = False
    digest_size: int = 0
    cheap: bool = False
    missing: Callable[[], str] = lambda: ""


def _digest(name: str) -> Scheme:
    return Scheme(
        verify=hashes.digest_verifier(name),
        binary=True,
        digest_size=hashes.digest_size(name),
        cheap=True,
    )


def _salted(name: str) -> Scheme:
    return Scheme(
        verify=hashes.digest_verifier(name),
        make=hashes.salted_maker(name),
        binary=True,
        cheap=True,
    )


def _crypt(prefixes: tuple[bytes, ...], sample: bytes, make: hashes.Maker | None = None) -> Scheme:
    return Scheme(
        verify=hashes.crypt_verifier(prefixes),
        make=make,
        missing=hashes.crypt_missing(sample),
    )


_PLAIN = Scheme(verify=hashes.verify_plain, make=hashes.make_plain, cheap=True)
_SCRAM = Scheme(verify=hashes.verify_scram, make=hashes.make_scram)

SCHEMES: dict[str, Scheme] = {
    "PLAIN": _PLAIN,
    "CLEAR": _PLAIN,
    "CLEARTEXT": _PLAIN,
    "CRYPT": _crypt((), b"$6$saltsalt", hashes.make_yescrypt),
    "DES-CRYPT": _crypt((), b"ab"),
    "MD5-CRYPT": _crypt((b"$1$",), b"$1$saltsalt"),
    "MD5": _crypt((b"$1$",), b"$1$saltsalt"),
    "SHA256-CRYPT": _crypt((b"$5$",), b"$5$saltsalt", hashes.make_sha256_crypt),
    "SHA512-CRYPT": _crypt((b"$6$",), b"$6$saltsalt", hashes.make_sha512_crypt),
    "BLF-CRYPT": Scheme(
        verify=hashes.verify_bcrypt, make=hashes.make_bcrypt, missing=hashes.bcrypt_missing
    ),
    "SHA": _digest("sha1"),
    "SHA1": _digest("sha1"),
    "SHA256": _digest("sha256"),
    "SHA512": _digest("sha512"),
    "SSHA": _salted("sha1"),
    "SSHA256": _salted("sha256"),
    "SSHA512": _salted("sha512"),
    "PLAIN-MD5": _digest("md5"),
    "LDAP-MD5": _digest("md5"),
    "SMD5": _salted("md5"),
    "PBKDF2": Scheme(verify=hashes.verify_pbkdf2, make=hashes.make_pbkdf2),
    "ARGON2I": Scheme(
        verify=hashes.argon2_verifier("Argon2i"), missing=hashes.argon2_missing("Argon2i")
    ),
    "ARGON2ID": Scheme(
        verify=hashes.argon2_verifier("Argon2id"),
        make=hashes.make_argon2id,
        missing=hashes.argon2_missing("Argon2id"),
    ),
    "SCRAM-SHA-256": _SCRAM,
}


def parse_password_field(text: str, default_scheme: str = DEFAULT_SCHEME) -> StoredPassword:
    """Take ``{SCHEME}hash`` apart; without a scheme it is of the default one.

    Whether the scheme is known is not looked at, see `problem`.
    """
    field = _FIELD.fullmatch(text)
    scheme, encoded = (field[1], field[2]) if field else (default_scheme, text)
    return StoredPassword(scheme=scheme.upper(), encoded=encoded.encode("utf-8", "surrogateescape"))


def known(scheme: str) -> bool:
    """Say whether passwords of a scheme can be checked on this machine; a suffix may follow."""
    return not problem(scheme)


def problem(scheme: str) -> str:
    """Say why passwords of a scheme cannot be checked here, in the operator's words; or nothing."""
    try:
        found, _ = _find(scheme)
    except SchemeError as error:
        return str(error)
    missing = found.missing()
    return f"password scheme {scheme} needs {missing}" if missing else ""


def is_cheap(stored: StoredPassword) -> bool:
    """Say whether `verify` is so quick that it needs no thread."""
    try:
        return _find(stored.scheme)[0].cheap
    except SchemeError:
        return True


def verify(stored: StoredPassword, password: bytes) -> bool:
    """Say whether ``password`` is the stored one; an empty one never is.

    Raises `SchemeError` when the stored one cannot be used. May take long, see `is_cheap`.
    """
    scheme, hashed = _usable(stored)
    try:
        return bool(hashed and password) and scheme.verify(password, hashed)
    except Malformed as error:
        wrong = str(error)
    raise SchemeError(f"not a {stored.scheme} hash: {wrong}")


def plain_text(stored: StoredPassword) -> bytes | None:
    """Give the password itself where it is stored as such; raises `SchemeError`."""
    scheme, hashed = _usable(stored)
    return hashed if scheme is _PLAIN else None


def scram_keys(stored: StoredPassword) -> ScramKeys | None:
    """Give what is kept for SCRAM-SHA-256, None in another scheme; raises `SchemeError`."""
    scheme, hashed = _usable(stored)
    if scheme is not _SCRAM:
        return None
    try:
        return hashes.parse_scram(hashed)
    except Malformed as error:
        wrong = str(error)
    raise SchemeError(f"not a {stored.scheme} hash: {wrong}")


def can_scram(scheme: str) -> bool:
    """Say whether users whose passwords are kept in ``scheme`` can log in with SCRAM-SHA-256."""
    try:
        return _find(scheme)[0] in (_PLAIN, _SCRAM)
    except SchemeError:
        return False


def make(scheme: str, password: bytes, cost: int | None = None) -> str:
    """Hash a new password and give the whole field; ``cost`` in the scheme's own unit.

    Raises `SchemeError` when that cannot be done here. Takes as long as checking it will.
    """
    found, encoding = _find(scheme)
    missing = found.missing()
    if missing:
        raise SchemeError(f"password scheme {scheme} needs {missing}")
    if found.make is None:
        raise SchemeError(f"password scheme {scheme} is too weak for new passwords")
    if not password or b"\0" in password:
        raise SchemeError("a password is not empty and holds no NUL")
    try:
        hashed = found.make(password, cost)
    except Malformed as error:
        raise SchemeError(f"{scheme}: {error}") from None
    return f"{{{scheme.upper()}}}{_encoded(hashed, encoding, found)}"


def _find(name: str) -> tuple[Scheme, str]:
    base, dot, suffix = (name or DEFAULT_SCHEME).upper().partition(".")
    scheme = SCHEMES.get(base)
    encoding = ENCODINGS.get(suffix, "") if dot else "none"
    if scheme is None or not encoding:
        raise SchemeError(f"unknown password scheme {name}")
    return scheme, encoding


def _usable(stored: StoredPassword) -> tuple[Scheme, bytes]:
    """Give the scheme of a stored password and the hash with its encoding undone."""
    scheme, encoding = _find(stored.scheme)
    missing = scheme.missing()
    if missing:
        raise SchemeError(f"password scheme {stored.scheme} needs {missing}")
    try:
        return scheme, _decoded(stored.encoded, encoding, scheme)
    except ValueError:
        pass
    raise SchemeError(f"not a {stored.scheme} hash: not encoded as it should be")


def _decoded(encoded: bytes, encoding: str, scheme: Scheme) -> bytes:
    """Undo the encoding; a bare digest's length tells base64 and hexadecimal apart."""
    if encoding == "none" and scheme.binary:
        is_hex = scheme.digest_size and len(encoded) == 2 * scheme.digest_size
        encoding = "hex" if is_hex else "base64"
    if encoding == "hex":
        return binascii.unhexlify(encoded)
    if encoding == "base64":
        return b64decode(encoded, validate=True)
    return encoded


def _encoded(hashed: bytes, encoding: str, scheme: Scheme) -> str:
    if encoding == "hex":
        return hashed.hex()
    if encoding == "base64" or scheme.binary:
        return binascii.b2a_base64(hashed, newline=False).decode("ascii")
    return hashed.decode("utf-8", "surrogateescape")
