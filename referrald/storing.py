"""The store that a configuration asks for."""

from __future__ import annotations

from typing import Any, Final

from referrald.config.settings import ServeSection
from referrald.store.granting import Granting
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.store import MaildirStore
from referrald.store.memory import MemoryStore
from referrald.store.rights import ANYONE
from referrald.store.rightsfile import PUBLIC, RightsFile
from referrald.store.sharedtrees import Prefixes
from referrald.store.sharing import SharingStore
from referrald.workers import Inline

EVERYTHING: Final = "lrswipkxte"
"""What everybody may do with the public mailboxes of a store in memory."""


def store_for(serve: ServeSection, reactor: Any) -> Any:
    """Make an `IMailStore`; without a reactor it works at once, for command-line tools."""
    prefixes = Prefixes(public=serve.public, others=serve.others)
    shares = serve.public or serve.others
    if serve.store == "maildir":
        kept = MaildirStore(
            serve.root, reactor, public_root=serve.public_root, limits=limits_of(serve)
        )
        if not shares:
            return kept
        return SharingStore(kept, Granting(RightsFile(serve.rights), kept.pool, reactor), prefixes)
    memory = MemoryStore(reactor=reactor)
    return SharingStore(memory, open_to_all(), prefixes) if shares else memory


def open_to_all() -> Granting:
    """Give a table of rights in memory, by which everybody may use what is public."""
    table = RightsFile()
    table.change(PUBLIC, "", ANYONE, EVERYTHING, 0)
    return Granting(table, Inline())


def limits_of(serve: ServeSection) -> Limits:
    """Give what one account may keep."""
    return Limits(
        storage=serve.quota or None,
        messages=serve.quota_messages or None,
        message=serve.message_size or None,
    )
