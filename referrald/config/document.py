"""From the file's text to checked values of every section, by the schema alone."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import attrs

from referrald.config.report import Place, Report, read_options, refuse_unknown, show_key
from referrald.config.schema import SECTIONS
from referrald.config.section import Section
from referrald.config.values import did_you_mean, display

_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@attrs.frozen(kw_only=True)
class Table:
    """One table that has been read: where it is, its values, and what its type will look at."""

    place: Place
    values: dict[str, Any]
    more: dict[str, Any] = attrs.field(factory=dict)


def read_file(report: Report, path: str) -> dict[str, Any] | None:
    """Parse a TOML file; None, with the problem noted, when that cannot be done."""
    try:
        with open(path, "rb") as file:
            return tomllib.loads(file.read().decode())
    except OSError as error:
        report.add("file", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        _add_syntax(report, line, "not UTF-8", "save the file as UTF-8")
    except RecursionError:
        report.add("syntax", "nested too deeply")
    except ValueError as error:
        text = str(error)
        match = _AT_LINE.search(text)
        _add_syntax(
            report,
            int(match[1]) if match else None,
            _AT_LINE.sub("", text).replace("\n", "\\n"),
            "",
        )
    return None


def _add_syntax(report: Report, line: int | None, wrong: str, right: str) -> None:
    place = Report(report.file if line is None else f"{report.file}:{line}")
    place.add("syntax", wrong, right)
    report.problems += place.problems


def read_sections(report: Report, document: dict[str, Any], base: str) -> dict[str, list[Table]]:
    """Check a parsed document against the schema; gives the tables of each section by its name."""
    _refuse_unknown_sections(report, document)
    tables: dict[str, list[Table]] = {}
    for section in SECTIONS:
        found = _find(report, section, document)
        tables[section.name] = [
            _read_table(report, section, number, table, base)
            for number, table in enumerate(found, 1)
        ]
    return tables


def _refuse_unknown_sections(report: Report, document: dict[str, Any]) -> None:
    known = {section.name for section in SECTIONS if "." not in section.name}
    for name in document:
        if name not in known:
            report.add(show_key(name), "there is no such section", did_you_mean(name, known))


def _find(report: Report, section: Section, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the tables that the document has for ``section``: for a single one that may not be left
    out, an empty one in its stead.
    """
    parent, _, child = section.name.rpartition(".")
    within = document.get(parent, {}) if parent else document
    found = within.get(child) if isinstance(within, dict) else None
    if found is None:
        return [] if section.many or section.optional else [{}]
    if section.many:
        if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
            return found
        report.add(section.name, "is not a list of tables", f"write {section.heading} above each")
        return []
    if isinstance(found, dict):
        return [found]
    report.add(section.name, f"is {display(found)}, not a table", f"write {section.heading}")
    return [] if section.optional else [{}]


def _read_table(
    report: Report, section: Section, number: int, table: dict[str, Any], base: str
) -> Table:
    entry = table.get("name") if section.many else None
    place = Place(
        report=report,
        section=section,
        number=number,
        entry=show_key(entry) if isinstance(entry, str) and entry else "",
    )
    values = read_options(place, section.options, table, base)
    names = [option.name for option in section.options]
    more = {key: value for key, value in table.items() if key not in names}
    if not section.open:
        refuse_unknown(place, [*names, *_children(section)], table)
    return Table(place=place, values=values, more=more)


def _children(section: Section) -> list[str]:
    """Name the tables within a table: they are sections of their own."""
    prefix = f"{section.name}."
    return [other.name[len(prefix) :] for other in SECTIONS if other.name.startswith(prefix)]
