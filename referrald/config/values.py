"""One value of the file: from TOML to what an `Option` asks for."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from referrald.model import Option

_SECONDS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?(ms|[smhd]?)", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}) ?([kmgb]?)", re.ASCII | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

DURATION_FORM = 'a time such as 30 (seconds), "30s", "5m", "1h" or "1d"'
SIZE_FORM = 'a size such as 4096 (bytes), "4k" or "64M"'


class Wrong(ValueError):
    """A value is not what its key asks for; ``right`` says what would be."""

    def __init__(self, wrong: str, right: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.right = right


def convert(option: Option, value: object, base: str) -> Any:
    """Check a TOML value and give it in the form that the program uses.

    ``base`` is the directory that paths are relative to. Raises `Wrong`.
    """
    result = _CONVERTERS[option.kind](option, value, base)
    if isinstance(result, int | float) and not isinstance(result, bool):
        _check_range(option, result)
    return result


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word nearest to ``word``, or list the known ones."""
    words = sorted(known)
    folded = {name.lower(): name for name in words}
    near = difflib.get_close_matches(word.lower(), folded, 1)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    return f"known: {', '.join(words)}" if words else ""


def one_line(text: object) -> str:
    """Show ``text`` on one line, whatever stands in it."""
    return " ".join(_CONTROL.sub(" ", str(text)).split())


def display(value: object) -> str:
    """Show a TOML value shortly, on one line."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = f'"{value}"' if isinstance(value, str) else str(value).lower()
    text = _CONTROL.sub("?", text)
    return text if len(text) <= 60 else text[:56] + " …"


def _string(option: Option, value: object, base: str) -> str:
    if not isinstance(value, str):
        raise Wrong(f"{display(value)} is not text", "put it in quotes")
    if _CONTROL.search(value):
        raise Wrong("has a control character in it")
    if option.required and not value:
        raise Wrong("is empty", "it must have a value")
    return value


def _secret(option: Option, value: object, base: str) -> str:
    if not isinstance(value, str):
        raise Wrong("is not text", "put it in quotes")
    if _CONTROL.search(value):
        raise Wrong("has a control character in it")
    return value


def _strings(option: Option, value: object, base: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Wrong("is not a list of texts", 'such as ["one", "two"]')
    for item in value:
        if not item or _CONTROL.search(item):
            raise Wrong("has an empty entry or one with a control character in it")
        if option.choices and item not in option.choices:
            raise Wrong(f"{display(item)} is not known", did_you_mean(item, option.choices))
    return tuple(value)


def _choice(option: Option, value: object, base: str) -> str:
    if isinstance(value, str) and value in option.choices:
        return value
    allowed = ", ".join(f'"{choice}"' for choice in option.choices)
    raise Wrong(f"{display(value)} is not a choice", f"one of {allowed}")


def _boolean(option: Option, value: object, base: str) -> bool:
    if isinstance(value, bool):
        return value
    raise Wrong(f"{display(value)} is neither true nor false", "true or false, without quotes")


def _integer(option: Option, value: object, base: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Wrong(f"{display(value)} is not a whole number", "digits without quotes")


def _number(option: Option, value: object, base: str) -> float:
    return _finite(value, "digits without quotes")


def _finite(value: object, right: str) -> float:
    """Give a TOML number as a float; booleans, nan, inf and what is too large are refused."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise Wrong(f"{display(value)} is not a number", right)


def _duration(option: Option, value: object, base: str) -> float:
    if not isinstance(value, str):
        return _finite(value, DURATION_FORM)
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise Wrong(f"{display(value)} is not a time", DURATION_FORM)
    return float(match[1]) * _SECONDS[match[2]]


def _size(option: Option, value: object, base: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise Wrong(f"{display(value)} is not a size", SIZE_FORM)
    return int(match[1]) * _BYTES[match[2].lower()]


def _path(option: Option, value: object, base: str) -> str:
    text = _string(option, value, base)
    if not text or text in option.choices:
        return text
    return os.path.normpath(os.path.join(base, os.path.expanduser(text)))


def _check_range(option: Option, value: float) -> None:
    if option.minimum is not None and value < option.minimum:
        raise Wrong(f"{display(value)} is too small", f"at least {option.minimum:g}")
    if option.maximum is not None and value > option.maximum:
        raise Wrong(f"{display(value)} is too large", f"at most {option.maximum:g}")


_CONVERTERS: dict[str, Callable[[Option, object, str], Any]] = {
    "string": _string,
    "strings": _strings,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "duration": _duration,
    "size": _size,
    "path": _path,
    "choice": _choice,
    "secret": _secret,
}
