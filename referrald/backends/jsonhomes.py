"""Homes in JSON: what a web service answers, and what a key/value store has of a user.

The form is that of the table file, see `referrald.backends.homespec`.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from referrald.backends.homespec import Faults, HomeReader
from referrald.backends.serverwords import write_server
from referrald.backends.variables import expand
from referrald.errors import Unavailable
from referrald.model import Home, Server


class JsonHomes:
    """Reads homes of users."""

    def __init__(self) -> None:
        self._reader = HomeReader({})

    def read(self, user: str, value: object) -> Home:
        """Read the home of a user; raises `Unavailable`."""
        try:
            spec = self._reader.read(value)
        except Faults as faults:
            told = "; ".join(f"{key or 'home'} {wrong}" for key, wrong in faults.faults)
            raise Unavailable(f"the answer about {user!r}: {told}") from None
        if spec.user is None:
            return spec.home
        name = expand(spec.user, user) if spec.is_template else spec.user
        if not name:
            raise Unavailable(f"the answer about {user!r} leaves no name to use at home")
        return attrs.evolve(spec.home, user=name)


def read_object(data: bytes) -> dict[str, Any] | None:
    """Read a JSON object; None when it is something else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def write_home(home: Home) -> dict[str, Any]:
    """Write a home so that it comes back as it is; what has its default is left out."""
    table: dict[str, Any] = {}
    if home.servers or home.closed is None:
        table["server"] = [_word(server) for server in home.servers] or "here"
    if home.user is not None:
        table["user"] = home.user.replace("%", "%%")
    if home.auth != "*":
        table["auth"] = home.auth
    for key, value in (
        ("public_here", home.public_here or None),
        ("login", home.how),
        ("spread", home.spread or None),
        ("closed", home.closed),
        ("held", home.held or None),
        ("ttl", home.ttl),
    ):
        if value is not None:
            table[key] = value
    return table


def _word(server: Server) -> str:
    """Write a server; a host alone would be taken for the name of one."""
    word = write_server(server)
    return word if word != server.host or "." in word else f"{word}:{server.port}"
