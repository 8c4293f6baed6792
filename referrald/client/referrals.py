"""What a server's status line says about referrals (RFC 2221 section 4, RFC 2193 section 4).

Tolerant of what servers really send, never of a URL that could mean another place than it seems to.
"""

from __future__ import annotations

import re
from typing import Literal

import attrs

from referrald.errors import ReferraldError, UrlError
from referrald.imapurl import ImapUrl, parse, resolve
from referrald.model import IMAP_PORT

Context = Literal["login", "greeting", "mailbox"]

_FOLLOWED = {
    ("NO", True, "login"),
    ("OK", True, "login"),
    ("NO", True, "mailbox"),
    ("BYE", False, "greeting"),
}

_CODE = re.compile(rb" *\[+REFERRAL(?=[\x00-\x20\]\"]|\Z)", re.IGNORECASE)
# The ] of an address belongs to the URL; any other ] ends the code.
_ADDRESS = rb"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^][ \"/?#]*@)?\[[^][ \"]*\]"
_WORD = re.compile(rb" *(?:\"([^\"]*)\"|(%b[^] \"]*|[^] \"]+))" % _ADDRESS)
_CLOSE = re.compile(rb" *\]+")
_WHOLE = re.compile(rb"[^/]*//[^/?#]*[/?#]|/[^/]")
_PASSWORD = re.compile(rb"[^/]*//[^/?#:[]*:[^/?#]*@")
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f]")


class RefusedReferral(ReferraldError):
    """A server refers to something that must not, or cannot, be followed.

    The message says why, without the URL: there may be a password in it.
    """

    code = None
    public = "The server's referral cannot be followed."


@attrs.frozen(kw_only=True)
class Referral:
    """Where a server sends its client.

    urls: one or more, in the server's order of preference; with a RENAME by turns old and new.
    personal_elsewhere: the login here succeeded, and the user's own mail is there (``OK``).
    text: what the server says to people, without control characters.
    """

    urls: tuple[ImapUrl, ...] = attrs.field(validator=attrs.validators.min_len(1))
    personal_elsewhere: bool = False
    text: str = ""


@attrs.frozen(kw_only=True)
class Target:
    """A server to go on to, and who to be there.

    mechanism: the SASL mechanism that the URL prescribes; None leaves it to the client.
    mailbox: None after a login referral.
    note: what was left out of the URL; empty when nothing was.
    implicit: TLS comes first; None means on port 993 only.
    """

    host: str
    port: int
    user: str
    implicit: bool | None = None
    mechanism: str | None = None
    mailbox: str | None = None
    note: str = ""
    url: ImapUrl


def counts(kind: str, tagged: bool, context: Context) -> bool:
    """Say whether a referral in such a response is to be followed.

    context: what the response answers; ``greeting`` is the first line of a connection.
    """
    return (kind.upper(), tagged, context) in _FOLLOWED


def referral_in(kind: str, text: bytes, *, base: ImapUrl | None = None) -> Referral | None:
    """Find the referral in a status line; None when there is none.

    text: everything behind the kind. base: the server that says so, for references such as
    ``//host/``. Raises `RefusedReferral` for a code without a URL, or with any that is wrong.
    """
    line = text.rstrip(b"\r\n")
    code = _CODE.match(line)
    if code is None:
        return None
    words, rest = _read(line, code.end())
    urls = tuple(_url(word, number, base) for number, word in enumerate(words, 1))
    if not urls:
        raise RefusedReferral("a referral without a URL")
    return Referral(urls=urls, personal_elsewhere=kind.upper() == "OK", text=_readable(rest))


def _read(line: bytes, at: int) -> tuple[list[bytes], bytes]:
    """Cut the code's words out of ``line``, and what follows the code."""
    words: list[bytes] = []
    quoted = False
    while word := _WORD.match(line, at):
        quoted = word[1] is not None
        words.append(word[1] if quoted else word[2])
        at = word.end()
    close = _CLOSE.match(line, at)
    rest = line[close.end() if close else at :]
    if close is None and rest.strip(b" "):
        raise RefusedReferral("a quote that does not end")
    clear = quoted or (close is not None and rest[:1] in (b"", b" "))
    if words and not clear and not _WHOLE.match(words[-1]):
        # Cut off, or with a stray ] in it, a user or half a name would be taken for the host.
        raise RefusedReferral(f"URL {len(words)}: it is not clear where it ends")
    return words, rest


def _url(word: bytes, number: int, base: ImapUrl | None) -> ImapUrl:
    """Parse a word; only with a leading slash is it a reference (RFC 5092 section 7)."""
    if _PASSWORD.match(word):
        raise RefusedReferral(f"URL {number}: a password, or a : that is not encoded, in the user")
    try:
        return resolve(base, word) if base and word.startswith(b"/") else parse(word)
    except UrlError as error:
        raise RefusedReferral(f"URL {number}: {error}") from None


def _readable(text: bytes) -> str:
    return _UNSEEN.sub(" ", text.decode("utf-8", "replace")).strip()


def login_targets(referral: Referral, user: str) -> tuple[Target, ...]:
    """Give the servers to log in to, the alternatives behind the first; ``user`` is the caller's.

    Raises `RefusedReferral` where a URL prescribes an anonymous login.
    """
    return tuple(
        attrs.evolve(
            _target(url, user),
            mailbox=None,
            note="" if url.mailbox is None else f"the mailbox {url.mailbox!r} does not count",
        )
        for url in referral.urls
    )


def login_target(referral: Referral, user: str) -> Target:
    """Give the first of `login_targets`: a login referral should have no other."""
    return login_targets(referral, user)[0]


def mailbox_targets(
    referral: Referral, user: str, mailbox: str | None = None
) -> tuple[Target, ...]:
    """Give where a mailbox is, in order of preference; ``user`` is the caller's.

    mailbox: the name that was asked for, which is taken where a URL names only a server. Raises
    `RefusedReferral` where there is none, or where a URL prescribes an anonymous login.
    """
    return tuple(_mailbox_target(url, user, mailbox) for url in referral.urls)


def _mailbox_target(url: ImapUrl, user: str, mailbox: str | None) -> Target:
    target = _target(url, user)
    if url.kind == "list":
        return target
    if url.mailbox is not None:
        return attrs.evolve(target, note=f"only the mailbox counts, not the {url.kind}")
    if mailbox is None:
        raise RefusedReferral("a mailbox referral without a mailbox")
    return attrs.evolve(target, mailbox=mailbox, note="the URL names no mailbox")


def _target(url: ImapUrl, user: str) -> Target:
    # RFC 5092 takes a URL with neither user nor mechanism for anonymous; here it is the caller.
    if url.auth == "ANONYMOUS":
        raise RefusedReferral("an anonymous login")
    return Target(
        host=url.host,
        port=url.port or IMAP_PORT,
        user=user if url.user is None else url.user,
        mechanism=None if url.auth == "*" else url.auth,
        mailbox=url.mailbox,
        url=url,
    )
