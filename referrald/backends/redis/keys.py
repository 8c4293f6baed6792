"""The keys of our own layout.

``home:USER``
    a hash with the columns of a home (`referrald.backends.homerows`)
``password:USER``
    a hash as `referralctl pw` makes it, ``{SCHEME}…``
``mailboxes:USER``, ``mailboxes:*@DOMAIN``, ``mailboxes:*``
    a list of rows (`referrald.backends.mailboxrows`), a JSON object each
``homes``
    a sorted set of all users, so that they can be listed in order
``version``
    how many changes there have been; whoever changes something makes sure that it has stayed
``history``
    a stream with an entry for each user of each change
``history:USER``
    a list of the entries of one user
``changes``
    the channel where the names of users are told who have changed; an empty one is everybody
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

USUAL_PREFIX = "referrald:"

_GLOB = re.compile(r"([\\*?\[\]])")


@attrs.frozen
class Keys:
    """Names keys; ``prefix`` is what all of them begin with."""

    prefix: str

    def home(self, user: str) -> bytes:
        """Name the hash of a user."""
        return f"{self.prefix}home:{user}".encode()

    def password(self, user: str) -> bytes:
        """Name the password of a user."""
        return f"{self.prefix}password:{user}".encode()

    def mailboxes(self, user: str) -> bytes:
        """Name the list of a user's mailboxes that are elsewhere, or of more than one user's."""
        return f"{self.prefix}mailboxes:{user}".encode()

    def history_of(self, user: str) -> bytes:
        """Name the list of a user's entries in the history."""
        return f"{self.prefix}history:{user}".encode()

    @property
    def homes(self) -> bytes:
        """Name the set of users."""
        return f"{self.prefix}homes".encode()

    @property
    def version(self) -> bytes:
        """Name the number of changes."""
        return f"{self.prefix}version".encode()

    @property
    def history(self) -> bytes:
        """Name the stream of changes."""
        return f"{self.prefix}history".encode()

    @property
    def changes(self) -> str:
        """Name the channel."""
        return f"{self.prefix}changes"


def pattern_of(beginning: str) -> str:
    """Give the pattern of all keys that begin like that."""
    return _GLOB.sub(r"\\\1", beginning) + "*"


def events_of(database: int, beginnings: Sequence[str]) -> list[str]:
    """Give patterns of the channels on which Redis tells of keys that begin like that."""
    return [f"__keyspace@{database}__:{pattern_of(each)}" for each in beginnings]


def key_of(channel: bytes) -> str:
    """Give the key that such a channel is about."""
    return channel.decode("utf-8", "replace").partition(":")[2]
