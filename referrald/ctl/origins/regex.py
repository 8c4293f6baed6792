"""POSIX regular expressions, as far as they are globs: ``^[ab]x.*@example\\.org$``.

A class or an alternative becomes several globs. What no list of globs can say is `Wrong`.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from referrald.backends.servers import Wrong

MOST_GLOBS = 200
ANY, ONE = "*", "?"
NOT_AT = "[^@]"

_SPECIAL = "*+?{"
_HINT = "write what it means as patterns with * and ?"


def globs_of(regex: str) -> tuple[str, ...]:
    """Give globs for what begins with a match; raises `Wrong`.

    That is what an expression means to perdition: what stands before a match would become a part
    of the server's name.
    """
    reader = _Reader(regex)
    found = reader.alternatives()
    if reader.rest:
        raise Wrong(f'has a "{reader.rest[0]}" that nothing opens', _HINT)
    return tuple(dict.fromkeys(_tidy(glob) for glob in found))


def _tidy(glob: str) -> str:
    """Say the same with no ``*`` beside another."""
    while ANY * 2 in glob:
        glob = glob.replace(ANY * 2, ANY)
    return glob


@attrs.define
class _Reader:
    """Goes through an expression from left to right."""

    rest: str
    depth: int = 0

    def alternatives(self) -> list[str]:
        found = self._branch()
        while self.rest.startswith("|"):
            self.rest = self.rest[1:]
            found += self._branch()
        return _few(found)

    def _branch(self) -> list[str]:
        """Read a sequence; at the outermost level an end without ``$`` is open."""
        found = [""]
        if self.depth == 0:
            self.rest = self.rest.removeprefix("^")
        while self.rest and self.rest[0] not in "|)":
            if self.rest[0] == "$" and self.depth == 0 and self.rest[1:2] in ("", "|"):
                self.rest = self.rest[1:]
                return found
            found = _join(found, self._piece())
        return _join(found, [ANY]) if self.depth == 0 else found

    def _piece(self) -> list[str]:
        """Read an atom and what says how often."""
        kind, found = self._atom()
        if not self.rest or self.rest[0] not in _SPECIAL:
            return found
        times, self.rest = self.rest[0], self.rest[1:]
        if times == "?":
            return ["", *found]
        if times == "{" or kind != "any":
            raise Wrong("repeats something that is not any character", _HINT)
        return [ANY] if times == "*" else [ONE + ANY]

    def _atom(self) -> tuple[str, list[str]]:
        letter, self.rest = self.rest[0], self.rest[1:]
        if letter == ".":
            return "any", [ONE]
        if letter == "[":
            return self._class()
        if letter == "(":
            return self._group()
        if letter == "\\":
            letter, self.rest = self.rest[:1], self.rest[1:]
            if not letter or letter.isalnum():
                raise Wrong("has a backslash before what it cannot stand before", _HINT)
        elif letter in "^$" or letter in _SPECIAL:
            raise Wrong(f'has a "{letter}" where it cannot be translated', _HINT)
        return "one", [_literal(letter)]

    def _group(self) -> tuple[str, list[str]]:
        self.depth += 1
        if self.depth > 20:
            raise Wrong("is nested too deeply", _HINT)
        found = self.alternatives()
        self.depth -= 1
        if not self.rest.startswith(")"):
            raise Wrong("has a group that does not end", _HINT)
        self.rest = self.rest[1:]
        return "group", found

    def _class(self) -> tuple[str, list[str]]:
        """Read what stands in brackets; ``[^@]`` is any character of a name without a domain."""
        if ("[" + self.rest).startswith(NOT_AT):
            self.rest = self.rest[len(NOT_AT) - 1 :]
            return "any", [ONE]
        end = self.rest.find("]", 1)
        inside = self.rest[:end]
        if end < 1 or inside.startswith("^") or "[" in inside:
            raise Wrong("has a class that names what it is not, or is one of POSIX", _HINT)
        self.rest = self.rest[end + 1 :]
        return "one", [_literal(letter) for letter in _letters(inside)]


def _letters(inside: str) -> Iterable[str]:
    """Name the members of a class."""
    position = 0
    while position < len(inside):
        first = inside[position]
        if inside[position + 1 : position + 2] == "-" and position + 2 < len(inside):
            last = inside[position + 2]
            if not first <= last or ord(last) - ord(first) > MOST_GLOBS:
                raise Wrong("has a range that is empty or too wide", _HINT)
            yield from map(chr, range(ord(first), ord(last) + 1))
            position += 3
        else:
            yield first
            position += 1


def _literal(letter: str) -> str:
    if letter in (ANY, ONE):
        raise Wrong(f'has the character "{letter}" in it, which is a wildcard here', _HINT)
    return letter


def _join(heads: list[str], tails: list[str]) -> list[str]:
    if len(heads) * len(tails) > MOST_GLOBS:
        raise Wrong(f"means more than {MOST_GLOBS} patterns", _HINT)
    return [head + tail for head in heads for tail in tails]


def _few(found: list[str]) -> list[str]:
    if len(found) > MOST_GLOBS:
        raise Wrong(f"means more than {MOST_GLOBS} patterns", _HINT)
    return found
