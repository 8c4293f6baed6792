"""Finds the line of a key in a TOML file, which the parser does not tell."""

from __future__ import annotations

import re
from collections import Counter

_HEADER = re.compile(r"\s*\[(\[?)\s*(?P<name>[^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*(?P<key>"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*[.=]""")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Places:
    """Where keys stand: by table header and key, as far as that can be told without parsing."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, str], int] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._scan(text)

    def _scan(self, text: str) -> None:
        table, entries = "", Counter[str]()
        for number, line in enumerate(text.split("\n"), 1):
            header = _HEADER.fullmatch(line.rstrip("\r"))
            if header is not None:
                table = _unquoted(header["name"])
                if header[1]:
                    entries[table] += 1
                    table = f"{table} #{entries[table]}"
                self._note(table, "", number)
                continue
            key = _KEY.match(line)
            if key is not None:
                self._note(table, _unquoted(key["key"]), number)

    def _note(self, table: str, key: str, number: int) -> None:
        self._lines[table, key] = number
        self._counts[table, key] += 1

    def line(self, table: str, key: str = "") -> int | None:
        """Give the line of a key, or of its table when the key cannot be found.

        table: ``users``, ``servers.a``, ``patterns #2``. None when neither was found, or several.
        """
        for place in ((table, key), (f"{table}.{key}", ""), (table, "")):
            if self._counts[place] == 1:
                return self._lines[place]
        parent, _, name = table.rpartition(".")
        return self.line(parent, name) if name and name != table else None


def _unquoted(name: str) -> str:
    """Take the quotes off the parts of a dotted key; escapes stay as they are."""
    parts = re.findall(r""""(?:[^"\\]|\\.)*"|'[^']*'|[^.\s]+""", name)
    return ".".join(part if _BARE.fullmatch(part) else part[1:-1] for part in parts)
