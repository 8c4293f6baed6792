"""Host names and addresses in their one canonical form (RFC 3986 section 3.2.2, RFC 3490)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from referrald.errors import UrlError

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
_AMBIGUOUS = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")
_LONGEST = 253


@lru_cache(maxsize=4096)
def canonical(host: str) -> str:
    """Give ``host`` in lower case and ASCII; raises `UrlError` unless it is a name or an address.

    A name that ends in a number must be an IPv4 address in its usual form: resolvers take ``127.1``
    and ``0x7f.1`` for addresses too, and would lead where no policy looked.
    """
    if ":" in host:
        return _ipv6(host)
    name = (host if host.isascii() else _to_ascii(host)).lower()
    if not name:
        raise UrlError("no host")
    if len(name.removesuffix(".")) > _LONGEST or not _NAME.fullmatch(name):
        raise UrlError("not a host name", text=host)
    if _NUMERIC.fullmatch(name):
        return _ipv4(name)
    return name


def readable(host: str) -> str:
    """Give a canonical name with its ``xn--`` labels decoded, where they can be; for display."""
    return ".".join(map(_label, host.split(".")))


def _label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def _to_ascii(host: str) -> str:
    if _AMBIGUOUS.search(host):
        # IDNA 2003 and 2008 send these to different hosts; a password must go to only one.
        raise UrlError("a host whose encoding is ambiguous; write it as xn--", text=host)
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UrlError("not a host name", text=host) from None


def _ipv4(name: str) -> str:
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise UrlError("not an IPv4 address", text=name) from None


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise UrlError("not an IPv6 address", text=host) from None
    if address.scope_id is not None:
        raise UrlError("an IPv6 address with a zone", text=host)
    return str(address)
