"""How much an account may keep: everything that a client can make more of is counted."""

from __future__ import annotations

from referrald.errors import OverQuota

ACCOUNT_BYTES = 64 * 1024 * 1024
"""What the mailboxes of one account, or of the shared tree, may take in all."""

MESSAGE = 500
"""Bytes that a message takes besides its content, roughly."""

FLAG = 8
"""Bytes that a flag of a message takes."""

WORD = 200
"""Bytes that a keyword or a subscription takes besides its characters, roughly."""

MAILBOX = 2000
"""Bytes that an empty mailbox takes besides its name, roughly."""

CHARACTER = 4
"""Bytes that a character can take."""


class Room:
    """The bytes that are left, of those that there were."""

    def __init__(self, size: int = ACCOUNT_BYTES) -> None:
        self.size = self.left = size

    def take(self, size: int) -> None:
        """Take ``size`` bytes (give them back, where it is negative), or raise `OverQuota`."""
        if size > 0 and size > self.left:
            raise OverQuota(f"{size} bytes wanted, {self.left} left")
        self.left -= size

    def give(self, size: int) -> None:
        """Give bytes back."""
        self.left += size


def word(text: str) -> int:
    """Count the bytes of a keyword or a subscription."""
    return WORD + CHARACTER * len(text)


def mailbox(name: str) -> int:
    """Count the bytes of an empty mailbox."""
    return MAILBOX + CHARACTER * len(name)
