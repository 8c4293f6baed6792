"""Who may be given the user's credentials: a pure function of names and of the transport."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from ipaddress import ip_address
from typing import Literal

import attrs

from referrald.errors import UrlError
from referrald.imapurl import canonical_host
from referrald.model import IMAPS_PORT

Credential = Literal["password", "token"]


def fold_host(text: str) -> str:
    """Fold all spellings of a host into one; what is not a host is a pattern."""
    try:
        return canonical_host(text.strip("[]") if ":" in text else text).removesuffix(".")
    except UrlError:
        return text.lower().removesuffix(".")


def _folded(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(fold_host, texts))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _names(patterns: tuple[str, ...], host: str) -> bool:
    """Say whether the patterns name ``host``; an address must be written out."""
    if host in patterns or _is_address(host):
        return host in patterns
    return any(re.match(translate(pattern), host) for pattern in patterns)


@attrs.frozen(kw_only=True)
class CredentialPolicy:
    """Which servers may be given the credentials of one account.

    origin: the host that the user asked for; it is always allowed, by TLS.
    allowed, allow_clear: shell patterns of host names, in any case; ``*`` matches dots as well. An
    IP address is matched only by itself. No patterns allow no host.
    """

    origin: str = attrs.field(converter=fold_host)
    allowed: tuple[str, ...] = attrs.field(default=(), converter=_folded)
    allow_clear: tuple[str, ...] = attrs.field(default=(), converter=_folded)

    def allows(self, host: str) -> bool:
        """Say whether a server may be gone to at all."""
        folded = fold_host(host)
        return folded == self.origin or _names(self.allowed, folded)

    def clear_allowed(self, host: str, port: int) -> bool:
        """Say whether a server that offers no STARTTLS may be used all the same."""
        return port != IMAPS_PORT and _names(self.allow_clear, fold_host(host))

    def objection(
        self,
        server_host: str,
        port: int,
        *,
        secure: bool,
        origin_secure: bool,
        kind: Credential = "password",
    ) -> str:
        """Say why a server must not be given the credentials; empty when it may.

        secure, origin_secure: the connection there, and the one that referred, is protected by
        TLS. kind: what would be sent.
        """
        try:
            host = canonical_host(server_host).removesuffix(".")
        except UrlError as error:
            return error.reason
        if host != self.origin and not _names(self.allowed, host):
            what = "an address that is not allowed" if _is_address(host) else "not an allowed host"
            return f"{host}: {what}, gets no {kind}"
        if secure or self.clear_allowed(host, port):
            return ""
        if origin_secure:
            return f"{host}: without TLS, but the server that referred had it"
        return f"{host}: without TLS, gets no {kind} in the clear"
