"""An IMAP URL as a value: whatever exists is valid, and has one written form."""

from __future__ import annotations

import re
from typing import Literal

import attrs

from referrald.imapurl import fields
from referrald.imapurl.fields import FieldError, optional
from referrald.imapurl.hosts import readable
from referrald.imapurl.percent import PATH, USER

Kind = Literal["server", "list", "search", "message", "section", "partial"]

_DOTS = re.compile(r"(?:^|(?<=/))\.{1,2}(?=/|$)")


@attrs.frozen(kw_only=True, str=False)
class ImapUrl:
    """An absolute IMAP URL (RFC 5092), its parts decoded.

    host: a name in ASCII, an IPv4 address, or an IPv6 address without brackets; in lower case.
    user, auth: None where the URL does not say; `authentication` tells what that means.
    port: None means 143.
    mailbox: the name itself, neither percent-encoded nor in modified UTF-7.
    partial: the first octet, and the number of octets or None.
    search: may hold line breaks, but only in front of non-synchronising literals.
    expire, access, urlauth: RFC 5092 section 6.1; ``access`` such as ``user+fred`` or
    ``anonymous``, ``urlauth`` the mechanism and the token, None while the URL has yet to be
    authorised.

    Raises `UrlError` for parts that are wrong or do not go together.
    """

    host: str = attrs.field(converter=fields.host)
    user: str | None = attrs.field(default=None, validator=optional(fields.text))
    auth: str | None = attrs.field(
        default=None, converter=fields.upper, validator=optional(fields.mechanism)
    )
    port: int | None = attrs.field(
        default=None, converter=fields.port, validator=optional(fields.port_number)
    )
    mailbox: str | None = attrs.field(default=None, validator=optional(fields.text))
    uidvalidity: int | None = attrs.field(default=None, validator=optional(fields.nz_number))
    uid: int | None = attrs.field(default=None, validator=optional(fields.nz_number))
    section: str | None = attrs.field(default=None, validator=optional(fields.section))
    partial: tuple[int, int | None] | None = attrs.field(
        default=None, validator=optional(fields.partial)
    )
    search: str | None = attrs.field(default=None, validator=optional(fields.search))
    expire: str | None = attrs.field(default=None, validator=optional(fields.expire))
    access: str | None = attrs.field(default=None, validator=optional(fields.access))
    urlauth: tuple[str, str] | None = attrs.field(
        default=None, repr=False, validator=optional(fields.urlauth)
    )

    def __attrs_post_init__(self) -> None:
        self._require("mailbox", "uidvalidity", "uid", "search")
        self._require("uid", "section", "partial", "access")
        self._require("access", "expire", "urlauth")
        if self.search is not None and self.uid is not None:
            raise FieldError("search", "a search and a UID")

    def _require(self, needed: str, *parts: str) -> None:
        for part in parts:
            if getattr(self, part) is not None and getattr(self, needed) is None:
                raise FieldError(part, f"a {part} without a {needed}")

    @property
    def kind(self) -> Kind:
        """What the URL names (RFC 5092 sections 4 to 6)."""
        if self.mailbox is None:
            return "server"
        if self.uid is None:
            return "list" if self.search is None else "search"
        if self.partial is not None:
            return "partial"
        return "message" if self.section is None else "section"

    @property
    def authentication(self) -> str | None:
        """The mechanism to use: ``*`` for any, None for anonymous (RFC 5092 section 3.2)."""
        return self.auth or (None if self.user is None else "*")

    @property
    def readable_host(self) -> str:
        """The host as people write it, for display only."""
        return readable(self.host)

    def server(self) -> ImapUrl:
        """Give the URL of the server alone, as the same user."""
        return ImapUrl(host=self.host, user=self.user, auth=self.auth, port=self.port)

    def __str__(self) -> str:
        return f"imap://{self._server()}{self.path}"

    def _server(self) -> str:
        user = "" if self.user is None else USER.encode(self.user)
        auth = "" if self.auth is None else f";AUTH={self.auth}"
        at = "@" if user or auth else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{user}{auth}{at}{host}{port}"

    @property
    def path(self) -> str:
        """Everything behind the server, encoded, from the first slash."""
        if self.mailbox is None:
            return "/"
        parts = ["/", encode_mailbox(self.mailbox)]
        if self.uidvalidity is not None:
            parts.append(f";UIDVALIDITY={self.uidvalidity}")
        if self.search is not None:
            parts.append(f"?{PATH.encode(self.search)}")
        if self.uid is not None:
            parts.append(self._message())
        return "".join(parts)

    def _message(self) -> str:
        parts = [f"/;UID={self.uid}"]
        if self.section is not None:
            parts.append(f"/;SECTION={encode_segments(self.section)}")
        if self.partial is not None:
            start, length = self.partial
            parts.append(f"/;PARTIAL={start}" + ("" if length is None else f".{length}"))
        if self.expire is not None:
            parts.append(f";EXPIRE={self.expire}")
        if self.access is not None:
            parts.append(f";URLAUTH={USER.encode(self.access)}")
        if self.urlauth is not None:
            parts.append(":" + ":".join(self.urlauth))
        return "".join(parts)


def encode_segments(text: str) -> str:
    """Encode a text so that no part of it can be taken for a dot segment (RFC 3986 section 3.3)."""
    return _DOTS.sub(lambda dots: "%2E" * len(dots.group()), PATH.encode(text))


def encode_mailbox(name: str) -> str:
    """Encode a mailbox; its leading ``/`` would make a path look like a server (section 7.1)."""
    encoded = encode_segments(name)
    return f"%2F{encoded[1:]}" if encoded.startswith("/") else encoded
