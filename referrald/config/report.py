"""Collects problems while a configuration is looked at, each with the place where it is."""

from __future__ import annotations

from typing import Any

import attrs

from referrald.config.section import Section
from referrald.config.values import Wrong, convert, did_you_mean, display
from referrald.model import Option, Problem


class Report:
    """All problems found so far with one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, key: str, wrong: str, right: str = "") -> None:
        """Note that ``key`` is wrong, and what would be right."""
        self.problems.append(Problem(where=self.file, key=key, wrong=wrong, right=right))


@attrs.frozen(kw_only=True)
class Place:
    """A table of the file: ``[tls]``, or one entry of ``[[backend]]`` with its number and name."""

    report: Report
    section: Section
    number: int = 0
    entry: str = ""

    def key(self, name: str) -> str:
        """Name a key of this table as messages do."""
        if not self.section.many:
            return f"{self.section.name}.{name}"
        entry = f" ({self.entry})" if self.entry else ""
        return f"{self.section.heading} #{self.number}{entry} {name}"

    def wrong(self, name: str, wrong: str, right: str = "") -> None:
        """Note a problem with a key of this table."""
        self.report.add(self.key(name), wrong, right)


def read_options(
    place: Place, options: tuple[Option, ...], table: dict[str, Any], base: str
) -> dict[str, Any]:
    """Take ``options`` out of a table: checked and converted, defaults filled in.

    A key that is missing or wrong is noted and left out of the result when it is required, and has
    its default otherwise, so that later checks can go on.
    """
    values: dict[str, Any] = {}
    for option in options:
        if option.name not in table:
            if option.required:
                place.wrong(option.name, "is missing", option.help.partition(". ")[0].rstrip("."))
            else:
                values[option.name] = option.default
            continue
        try:
            values[option.name] = convert(option, table[option.name], base)
        except Wrong as error:
            place.wrong(option.name, error.wrong, error.right)
            if not option.required:
                values[option.name] = option.default
    return values


def refuse_unknown(place: Place, known: list[str], table: dict[str, Any]) -> None:
    """Note every key of a table that nobody knows."""
    for name in table:
        if name not in known:
            place.wrong(show_key(name), "there is no such key", did_you_mean(name, known))


def show_key(name: str) -> str:
    """Show a key: as it is when it is a plain word, else quoted and shortened."""
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain and len(name) <= 60 else display(name)
