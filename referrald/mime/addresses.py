"""Addresses out of header fields, for ENVELOPE (RFC 3501 section 7.4.2, RFC 5322 section 3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

MAX_VALUE: Final = 65_536
"""Bytes of one field that are looked at: some two thousand addresses."""

NO_HOST: Final = b".MISSING-HOST-NAME."
"""Stands where an address has no domain: NIL there would make it a group. Alpine hides it."""


@attrs.frozen
class Address:
    """One address structure; ``host`` None begins a group, all None ends it."""

    name: bytes | None = None
    route: bytes | None = None
    mailbox: bytes | None = None
    host: bytes | None = None


GROUP_END: Final = Address()

_LEX = re.compile(
    rb'(?P<space>[ \t]+)|"(?P<quoted>(?:[^"\\]|\\.)*+)(?:"|\\?\Z)|(?P<domain>\[[^\]]*+\]?)'
    rb'|(?P<atom>[^ \t"(),:;<>@\[]+)|(?P<special>[(),:;<>@])',
    re.DOTALL,
)
_SPEC: Final = rb"[A-Za-z0-9._+=-]++@[A-Za-z0-9.-]++"
_NAMED: Final = rb"""(?:"[^"\\]*+" |(?:[A-Za-z0-9.'&_-]++ )*+)<""" + _SPEC + rb">"
_ONE: Final = rb"(?:" + _NAMED + rb"|" + _SPEC + rb")"
_USUAL_LIST = re.compile(_ONE + rb"(?:, " + _ONE + rb")*+").fullmatch
_USUAL = re.compile(
    rb"""(?:"([^"\\]*+)" |((?:[A-Za-z0-9.'&_-]++ )*+)(?=<))?+"""
    rb"<?([A-Za-z0-9._+=-]++)@([A-Za-z0-9.-]++)>?(?:, |\Z)"
)
_IN_COMMENT = re.compile(rb"[()]|\\.", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)

WORD: Final = "word"
SPACE: Final = "space"
COMMENT: Final = "comment"

Token = tuple[str, bytes]
"""A kind and its content; a special character is its own kind."""


def addresses(value: bytes) -> list[Address]:
    """Read an address list, however broken."""
    if len(value) <= MAX_VALUE and _USUAL_LIST(value):
        return [_usual(match) for match in _USUAL.finditer(value)]
    return read(value)


def _usual(match: re.Match[bytes]) -> Address:
    quoted, words, mailbox, host = match.groups()
    return Address((quoted or words or b"").strip(b" \t") or None, None, mailbox, host)


def read(value: bytes) -> list[Address]:
    """Read an address list token by token: what is usual is read in a tenth of the time."""
    reader = _Reader()
    for kind, content in _tokens(value[:MAX_VALUE]):
        reader.take(kind, content)
    return reader.finish()


def _tokens(value: bytes) -> Iterator[Token]:
    pos = 0
    while pos < len(value):
        match = _LEX.match(value, pos)
        assert match is not None
        pos = match.end()
        kind, content = str(match.lastgroup), match[match.lastgroup or 0]
        if kind == "quoted":
            yield WORD, _ESCAPE.sub(rb"\1", content)
        elif kind in ("atom", "domain"):
            yield WORD, content
        elif content == b"(":
            end = _comment_end(value, pos)
            yield COMMENT, _ESCAPE.sub(rb"\1", value[pos:end]).strip(b" \t")
            pos = end + 1
        elif kind == "special":
            yield content.decode("ascii"), content
        else:
            yield SPACE, b" "


def _comment_end(value: bytes, pos: int) -> int:
    depth = 1
    for match in _IN_COMMENT.finditer(value, pos):
        if match[0] in (b"(", b")"):
            depth += 1 if match[0] == b"(" else -1
            if depth == 0:
                return match.start()
    return len(value)


class _Reader:
    """Collects the tokens of one address after another."""

    def __init__(self) -> None:
        self.found: list[Address] = []
        self.in_group = False
        self._clear()

    def _clear(self) -> None:
        self.words: list[Token] = []
        self.has_at = False
        self.angle: list[Token] | None = None
        self.open = False
        self.comment: bytes | None = None

    def take(self, kind: str, content: bytes) -> None:
        """Take one token."""
        if kind == COMMENT:
            self.comment = self.comment or content
        elif self.open:
            self._take_inside(kind, content)
        elif kind == "<" and self.angle is None:
            self.angle, self.open = [], True
        elif kind == ",":
            self._end_address()
        elif kind == ";":
            self._end_address()
            self._end_group()
        elif kind == ":" and not (self.in_group or self.angle is not None or self.has_at):
            self.found.append(Address(mailbox=_joined(self.words, b" ")))
            self.in_group = True
            self._clear()
        elif self.angle is None:
            self.words.append((kind, content))
            self.has_at = self.has_at or kind == "@"

    def finish(self) -> list[Address]:
        """Give what was found."""
        self._end_address()
        self._end_group()
        return self.found

    def _take_inside(self, kind: str, content: bytes) -> None:
        assert self.angle is not None
        if kind == ">":
            self.open = False
        elif kind != SPACE:
            self.angle.append((kind, content))

    def _end_address(self) -> None:
        if self.angle is not None:
            route, spec = _routed(self.angle)
            name = _joined(self.words, b" ") or self.comment
            self.found.append(_address(name or None, route, spec))
        elif any(kind != SPACE for kind, _ in self.words):
            self.found.append(_address(self.comment or None, None, self.words))
        self._clear()

    def _end_group(self) -> None:
        if self.in_group:
            self.found.append(GROUP_END)
            self.in_group = False


def _routed(spec: list[Token]) -> tuple[bytes | None, list[Token]]:
    """Part a source route (``@a,@b:``) from what follows it."""
    if spec and spec[0][0] == "@":
        for index, (kind, _) in enumerate(spec):
            if kind == ":":
                return _joined(spec[:index], b""), spec[index + 1 :]
    return None, spec


def _address(name: bytes | None, route: bytes | None, spec: list[Token]) -> Address:
    at = max((index for index, (kind, _) in enumerate(spec) if kind == "@"), default=None)
    if at is None:
        return Address(name, route, _joined(spec, b" "), NO_HOST)
    host = _joined(spec[at + 1 :], b"")
    return Address(name, route, _joined(spec[:at], b" "), host or NO_HOST)


def _joined(tokens: list[Token], space: bytes) -> bytes:
    return b"".join(space if kind == SPACE else content for kind, content in tokens).strip(b" \t")
