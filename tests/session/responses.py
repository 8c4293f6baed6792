"""A reader of what a server sends, written from the grammar and knowing nothing of the server."""

from __future__ import annotations

import re
from typing import Any

ATOM = re.compile(rb"[^\x00-\x20(){\"\x7f-\xff]+")
QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*)"')
LITERAL = re.compile(rb"\{(\d+)\}\r\n")
SECTION = re.compile(rb"BODY\[(?:[^\]\"{]|\"(?:[^\"\\]|\\.)*\")*\](?:<\d+>)?")


class Text(bytes):
    """A quoted string or literal."""


class Atom(bytes):
    """Anything that stands for itself; numbers are int, NIL is None."""


class Reader:
    """Takes a response apart, or raises `ValueError`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        found = pattern.match(self.data, self.pos)
        if found is not None:
            self.pos = found.end()
        return found

    def value(self) -> Any:
        if self.data[self.pos : self.pos + 1] == b"(":
            return self.list_()
        found = self.match(QUOTED)
        if found:
            return Text(re.sub(rb"\\(.)", rb"\1", found[1]))
        found = self.match(LITERAL)
        if found:
            size = int(found[1])
            content = self.data[self.pos : self.pos + size]
            if len(content) != size or b"\0" in content:
                raise ValueError("bad literal")
            self.pos += size
            return Text(content)
        found = self.match(SECTION) or self.match(ATOM)
        if not found:
            raise ValueError(f"nothing to read at {self.pos}: {self.data[self.pos :][:40]!r}")
        word = found[0]
        if word.isdigit():
            return int(word)
        return None if word == b"NIL" else Atom(word)

    def list_(self) -> list[Any]:
        self.pos += 1
        items: list[Any] = []
        while True:
            here = self.data[self.pos : self.pos + 1]
            if here == b")":
                self.pos += 1
                return items
            if here == b" " and items:
                self.pos += 1
            elif items and not (here == b"(" and isinstance(items[-1], list)):
                # Only lists may follow one another without a space (multiparts, addresses).
                raise ValueError(f"no space at {self.pos}")
            items.append(self.value())

    def line(self) -> list[Any]:
        items = [self.value()]
        while self.data[self.pos : self.pos + 2] != b"\r\n":
            if self.data[self.pos : self.pos + 1] != b" ":
                raise ValueError(f"no space at {self.pos}")
            self.pos += 1
            if self.data[self.pos : self.pos + 2] == b"\r\n":
                raise ValueError("space at the end")
            items.append(self.value())
        self.pos += 2
        return items


def value(data: bytes) -> Any:
    """Read exactly one value."""
    reader = Reader(data)
    found = reader.value()
    if reader.pos != len(data):
        raise ValueError("something is left")
    return found


STATUS = re.compile(rb"[^ ]+ (?:OK|NO|BAD|BYE) [^\r\n]*\r\n|\+ [^\r\n]*\r\n")


def lines(data: bytes) -> list[Any]:
    """Read all responses; status lines and continuations are given as bytes."""
    reader = Reader(data)
    found: list[Any] = []
    while reader.pos < len(data):
        status = reader.match(STATUS)
        found.append(status[0][:-2] if status else reader.line())
    return found


def fetched(data: bytes) -> dict[int, dict[bytes, Any]]:
    """Give the items of the FETCH responses, by message number."""
    found: dict[int, dict[bytes, Any]] = {}
    for line in lines(data):
        if isinstance(line, list) and line[2:3] == [b"FETCH"]:
            pairs = line[3]
            items = dict(zip(pairs[::2], pairs[1::2], strict=True))
            found.setdefault(line[1], {}).update(items)
    return found


# -- the grammar of the two structures, as checks ---------------------------------------------


def check_envelope(envelope: Any) -> None:
    """Insist on the form of an envelope."""
    assert isinstance(envelope, list)
    assert len(envelope) == 10
    for at in (0, 1, 8, 9):
        assert envelope[at] is None or isinstance(envelope[at], Text)
    for people in envelope[2:8]:
        assert people is None or people
        for person in people or ():
            assert len(person) == 4
            assert all(part is None or isinstance(part, Text) for part in person)


def check_body(body: Any, extended: bool) -> None:
    """Insist on the form of a body structure."""
    assert isinstance(body, list)
    if isinstance(body[0], list):
        _check_multipart(body, extended)
    else:
        _check_single(body, extended)


def _check_multipart(body: list[Any], extended: bool) -> None:
    count = next(at for at, item in enumerate(body) if not isinstance(item, list))
    for part in body[:count]:
        check_body(part, extended)
    assert isinstance(body[count], Text)
    rest = body[count + 1 :]
    assert len(rest) == (4 if extended else 0)
    if extended:
        _check_parameters(rest[0])
        _check_tail(rest[1:])


def _check_single(body: list[Any], extended: bool) -> None:
    kind, sub, parameters, ident, description, encoding, size = body[:7]
    assert isinstance(kind, Text)
    assert isinstance(sub, Text)
    _check_parameters(parameters)
    for text in (ident, description):
        assert text is None or isinstance(text, Text)
    assert isinstance(encoding, Text)
    assert isinstance(size, int)
    rest = body[7:]
    if (kind.lower(), sub.lower()) == (b"message", b"rfc822"):
        check_envelope(rest[0])
        check_body(rest[1], extended)
        assert isinstance(rest[2], int)
        rest = rest[3:]
    elif kind.lower() == b"text":
        assert isinstance(rest[0], int)
        rest = rest[1:]
    assert len(rest) == (4 if extended else 0)
    if extended:
        assert rest[0] is None or isinstance(rest[0], Text)
        _check_tail(rest[1:])


def _check_parameters(parameters: Any) -> None:
    if parameters is not None:
        assert parameters
        assert len(parameters) % 2 == 0
        assert all(isinstance(part, Text) for part in parameters)


def _check_tail(tail: list[Any]) -> None:
    disposition, language, location = tail
    if disposition is not None:
        assert isinstance(disposition[0], Text)
        _check_parameters(disposition[1])
    for part in language or ():
        assert isinstance(part, Text)
    assert location is None or isinstance(location, Text)
