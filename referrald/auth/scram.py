"""The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without IO.

The keys of a user may take time to find, so an exchange is two steps: `parse_client_first` says who
it is about; `ScramServer` takes that and the keys and does the rest.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import pbkdf2_hmac, sha256, shake_256

import attrs

from referrald.auth.sasl import gs2_header, saslname
from referrald.auth.saslprep import saslprep
from referrald.errors import AuthenticationFailed, WireError
from referrald.model import ScramKeys

ITERATIONS = 4096
SALT_SIZE = 16
NONCE_SIZE = 18

_NONCE = re.compile(rb"[\x21-\x2b\x2d-\x7e]+")
_ATTRIBUTE = re.compile(rb"([A-Za-z])=([^,\0]+)")


@attrs.frozen(kw_only=True)
class ClientFirst:
    """The client's first message, taken apart.

    authzid: the user to act as, empty for the same. gs2: the GS2 header. bare: what follows it.
    """

    username: str
    authzid: str
    nonce: bytes
    gs2: bytes
    bare: bytes = attrs.field(repr=False)


def make_nonce() -> bytes:
    """Make the server's part of the nonce."""
    return b64encode(secrets.token_bytes(NONCE_SIZE))


def parse_client_first(message: bytes) -> ClientFirst:
    """Take the client's first message apart (RFC 5802 section 7).

    Raises `WireError` when it is not one, `AuthenticationFailed` when it asks for what is not
    offered: channel binding or a mandatory extension.
    """
    authzid, bare = gs2_header(message)
    attributes = _attributes(bare)
    names = [name for name, _ in attributes[:2]]
    if names[0] == b"m":
        raise AuthenticationFailed("the client demands an unknown SCRAM extension")
    if names != [b"n", b"r"] or not _NONCE.fullmatch(attributes[1][1]):
        raise WireError("The first SCRAM message is malformed.")
    return ClientFirst(
        username=_prepared(saslname(attributes[0][1])),
        authzid=authzid,
        nonce=attributes[1][1],
        gs2=message[: len(message) - len(bare)],
        bare=bare,
    )


class ScramServer:
    """One exchange with one user.

    ``challenge`` is the server's first message; `finish` judges the client's answer to it.
    """

    def __init__(
        self, first: ClientFirst, keys: ScramKeys, *, nonce: Callable[[], bytes] = make_nonce
    ) -> None:
        self._first = first
        self._keys = keys
        self._nonce = first.nonce + nonce()
        salt = b64encode(keys.salt)
        self.challenge = b"r=%b,s=%b,i=%d" % (self._nonce, salt, keys.iterations)

    def __repr__(self) -> str:
        return f"<ScramServer for {self._first.username!r}>"

    def finish(self, message: bytes) -> bytes:
        """Check the client's final message and give the server's (``v=…``).

        Raises `WireError` when it is malformed and `AuthenticationFailed`, always the same one,
        when it does not prove the password.
        """
        attributes = _attributes(message)
        names = [name for name, _ in attributes]
        if names[:2] != [b"c", b"r"] or names[-1] != b"p" or names.count(b"p") != 1:
            raise WireError("The final SCRAM message is malformed.")
        binding, proof = _base64(attributes[0][1]), _base64(attributes[-1][1])
        unproved = message[: message.rindex(b",p=")]
        transcript = b",".join((self._first.bare, self.challenge, unproved))
        proved = _proves(self._keys, transcript, proof)
        same_nonce = hmac.compare_digest(attributes[1][1], self._nonce)
        if not (proved and same_nonce and binding == self._first.gs2):
            raise AuthenticationFailed("wrong password or unknown user")
        return b"v=" + b64encode(_hmac(self._keys.server_key, transcript))


def derive_keys(
    password: bytes, *, salt: bytes | None = None, iterations: int = ITERATIONS
) -> ScramKeys:
    """Make a user's keys (RFC 5802 section 3); costs ``iterations`` rounds of PBKDF2.

    The password is taken as it is, see `prepared_password`.
    """
    if salt is None:
        salt = secrets.token_bytes(SALT_SIZE)
    salted = pbkdf2_hmac("sha256", password, salt, iterations)
    return ScramKeys(
        iterations=iterations,
        salt=salt,
        stored_key=sha256(_hmac(salted, b"Client Key")).digest(),
        server_key=_hmac(salted, b"Server Key"),
    )


class FakeKeys:
    """Makes keys for users that do not exist: for each always the same ones, and no password fits.

    secret: at least 16 random bytes; whoever has them can tell a fake from a real user.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._shape: tuple[int, int] | None = None

    def learn(self, keys: ScramKeys) -> None:
        """Make fakes look like the first real keys that are seen.

        Only the first: a fake that changed its looks later would show that it is one.
        """
        if self._shape is None:
            self._shape = (keys.iterations, len(keys.salt))

    def make(self, user: str) -> ScramKeys:
        """Give the keys of ``user``."""
        iterations, salt_size = self._shape or (ITERATIONS, SALT_SIZE)
        name = user.encode("utf-8", "surrogatepass")
        digest = shake_256(self._secret + b"\0" + name).digest(64 + salt_size)
        return ScramKeys(
            iterations=iterations,
            salt=digest[64:],
            stored_key=digest[:32],
            server_key=digest[32:64],
        )


def prepared_password(password: bytes) -> bytes:
    """Give the form of a password that SCRAM hashes; as it is when it cannot be prepared."""
    try:
        return saslprep(password.decode("utf-8")).encode("utf-8")
    except ValueError:
        return password


def _attributes(text: bytes) -> list[tuple[bytes, bytes]]:
    """Parse ``a=value,b=value``; at least one, in the order given."""
    found = [_ATTRIBUTE.fullmatch(part) for part in text.split(b",")]
    attributes = [(match[1], match[2]) for match in found if match is not None]
    if len(attributes) != len(found):
        raise WireError("A SCRAM attribute is malformed.")
    return attributes


def _prepared(username: str) -> str:
    try:
        prepared = saslprep(username)
    except ValueError:
        prepared = ""
    if not prepared:
        raise AuthenticationFailed("not a possible user name")
    return prepared


def _proves(keys: ScramKeys, transcript: bytes, proof: bytes) -> bool:
    signature = _hmac(keys.stored_key, transcript)
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(sha256(client_key).digest(), keys.stored_key)


def _base64(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        pass
    raise WireError("A SCRAM attribute is not base64.")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
