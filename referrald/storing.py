"""The store that a configuration asks for."""

from __future__ import annotations

from typing import Any

from referrald.config.settings import ServeSection
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.store import MaildirStore
from referrald.store.memory import MemoryStore


def store_for(serve: ServeSection, reactor: Any) -> Any:
    """Make an `IMailStore`; without a reactor it works at once, for command-line tools."""
    if serve.store == "maildir":
        return MaildirStore(serve.root, reactor, limits=limits_of(serve))
    return MemoryStore(public=serve.public, reactor=reactor)


def limits_of(serve: ServeSection) -> Limits:
    """Give what one account may keep."""
    return Limits(
        storage=serve.quota or None,
        messages=serve.quota_messages or None,
        message=serve.message_size or None,
    )
