"""The values that Dovecot's dict driver for users and passwords reads out of Redis.

Dovecot 2.3 puts ``shared/`` before the key that it is configured with, and its Redis driver takes
that away again and puts a prefix of its own there. So ``key = passdb/%u`` is the key
``passdb/alice`` in Redis, with a JSON object that has the password and the extra fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from referrald.backends.passwdfields import Extra, ExtraReader
from referrald.backends.servers import Wrong, show
from referrald.backends.storedpasswords import stored_password
from referrald.backends.variables import expand, is_template
from referrald.errors import Unavailable
from referrald.model import Home, StoredPassword

WHOLE_NAME = "%u"
LONGEST_VALUE = 65_536
PASSWORD = "password"

_VARIABLE = re.compile(r"%(?:[LU]?[und]|\{\w*\})")


class Template:
    """Makes the key of a user; raises `Wrong` for a text that is the same for all users."""

    def __init__(self, prefix: str, text: str) -> None:
        if not is_template(text) or expand(text, "a@b") == expand(text, "c@d"):
            raise Wrong("is the same key for all users", 'such as "passdb/%u"')
        self._prefix = prefix
        self._text = text
        literal = _VARIABLE.sub("", text)
        # Who had one of these in the name could get at the key of another, or of another kind.
        self._between = frozenset(c for c in literal if not c.isalnum() and c != "@")
        self._before, whole, self._after = text.partition(WHOLE_NAME)
        self._is_whole = bool(whole) and "%" not in self._before + self._after

    def can_have(self, user: str) -> bool:
        """Say whether a user's name makes a key that can be nobody else's."""
        # Parts of a name do not tell one that ends with an @ from one that has none.
        ended = user.endswith("@") and not self._is_whole
        return self._between.isdisjoint(user) and not ended

    def key(self, user: str) -> bytes:
        """Give the key of a user."""
        return (self._prefix + expand(self._text, user)).encode()

    @property
    def beginning(self) -> str:
        """What all keys begin with."""
        return self._prefix + self._text.partition("%")[0]

    def user(self, key: str) -> str:
        """Give whose key it is, empty where that cannot be told."""
        start, end = self._prefix + self._before, self._after
        if not self._is_whole or not key.startswith(start) or not key.endswith(end):
            return ""
        return key[len(start) : len(key) - len(end)]


@attrs.frozen(kw_only=True)
class Dictionary:
    """Reads values; ``scheme`` is that of passwords that do not say."""

    template: Template
    extras: ExtraReader
    scheme: str

    def can_have(self, user: str) -> bool:
        """Say whether somebody can have that name."""
        return self.template.can_have(user)

    def key(self, user: str) -> bytes:
        """Give the key of a user."""
        return self.template.key(user)

    def home(self, value: bytes | None, user: str) -> Home | None:
        """Give the home of a user, None where there is no value; raises `Unavailable`."""
        if value is None:
            return None
        try:
            fields = _fields(value)
            fields.pop(PASSWORD, None)
            return _home(self.extras.of(fields, user), user)
        except Wrong as error:
            raise Unavailable(f"the value of {user!r}: {error.wrong}") from None

    def password(self, value: bytes | None, user: str) -> StoredPassword | None:
        """Give the password of a user, None where there is none; raises `Unavailable`."""
        if value is None:
            return None
        try:
            fields = _fields(value)
        except Wrong as error:
            raise Unavailable(f"the value of {user!r}: {error.wrong}") from None
        if "fail" in fields:
            return None
        return stored_password(fields.get(PASSWORD), self.scheme)


def _home(extra: Extra, user: str) -> Home | None:
    if extra.absent:
        return None
    name = extra.user
    if name is not None and extra.is_template:
        name = expand(name, user)
    return attrs.evolve(extra.home, user=name)


def _fields(value: bytes) -> dict[str, str]:
    """Read a JSON object of plain values; raises `Wrong`, without a word of it."""
    if len(value) > LONGEST_VALUE:
        raise Wrong(f"has more than {LONGEST_VALUE} bytes")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        raise Wrong("is no JSON") from None
    if not isinstance(found, Mapping):
        raise Wrong("is no JSON object")
    return {key: _text(key, each) for key, each in found.items()}


def _text(key: str, value: Any) -> str:
    """Give a value as Dovecot has it: ``true`` is a word, null is empty."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int):
        return "" if value is None else str(value).lower()
    raise Wrong(f'"{show(key)}" is neither text nor a number')
