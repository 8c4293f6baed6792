"""What replies of Redis mean: hashes as rows, rows as homes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from referrald.backends.homerows import COLUMNS, read_row
from referrald.backends.redis.clients import Client
from referrald.backends.redis.keys import Keys
from referrald.backends.servers import Wrong, show
from referrald.errors import Unavailable
from referrald.model import Home, Security

AT_ONCE = 1_000
"""So many users are asked for together."""


@attrs.frozen(kw_only=True)
class Reading:
    """How rows are read: the security of a host that does not say, what a row without host is."""

    security: Security | None = None
    nowhere_is_here: bool = False

    def home(self, reply: Mapping[bytes, bytes], user: str) -> Home | None:
        """Read the hash of a user, None where there is none; raises `Unavailable`."""
        if not reply:
            return None
        try:
            return read_row(
                _row(reply), security=self.security, nowhere_is_here=self.nowhere_is_here
            )
        except Wrong as error:
            raise Unavailable(f"the row of {user!r}: {error.wrong}") from None

    def homes(self, client: Client, keys: Keys, users: Sequence[str]) -> dict[str, Home]:
        """Give the homes of those users who have one; raises `Unavailable`."""
        found: dict[str, Home] = {}
        for start in range(0, len(users), AT_ONCE):
            some = users[start : start + AT_ONCE]
            for user, reply in zip(some, hashes_of(client, keys, some), strict=True):
                home = self.home(reply, user)
                if home is not None:
                    found[user] = home
        return found


def hashes_of(client: Client, keys: Keys, users: Sequence[str]) -> list[Any]:
    """Ask for the hashes of users, all at once."""
    with client.pipeline(transaction=False) as pipe:
        for user in users:
            pipe.hgetall(keys.home(user))
        return list(pipe.execute())


def _row(reply: Mapping[bytes, bytes]) -> dict[str, str]:
    try:
        row = {name.decode(): value.decode() for name, value in reply.items()}
    except UnicodeDecodeError:
        raise Wrong("is not UTF-8") from None
    for name in row:
        if name not in COLUMNS:
            raise Wrong(f'has a field "{show(name)}", which means nothing')
    return row


def users_after(client: Client, keys: Keys, after: str, limit: int) -> list[str]:
    """Name users in order, those behind ``after``."""
    least = b"(" + after.encode() if after else b"-"
    names: list[bytes] = client.zrangebylex(keys.homes, least, b"+", start=0, num=limit)
    return [name.decode() for name in names]
