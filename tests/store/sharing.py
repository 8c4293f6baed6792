"""Stores whose users share mailboxes, for tests."""

from __future__ import annotations

from typing import Any

from referrald.store.granting import Granting
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.store import MaildirStore
from referrald.store.memory import MemoryStore
from referrald.store.rightsfile import PUBLIC, RightsFile
from referrald.store.sharedtrees import Prefixes
from referrald.store.sharing import SharingStore
from referrald.workers import Inline

PREFIXES = Prefixes(public="Public", others="Other Users")


def in_memory(everybody: str = "", **arguments: Any) -> SharingStore:
    """Make a store in memory; ``everybody`` is what all may do with public mailboxes."""
    granting = Granting(RightsFile(), Inline())
    store = SharingStore(MemoryStore(**arguments), granting, PREFIXES)
    if everybody:
        allow(store, "anyone", everybody)
    return store


def allow(store: SharingStore, identifier: str, letters: str) -> None:
    """Say what somebody may do with all public mailboxes."""
    store.granting.file.change(PUBLIC, "", identifier, letters, 0)


def on_disk(directory: str, reactor: Any = None, limits: Limits | None = None) -> SharingStore:
    """Make a store in a directory."""
    store = MaildirStore(
        f"{directory}/mail/%u", reactor, public_root=f"{directory}/public", limits=limits
    )
    return SharingStore(
        store, Granting(RightsFile(f"{directory}/rights"), store.pool, reactor), PREFIXES
    )
