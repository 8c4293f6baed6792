"""For authors of plugins: parts in memory, and the suites that say when a plugin is right.

Nothing in the package itself imports this.
"""

from __future__ import annotations

from referrald.testing.backends import (
    HOMES,
    ODD_NAMES,
    RICH_HOMES,
    SERVER,
    BackendContract,
    MemoryBackend,
)
from referrald.testing.factories import FactoryContract
from referrald.testing.mailboxes import MAILBOXES, RICH_MAILBOXES, MailboxContract
from referrald.testing.passwords import PASSWORDS, PasswordContract
from referrald.testing.stores import MailStoreContract
from referrald.testing.writing import WritableContract

__all__ = [
    "HOMES",
    "MAILBOXES",
    "ODD_NAMES",
    "PASSWORDS",
    "RICH_HOMES",
    "RICH_MAILBOXES",
    "SERVER",
    "BackendContract",
    "FactoryContract",
    "MailStoreContract",
    "MailboxContract",
    "MemoryBackend",
    "PasswordContract",
    "WritableContract",
]
