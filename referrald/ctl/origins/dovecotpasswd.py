"""Dovecot's passwd-file: users whose extra fields say where they live."""

from __future__ import annotations

from typing import Any

import attrs

from referrald.backends.passwdfields import WHOLE_NAME, ExtraReader
from referrald.backends.passwdformat import EXTRA_FIELD, discreet
from referrald.backends.servers import Wrong
from referrald.backends.variables import expand
from referrald.ctl.origins.found import Found, Wishes, line_text
from referrald.model import Security


def read(data: bytes, path: str, wishes: Wishes) -> Found:
    """Read homes; passwords stay where they are."""
    found = Found(path=path)
    reader = ExtraReader(_options(wishes))
    passwords = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        line = line.rstrip(b"\r")
        if line and not line.startswith(b"#"):
            passwords += _line(found, reader, wishes, number, line)
    if passwords:
        found.note(
            0, "passwords", f"{passwords} users have one there, and none is taken over",
            'keep this file as a backend of type "passwd-file" behind the homes, to check them',
        )  # fmt: skip
    return found


def _options(wishes: Wishes) -> dict[str, Any]:
    return {
        "security": (wishes.security or Security.STARTTLS).value,
        "own_hosts": wishes.own_hosts,
        "ignore": (),
        "suggest": False,
        "obey": wishes.obey,
        "username_format": WHOLE_NAME,
    }


def _line(found: Found, reader: ExtraReader, wishes: Wishes, number: int, line: bytes) -> bool:
    """Take a line; tells whether there is a password in it."""
    user = ""
    fields = line.split(b":", EXTRA_FIELD)
    try:
        user = line_text(fields[0])
        text = line_text(fields[EXTRA_FIELD]) if len(fields) > EXTRA_FIELD else ""
        extra = reader.read("" if text.startswith(":") else text, user)
        if extra.absent:
            found.note(number, user, "has the field fail: to Dovecot the line is not there")
            return False
        name = extra.user
        if name is not None and extra.is_template:
            name = expand(name, user)
            if not name:
                raise Wrong("has no name left to use at the home server", "write it out")
        home = extra.home
        home = attrs.evolve(home, user=name, servers=wishes.rename(home.servers))
    except Wrong as error:
        found.wrong(number, user, Wrong(discreet(error.wrong), error.right))
        return False
    found.add(number, user, home)
    return len(fields) > 1 and bool(fields[1])
