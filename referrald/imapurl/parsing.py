"""Turn texts into URLs: absolute ones, and references relative to another URL."""

from __future__ import annotations

import re

from referrald.errors import UrlError
from referrald.imapurl.found import Found, Piece
from referrald.imapurl.path import read_path
from referrald.imapurl.segments import merge, remove_dots
from referrald.imapurl.server import read_server
from referrald.imapurl.url import ImapUrl

_IMAP = re.compile("imap:", re.IGNORECASE)
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_PATH = re.compile("[/?#]")


def parse(text: str | bytes) -> ImapUrl:
    """Parse an absolute IMAP URL (RFC 5092 section 11).

    Raises `UrlError` with the offset of what is wrong. A host may have non-ASCII characters as
    people write them; anywhere else they must be percent-encoded.
    """
    url = _as_text(text)
    found, whole = Found(url), Piece.whole(url)
    if _IMAP.match(url) is None:
        found.fail("not an imap: URL", whole)
    if not url.startswith("//", 5):
        found.fail("// must follow the scheme", whole, 5)
    return _read(found, whole.part(7))


def resolve(base: ImapUrl, reference: str | bytes) -> ImapUrl:
    """Resolve a reference against ``base`` (RFC 5092 section 7, RFC 3986 section 5).

    Raises `UrlError` with an offset into the reference. The section forbids references that begin
    with neither a slash nor a scheme and then shows what they mean; they are taken.
    """
    text = _as_text(reference)
    if _SCHEME.match(text):
        return parse(text)
    found, whole = Found(text), Piece.whole(text)
    if text.startswith("//"):
        return _read(found, whole.part(2))
    if not text:
        return base
    for field in ("host", "user", "auth", "port"):
        found.put(field, getattr(base, field), whole.part(0, 0))
    read_path(found, merge(base.path, whole))
    return found.url()


def _read(found: Found, piece: Piece) -> ImapUrl:
    server, path = piece.split(_PATH)
    read_server(found, server)
    read_path(found, remove_dots(path))
    return found.url()


def _as_text(text: str | bytes) -> str:
    """Give the text to parse; what is not UTF-8, or half a character, is an error."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        if not decoded.isascii():
            decoded.encode("utf-8")
    except UnicodeDecodeError as error:
        offset = len(error.object[: error.start].decode("utf-8"))
        raise UrlError("not UTF-8", offset=offset) from None
    except UnicodeEncodeError as error:
        raise UrlError("half a character", text=error.object, offset=error.start) from None
    return decoded
