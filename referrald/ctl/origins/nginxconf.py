"""nginx's mail proxy: the ``auth_http`` service of a configuration, or of ``nginx -T``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import attrs

from referrald.backends.http.extraheader import read_header
from referrald.backends.servers import Wrong, show
from referrald.ctl.origins.found import Found, Section, Wishes, text_of

LOOPBACK = ("localhost", "127.0.0.1")
PROTOCOLS = {"143": "imap", "993": "imap", "110": "pop3", "995": "pop3"}
DEEPEST = 50

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<comment>\#[^\n]*)
    | (?P<mark>[;{}])
    | "(?P<double>(?:\\.|[^"\\])*)"?
    | '(?P<single>(?:\\.|[^'\\])*)'?
    | (?P<plain>(?:\\.|[^\s;{}"'\\])+ | \\)
    """,
    re.VERBOSE | re.DOTALL,
)
_TIME = re.compile(r"(\d{1,9})(ms|[smhd]?)", re.ASCII)
_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@attrs.define
class Directive:
    """A word, its arguments, and what stands in braces behind it."""

    line: int
    words: list[str]
    below: list[Directive] = attrs.field(factory=list)

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0] if self.words else ""

    @property
    def value(self) -> str:
        """The arguments."""
        return " ".join(self.words[1:])


def read(data: bytes, path: str, wishes: Wishes) -> Found:
    """Make a section for the service that is asked about IMAP."""
    found = Found(path=path)
    try:
        directives = parse(text_of(data))
    except Wrong as error:
        found.wrong(0, "file", error)
        return found
    keys: dict[str, object] = {}
    for directive, scope in _services(found, directives, {}):
        url = directive.value if "://" in directive.value else f"http://{directive.value}"
        asked = _keys(found, url, directive, scope, wishes)
        if keys and asked and asked != keys:
            wrong = Wrong(
                "is a second service, or is asked in another way",
                "one backend has one: make another section",
            )
            found.wrong(directive.line, directive.name, wrong)
        keys = keys or asked
    # What several servers inherit is told once.
    found.left_out = list(dict.fromkeys(found.left_out))
    if keys:
        found.section = Section(keys=keys)
    elif not found.left_out:
        found.wrong(0, "file", Wrong("has no auth_http", "the output of nginx -T"))
    return found


Scope = Mapping[str, Directive]
"""The directives that count for a server, by name."""


def _services(
    found: Found, directives: list[Directive], above: Scope
) -> Iterator[tuple[Directive, Scope]]:
    """Find every place that asks a service about IMAP."""
    scope = {**above, **{each.name: each for each in directives}}
    for each in directives:
        if each.name == "include" and ("auth_http" in above or "mail" in above):
            wrong = Wrong("is not followed", "give the output of nginx -T")
            found.wrong(each.line, f"include {each.value}", wrong)
    for each in [each for each in directives if each.name == "auth_http_header"][:-1]:
        wrong = Wrong("is one of several headers, of which one can be sent", "leave one in nginx")
        found.wrong(each.line, each.name, wrong)
    for each in directives:
        if each.name in ("mail", "server") and each.below:
            yield from _services(found, each.below, scope | {"mail": each})
    asked = scope.get("auth_http")
    servers = [each for each in directives if each.name == "server"]
    if asked is None or servers or ("mail" in scope and "listen" not in scope):
        return
    if "listen" in scope and not _is_imap(found, scope):
        return
    yield asked, scope


def _is_imap(found: Found, scope: Scope) -> bool:
    listen = scope["listen"]
    port = re.sub(r"\D*$", "", (listen.words[1:2] or [""])[0]).rpartition(":")[2]
    protocol = scope["protocol"].value if "protocol" in scope else PROTOCOLS.get(port, "imap")
    if protocol != "imap":
        found.note(listen.line, "listen", f"is for {protocol}, which stays with nginx")
        return False
    right = f'[[listener]] endpoint = "tcp:{port or 143}"'
    found.note(listen.line, "listen", "is a listener, and no part of a backend", right)
    return True


def _keys(
    found: Found, url: str, directive: Directive, scope: Scope, wishes: Wishes
) -> dict[str, object]:
    """Write the keys of the section."""
    try:
        _check(url)
    except Wrong as error:
        found.wrong(directive.line, directive.name, error)
        return {}
    keys: dict[str, object] = {"type": "http", "dialect": "nginx", "url": url}
    if "auth_http_timeout" in scope:
        wait = scope["auth_http_timeout"]
        match = _TIME.fullmatch(wait.value)
        if match is None:
            found.wrong(wait.line, wait.name, Wrong(f'"{show(wait.value)}" is not a time', "60s"))
        else:
            keys["timeout"] = max(0.1, int(match[1]) * _SECONDS[match[2]])
    if "auth_http_header" in scope:
        keys |= _header(found, scope["auth_http_header"])
    if wishes.security is not None:
        keys["security"] = wishes.security.value
    return keys


def _header(found: Found, directive: Directive) -> dict[str, object]:
    """Write the header that is sent besides; it may be a secret, so that no message quotes it."""
    name, _, value = directive.value.partition(" ")
    try:
        read_header(f"{name}: {value}")
    except Wrong as error:
        found.wrong(directive.line, directive.name, error)
        return {}
    return {"header": f"{name}: {value}"}


def _check(url: str) -> None:
    """Raise `Wrong` for a URL over which no password may travel."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Wrong(f'"{show(url)}" is not a URL', "HOST:PORT/PATH") from None
    if parts.scheme == "unix" or url.startswith("http://unix:") or "$" in url:
        raise Wrong("is no address that can be asked over the network", "127.0.0.1:PORT/PATH")
    if not host:
        raise Wrong("names no host", "HOST:PORT/PATH")
    if host not in LOOPBACK:
        raise Wrong(
            f"would send passwords in the clear to {show(host)}",
            "let the service have https://, or a proxy on 127.0.0.1",
        )


def parse(text: str) -> list[Directive]:
    """Read the directives of a configuration; raises `Wrong`."""
    top: list[Directive] = []
    stack = [top]
    words: list[str] = []
    line = start = 1
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup, match[match.lastgroup or 0]
        if kind == "mark":
            if piece in ";{" and words:
                stack[-1].append(Directive(start, words))
            if piece == "{":
                if not words or len(stack) > DEEPEST:
                    raise Wrong(f"line {line} opens a block that has no name, or is too deep")
                stack.append(stack[-1][-1].below)
            elif piece == "}":
                if len(stack) == 1 or words:
                    raise Wrong(f"line {line} closes a block that is not open, or not complete")
                stack.pop()
            words = []
        elif kind not in ("space", "comment"):
            start = start if words else line
            words.append(piece if kind == "plain" else re.sub(r"\\(.)", r"\1", piece, flags=re.S))
        line += match[0].count("\n")
    if len(stack) > 1 or words:
        raise Wrong("ends in the middle of a block", "give the whole configuration")
    return top
