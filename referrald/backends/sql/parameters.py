"""Named parameters of a query: ``:user``, ``:local``, ``:domain``.

Values never become part of a query's text. A colon in a string, a quoted name, a comment or a cast
(``::text``) begins no parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from referrald.backends.draft import checked_name
from referrald.backends.servers import Wrong

KNOWN = ("user", "local", "domain")

_TOKEN = re.compile(
    r"""
    '(?:[^']|'')*'                # a string
    | "(?:[^"]|"")*"              # a quoted name
    | --[^\n]*                    # a comment
    | /\*.*?\*/
    | (?P<dollar>\$\w*\$).*?(?P=dollar)
    | ::                          # a cast
    | (?<!\w):(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def parameters_in(query: str) -> list[str]:
    """Name the parameters of a query, in order, each as often as it stands there."""
    return [match["name"] for match in _TOKEN.finditer(query) if match["name"]]


def check_parameters(query: str) -> None:
    """Raise `Wrong` for a parameter that nobody fills in."""
    for name in parameters_in(query):
        if name not in KNOWN:
            raise Wrong(f"has a parameter :{name}", ", ".join(f":{each}" for each in KNOWN))


def percent_style(query: str) -> str:
    """Write ``:name`` as ``%(name)s``, which is what drivers of PostgreSQL take."""
    return "".join(_percent_parts(query))


def _percent_parts(query: str) -> Iterator[str]:
    end = 0
    for match in _TOKEN.finditer(query):
        yield query[end : match.start()].replace("%", "%%")
        name = match["name"]
        yield f"%({name})s" if name else match[0].replace("%", "%%")
        end = match.end()
    yield query[end:].replace("%", "%%")


def values_for(user: str) -> dict[str, str] | None:
    """Give the values for a user, None for a name that nobody can have in a database."""
    try:
        checked_name(user)
    except Wrong:
        return None
    local, _, domain = user.partition("@")
    return {"user": user, "local": local, "domain": domain}
