"""A header of the operator's that goes with every question: ``X-Auth-Key: …``."""

from __future__ import annotations

import re

from referrald.backends.servers import Wrong

TAKEN = frozenset(("host", "connection", "content-length", "transfer-encoding", "authorization"))

_HEADER = re.compile(
    r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}): *"
    r"(?P<value>[\x21-\x7e](?:[\x20-\x7e]{0,4000}[\x21-\x7e])?)"
)


def read_header(text: str) -> dict[str, str]:
    """Read a header, none from an empty text; raises `Wrong`, which never quotes it."""
    if not text:
        return {}
    match = _HEADER.fullmatch(text)
    if match is None:
        raise Wrong("is no header", 'such as "X-Auth-Key: …", in ASCII')
    if match["name"].lower() in TAKEN:
        raise Wrong(f"{match['name']} has a meaning of its own", "another name")
    return {match["name"]: match["value"]}
