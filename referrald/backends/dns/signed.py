"""Homes in TXT records, signed, as an experiment: a directory that anybody may serve.

A record belongs to one user. Its name is made of a hash of the user's name, so that a zone does not
list the users; its text is such as

    v=1 until=1798761600 home=imap1.example.org,imap2.example.org:993 sig=MEUCIQ…

``home`` is ``here`` or servers in order of preference; ``until`` is when it ends, in seconds since
1970; ``sig`` is the Ed25519 signature (RFC 8032) of the user's name, a zero byte, and all that
stands before it. So nobody without the key can make one, and a record of one user is none for
another. An old record can be shown again until it ends: keep that near.
"""

from __future__ import annotations

import re
from base64 import b32encode, b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from referrald.backends.servers import Wrong, parse_server
from referrald.model import Server

ZONE: Final = "_imap-home"
HERE: Final = "here"
_TEXT = re.compile(
    r"(?P<signed>v=1 until=(?P<until>[0-9]{1,12}) home=(?P<home>[!-~]{1,2000}))"
    r" sig=(?P<sig>[A-Za-z0-9+/=]{1,200})"
)


@attrs.frozen(kw_only=True)
class SignedHome:
    """What a record says. servers: none for *here*. until: seconds since 1970."""

    servers: tuple[Server, ...]
    until: int


def is_record(text: str) -> bool:
    """Say whether a TXT record is meant to be one of these; others may be at the same name."""
    return text.startswith("v=1 ")


def record_name(user: str) -> str:
    """Give the name of a user's record; the user's name has a domain."""
    digest = blake2b(user.lower().encode("utf-8", "surrogatepass"), digest_size=20).digest()
    label = b32encode(digest).decode("ascii").lower()
    return f"{label}.{ZONE}.{user.rpartition('@')[2].lower()}"


def sign(key: Ed25519PrivateKey, user: str, servers: Sequence[Server], until: int) -> str:
    """Write the text of a user's record; raises `Wrong` for a server that it cannot name."""
    home = ",".join(_spelled(server) for server in servers) or HERE
    signed = f"v=1 until={until} home={home}"
    signature = b64encode(key.sign(_message(user, signed))).decode("ascii")
    return f"{signed} sig={signature}"


def verify(key: Ed25519PublicKey, user: str, text: str) -> SignedHome:
    """Read the text of a user's record; raises `Wrong` unless it is signed and well-formed."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Wrong("is malformed")
    try:
        signature = b64decode(match["sig"], validate=True)
        key.verify(signature, _message(user, match["signed"]))
    except (InvalidSignature, Base64Error):
        raise Wrong("has a wrong signature") from None
    if b64encode(signature).decode("ascii") != match["sig"]:
        raise Wrong("has a signature that is spelt in another way")
    home = match["home"]
    servers = () if home == HERE else tuple(parse_server(each) for each in home.split(","))
    return SignedHome(servers=servers, until=int(match["until"]))


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key; raises `Wrong`."""
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        raise Wrong("is no public key", "a file in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Wrong("is a key of another kind", "an Ed25519 key")
    return key


def _message(user: str, signed: str) -> bytes:
    return user.lower().encode("utf-8", "surrogatepass") + b"\0" + signed.encode("ascii")


def _spelled(server: Server) -> str:
    text = f"{server.host}:{server.port}"
    if parse_server(text).security is not server.security:
        raise Wrong(f"{text} cannot be written with {server.security.value}")
    return text
