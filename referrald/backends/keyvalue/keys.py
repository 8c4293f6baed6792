"""The keys of users, and what stands in their values.

A key is the prefix and the user's name, in which every byte but letters, digits and ``@._-+=`` is
percent-encoded. So a name can neither leave the prefix nor be taken for another one, and a path of
a URL that has the key in it is never tidied up by anybody on the way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from referrald.backends.draft import checked_name
from referrald.backends.jsonhomes import JsonHomes, read_object, write_home
from referrald.backends.jsonmailboxes import read_mailboxes
from referrald.backends.mailboxtable import MailboxTable
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.model import Home

SAFE: Final = "@._-+="
HOME: Final = "home"
MAILBOXES: Final = "mailboxes"

_PREFIX = re.compile(r"/?(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)+")


def check_prefix(text: str) -> None:
    """Raise `Wrong` for what cannot stand in front of keys."""
    if not _PREFIX.fullmatch(text):
        raise Wrong("cannot stand in front of keys", 'such as "referrald/homes/"')


def key_of(prefix: str, user: str) -> str | None:
    """Give the key of a user; None for a name that nobody can have."""
    try:
        name = quote(checked_name(user), safe=SAFE)
    except Wrong:
        return None
    # Levels that are called "." and ".." mean something else in a path.
    return prefix + (name if name.strip(".") else name.replace(".", "%2E"))


def user_of(prefix: str, key: bytes) -> str | None:
    """Give the user whose key this is; None for another key."""
    try:
        text = key.decode("ascii")
        name = unquote_to_bytes(text.removeprefix(prefix)).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return name if text == key_of(prefix, name) else None


class Values:
    """Reads and writes values: JSON objects with ``home`` and ``mailboxes``.

    These are as in `jsonhomes` and `jsonmailboxes`. Other members are the site's own, and all but
    the home stay when a home is written.
    """

    def __init__(self) -> None:
        self._homes = JsonHomes()

    def read(self, user: str, value: bytes) -> Home | None:
        """Read the home of a user, None when there is none; raises `Unavailable`."""
        home = self._object(user, value).get(HOME)
        return None if home is None else self._homes.read(user, home)

    def mailboxes(self, user: str, value: bytes) -> MailboxTable:
        """Read which mailboxes of a user are elsewhere; raises `Unavailable`."""
        return read_mailboxes(user, self._object(user, value).get(MAILBOXES) or [])

    def write(self, user: str, home: Home, value: bytes | None) -> bytes:
        """Write a home into what the value was, None for nothing; raises `Unavailable`."""
        before: Mapping[str, Any] = {} if value is None else self._object(user, value)
        return json.dumps({**before, HOME: write_home(home)}).encode("ascii")

    def kept(self, home: Home) -> Home:
        """Give what comes back of a home; raises `Wrong`."""
        try:
            return self._homes.read("ann", write_home(home))
        except Unavailable:
            raise Wrong("has a home that cannot be written") from None

    def _object(self, user: str, value: bytes) -> dict[str, Any]:
        found = read_object(value)
        if found is None:
            raise Unavailable(f"the value of {user!r} is no JSON object")
        return found
