"""The reference of the configuration file, written from the schema that the loader uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from referrald.config.plugins import backend_factory, backend_names
from referrald.config.schema import BACKEND, SECTIONS
from referrald.config.section import Section
from referrald.config.writing import format_duration, format_size, toml_value
from referrald.model import Option

_KINDS = {
    "string": "text",
    "strings": "list of texts",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "duration": "time",
    "size": "size",
    "path": "path",
    "secret": "text, never shown",
}

_INTRODUCTION = """\
# Configuration file

The file is TOML. Every key that is not marked *required* may be left out. A **time** is a
number of seconds or a text such as `"30s"`, `"5m"`, `"1h"` or `"1d"`. A **size** is a number of
bytes or a text such as `"4k"` or `"64M"`. A **path** is taken relative to the directory of the
file. A key or section that is not in this list is an error. `referralctl check` lists
everything that is wrong with a file, and `referralctl config` shows what holds after all
defaults."""


def reference() -> str:
    """Give the whole reference as MyST text, with every backend type that is installed."""
    parts = [_INTRODUCTION]
    for section in SECTIONS:
        parts.append(_section(section))
        if section is BACKEND:
            parts += [_backend_type(name) for name in backend_names()]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    anchor = section.name.replace(".", "-")
    parts = [f"(config-{anchor})=\n## `{section.heading}`", _help(section)]
    if section.options:
        parts.append(_table(section.options))
    return "\n\n".join(parts)


def _help(section: Section) -> str:
    if section.optional:
        return f"{section.help} The section may be left out."
    if section.many:
        return f"{section.help} The section may be repeated."
    return section.help


def _backend_type(name: str) -> str:
    factory = backend_factory(name)
    head = f'(config-backend-{name})=\n### `type = "{name}"`\n\n{factory.help}'
    return f"{head}\n\n{_table(factory.options)}" if factory.options else head


def _table(options: Iterable[Option]) -> str:
    return "\n".join(["| Key | Kind | Default | Meaning |", "|---|---|---|---|", *_rows(options)])


def _rows(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        cells = (f"`{option.name}`", _kind(option), _default(option), option.help)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kind(option: Option) -> str:
    if option.kind in ("choice", "strings", "path") and option.choices:
        words = ", ".join(f"`{choice}`" for choice in option.choices)
        return {"choice": words, "strings": f"list of {words}", "path": f"{words} or a path"}[
            option.kind
        ]
    bounds = []
    if option.minimum:
        bounds.append(f"at least {_amount(option, option.minimum)}")
    if option.maximum is not None:
        bounds.append(f"at most {_amount(option, option.maximum)}")
    return ", ".join([_KINDS[option.kind], *bounds])


def _amount(option: Option, value: Any) -> str:
    if option.kind == "duration":
        return format_duration(value).strip('"')
    if option.kind == "size":
        return format_size(int(value)).strip('"')
    return f"{value:g}"


def _default(option: Option) -> str:
    if option.required:
        return "*required*"
    if option.default is None or option.default in ("", ()):
        return "none"
    if option.kind in ("duration", "size"):
        return f"`{_amount(option, option.default)}`"
    return f"`{toml_value(option.default)}`"
