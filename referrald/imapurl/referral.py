"""The URLs that go into a response code (RFC 2221 section 4.1, RFC 2193 section 3)."""

from __future__ import annotations

import re
from functools import lru_cache

from referrald.errors import UrlError
from referrald.imapurl.fields import text
from referrald.imapurl.percent import USER
from referrald.imapurl.url import ImapUrl, encode_mailbox

_PLAIN_USER = re.compile(r"[A-Za-z0-9\-._~!$'()*+,&=]+(?:@[A-Za-z0-9\-._~]+)?")


def in_response_code(url: ImapUrl) -> str:
    """Give ``url`` as it may stand in a response code; raises `UrlError` where it cannot.

    The code would end at the ``]`` of an IPv6 address; anything else is percent-encoded already.
    """
    if ":" in url.host:
        raise UrlError("an IPv6 address cannot stand in a response code", text=str(url))
    return str(url)


def login_referral(host: str, port: int | None, user: str, auth: str = "*") -> str:
    """Give the URL of a login referral (RFC 2221): always a user, a mechanism and a final slash.

    Raises `UrlError` for a user, mechanism or host that no referral can carry. Cheap for a user
    whose name is plain and for a server that was named before.
    """
    if _PLAIN_USER.fullmatch(user):
        encoded = user.replace("@", "%40")
    elif reason := text(user):
        raise UrlError(f"the user: {reason}")
    else:
        encoded = USER.encode(user)
    return f"imap://{encoded}{_server(host, port, auth)}"


def login_name(url: str) -> str:
    """Give the user in a URL of `login_referral`, percent-encoded as it stands there."""
    return url.removeprefix("imap://").partition(";")[0]


def mailbox_referral(host: str, port: int | None, user: str, mailbox: str, auth: str = "*") -> str:
    """Give a URL of a mailbox referral (RFC 2193): user, mechanism, and the name in UTF-8.

    Raises `UrlError` for a host, user, mechanism or name that no referral can carry. As cheap as
    `login_referral`.
    """
    if reason := text(mailbox):
        raise UrlError(f"the mailbox: {reason}")
    return login_referral(host, port, user, auth) + encode_mailbox(mailbox)


@lru_cache(maxsize=1024)
def _server(host: str, port: int | None, auth: str) -> str:
    """Give what follows the user: there are few servers, and many users of each."""
    url = in_response_code(ImapUrl(host=host, port=port, auth=auth))
    return url.removeprefix("imap://")
