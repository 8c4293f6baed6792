"""What referralctl prints: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

import attrs

from referrald.config.writing import format_duration
from referrald.model import Problem


def visible(text: str) -> str:
    """Show what cannot be printed as an escape: a name must not steer the terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out, each column as wide as it needs to be; the first row has the headings."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


class Seconds(float):
    """A time, shown with its unit in a table and as a number in JSON."""


@attrs.frozen(kw_only=True)
class Output:
    """Where results go and in which form; errors always go to ``error``, in plain text."""

    out: TextIO
    error_out: TextIO
    json: bool = False

    def record(self, fields: Mapping[str, Any]) -> None:
        """Print one thing: a line for each field that has a value, or a JSON object."""
        if self.json:
            self._dump(fields)
            return
        shown = {name: _cell(value) for name, value in fields.items() if value not in (None, ())}
        width = max(map(len, shown), default=0)
        for name, value in shown.items():
            self.line(f"{name:<{width}}  {visible(value)}")

    def problems(self, file: str, problems: Iterable[Problem]) -> None:
        """Print what is wrong with a file, or that nothing is."""
        found = list(problems)
        if self.json:
            self._dump({"file": file, "problems": [attrs.asdict(each) for each in found]})
        elif not found:
            self.line(f"{file}: no problems")
        else:
            for each in found:
                self.line(visible(str(each)))

    def document(self, text: str, document: Mapping[str, Any]) -> None:
        """Print a text that has a form of its own, or the same as JSON."""
        if self.json:
            self._dump(document)
        else:
            self.out.write(text)

    def line(self, text: str) -> None:
        """Print a line that is fit to be shown."""
        self.out.write(text + "\n")

    def error(self, text: str) -> None:
        """Print one line about what went wrong."""
        self.error_out.write(f"referralctl: {visible(text)}\n")

    def _dump(self, value: Any) -> None:
        json.dump(value, self.out, indent=2, ensure_ascii=False, default=str)
        self.out.write("\n")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Seconds):
        return format_duration(round(value, 3)).strip('"')
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value)
