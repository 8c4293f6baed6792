"""Variables in the name to use at a home server: ``%u``, ``%n``, ``%d``, as Dovecot has them.

``%u`` or ``%{user}`` is the user's name, ``%n`` or ``%{username}`` what stands before the first
``@``, ``%d`` or ``%{domain}`` what stands after it, ``%%`` a percent sign. ``%Ln`` is ``%n`` in
lower case and ``%Un`` in upper case.
"""

from __future__ import annotations

import re

from referrald.backends.servers import Wrong, show

_VARIABLE = re.compile(r"%(?:(?P<case>[LU]?)(?P<short>[und%])|\{(?P<long>\w*)\})|%")
_LONG = {"user": "u", "username": "n", "domain": "d"}


def is_template(text: str) -> bool:
    """Tell whether ``text`` is another one for another user; raises `Wrong` for what it cannot be.

    A text without any variable may still have a ``%%`` in it and has to be expanded.
    """
    if "%" not in text:
        return False
    for match in _VARIABLE.finditer(text):
        _letter(match)
    return True


def expand(template: str, user: str) -> str:
    """Fill a template in for ``user``."""
    local, _, domain = user.partition("@")
    values = {"u": user, "n": local, "d": domain, "%": "%"}

    def value(match: re.Match[str]) -> str:
        found = values[_letter(match)]
        case = match["case"]
        return found.lower() if case == "L" else found.upper() if case == "U" else found

    return _VARIABLE.sub(value, template)


def _letter(match: re.Match[str]) -> str:
    letter = match["short"] or _LONG.get(match["long"] or "")
    if letter is None:
        raise Wrong(
            f'"{show(match.string[match.start() : match.start() + 20])}" is not a variable',
            "%u, %n, %d, or %% for a percent sign",
        )
    return letter
