"""Home servers as operators write them: ``host``, ``host:port``, a host with a port beside it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

from referrald.errors import UrlError
from referrald.imapurl import ImapUrl
from referrald.model import IMAP_PORT, IMAPS_PORT, Security, Server

IPV6 = "is an IPv6 address, which no referral can carry"
NAME_IT = "give the server a name"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_SPLIT = re.compile(r"(?P<host>[^:\[\]]*)(?::(?P<port>[^:\[\]]*))?")


class Wrong(ValueError):
    """A value cannot be used; ``right`` says what could."""

    def __init__(self, wrong: str, right: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.right = right


def make_server(
    host: str, port: int | None = None, security: Security | None = None, weight: int = 1
) -> Server:
    """Make a server of checked parts; raises `Wrong`.

    Without ``security`` port 993 means TLS and any other STARTTLS; without ``port`` TLS means 993.
    """
    if security is None:
        security = Security.TLS if port == IMAPS_PORT else Security.STARTTLS
    if port is None:
        port = IMAPS_PORT if security is Security.TLS else IMAP_PORT
    return Server(host=host_name(host), port=port, security=security, weight=weight)


@lru_cache(maxsize=1024)
def host_name(host: str) -> str:
    """Give a host in the form that stands in URLs; raises `Wrong` when none can have it."""
    if ":" in host or "[" in host:
        raise Wrong(f'"{show(host)}" {IPV6}', NAME_IT)
    try:
        return ImapUrl(host=host, auth="*").host
    except UrlError as error:
        raise Wrong(f'"{show(host)}": {error.reason}', 'such as "imap.example.org"') from None


def port_number(text: str) -> int:
    """Read a port; raises `Wrong`."""
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise Wrong(f'"{show(text)}" is not a port', "a number from 1 to 65535")
    return int(text)


def parse_server(text: str, security: Security | None = None) -> Server:
    """Read ``host`` or ``host:port``; raises `Wrong`."""
    match = _SPLIT.fullmatch(text)
    if match is None:
        raise Wrong(f'"{show(text)}" {IPV6}', NAME_IT)
    port = match["port"]
    return make_server(match["host"], None if port is None else port_number(port), security)


def plain_text(text: str, longest: int = 255) -> str:
    """Give ``text`` back when it is one line of that many bytes or fewer; raises `Wrong`."""
    if _CONTROL.search(text):
        raise Wrong("has a control character in it")
    if not text or len(text.encode()) > longest:
        raise Wrong("is empty" if not text else f"is longer than {longest} bytes")
    return text


def show(text: str) -> str:
    """Shorten ``text`` and make it one line, for a message."""
    text = _CONTROL.sub("?", text)
    return text if len(text) <= 60 else text[:56] + " …"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is nearest, or list what is known when that is not long."""
    return _nearest(word, tuple(known))


@lru_cache(maxsize=256)
def _nearest(word: str, known: tuple[str, ...]) -> str:
    words = sorted(known)
    near = difflib.get_close_matches(word, words, 1)
    if near:
        return f'did you mean "{near[0]}"?'
    return "known: " + ", ".join(words) if 0 < len(words) <= 20 else ""
