"""Values as the configuration file writes them: the way back from `referrald.config.values`."""

from __future__ import annotations

import re
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((1024**3, "G"), (1024**2, "M"), (1024, "k"))


def format_duration(seconds: float) -> str:
    """Write seconds as the file does: ``"5m"`` where a unit fits, else a number."""
    for size, unit in _UNITS:
        if seconds and seconds < 1e12 and seconds % size == 0:
            return f'"{int(seconds // size)}{unit}"'
    return toml_value(seconds)


def format_size(size: int) -> str:
    """Write bytes as the file does: ``"64M"`` where a unit fits, else a number."""
    for unit, letter in _SIZES:
        if 0 < size < 10**15 and size % unit == 0:
            return f'"{size // unit}{letter}"'
    return toml_value(size)


def toml_value(value: Any) -> str:
    """Write a value of the kinds that a configuration has."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else repr(value)
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    return "[" + ", ".join(map(toml_value, value)) + "]"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def toml_key(name: str) -> str:
    """Write a key, quoted where it must be."""
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)
