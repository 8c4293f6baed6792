"""Users with their homes in CSV and JSON files.

CSV has a line with the names of the columns first: ``user``, and those of
`referrald.backends.homerows`. JSON is a list of objects with the same keys.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, TextIO

from referrald.backends.homerows import COLUMNS, WRITTEN, read_row, write_row
from referrald.backends.servers import Wrong, did_you_mean, show
from referrald.ctl.terminal import Refused
from referrald.model import Home, Problem

Form = Literal["csv", "json"]

USER = "user"
HEADINGS = (USER, *WRITTEN)
# Here "user" is who it is about, and not the name to use at the home server.
KNOWN = (COLUMNS - {USER}) | {USER}
PROBLEMS_TOLD = 20


def form_of(path: str, wanted: str | None) -> Form:
    """Say what a file is, by its name unless that is given."""
    if wanted is None:
        return "json" if path.endswith(".json") else "csv"
    return "json" if wanted == "json" else "csv"


def read_homes(text: str, form: Form, path: str) -> dict[str, Home]:
    """Read users with their homes; raises `Refused` with all that is wrong."""
    problems: list[Problem] = []
    homes: dict[str, Home] = {}
    rows = _json_rows(text, path) if form == "json" else _csv_rows(text, path)
    for where, row in rows:
        try:
            user, home = _entry(row)
            if user in homes:
                raise Wrong("is there twice", "remove one of them")
        except Wrong as error:
            name = show(str(row.get(USER) or USER))
            problems.append(Problem(where=where, key=name, wrong=error.wrong, right=error.right))
            continue
        homes[user] = home
    if problems:
        raise Refused(_told(problems))
    return homes


def _entry(row: Mapping[str, Any]) -> tuple[str, Home]:
    user = row.get(USER)
    if not isinstance(user, str) or not user:
        raise Wrong("has no user")
    for column in row:
        if column not in KNOWN:
            raise Wrong(f'has a column "{show(str(column))}"', did_you_mean(str(column), KNOWN))
    return user, _home(tuple((key, value) for key, value in row.items() if key != USER))


def _home(cells: tuple[tuple[str, Any], ...]) -> Home:
    """Read what a row says but for its user; most rows say what others do."""
    try:
        return _known_home(cells)
    except TypeError:  # JSON has lists and objects, which are no value here but have to be told
        return read_row(dict(cells))


@lru_cache(maxsize=4096)
def _known_home(cells: tuple[tuple[str, Any], ...]) -> Home:
    return read_row(dict(cells))


def _csv_rows(text: str, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="more", strict=True)
    if USER not in (reader.fieldnames or ()):
        raise Refused(f'{path}: the first line names no column "{USER}"')
    try:
        for row in reader:
            yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise Refused(f"{path}:{reader.line_num}: {error}") from error


def _json_rows(text: str, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise Refused(f"{path}: is not a list of objects")
    for number, entry in enumerate(entries, 1):
        yield f"{path} #{number}", entry


def _told(problems: list[Problem]) -> str:
    more = len(problems) - PROBLEMS_TOLD
    told = "; ".join(map(str, problems[:PROBLEMS_TOLD]))
    return told + (f"; and {more} more" if more > 0 else "")


class HomeWriter:
    """Writes users with their homes, one after the other."""

    def __init__(self, out: TextIO, form: Form) -> None:
        self._out = out
        self._form = form
        self._any = False
        self._csv = csv.DictWriter(out, HEADINGS, lineterminator="\n")
        if form == "csv":
            self._csv.writeheader()

    def write(self, entries: Iterable[tuple[str, Home]]) -> None:
        """Write some more."""
        for user, home in entries:
            row = {USER: user, **row_of(home)}
            if self._form == "csv":
                self._csv.writerow({key: _cell(value) for key, value in row.items()})
            else:
                self._out.write(",\n " if self._any else "[\n ")
                self._out.write(json.dumps(row, ensure_ascii=False))
            self._any = True

    def finish(self) -> None:
        """Write the end."""
        if self._form == "json":
            self._out.write("\n]\n" if self._any else "[]\n")


def row_of(home: Home) -> dict[str, Any]:
    """Give a home as an object of JSON, without what has its default."""
    return {key: value for key, value in write_row(home).items() if value is not None}


def _cell(value: Any) -> Any:
    return "yes" if value is True else value
