"""Mailboxes that are shared: public ones, and those that users let others use.

Works on any store: what is a user's own goes to the user's account, all else to the account that
has it, as far as the rights allow (RFC 4314, RFC 2342).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

from zope.interface import implementer

from referrald.interfaces import ILifecycle, IMailStore
from referrald.store.granting import Granting
from referrald.store.names import DELIMITER, INBOX, checked
from referrald.store.rightsfile import PUBLIC
from referrald.store.sharedaccount import SharedAccount
from referrald.store.sharedtrees import Prefixes, Tree


class Kept(Protocol):
    """A store of which mailboxes can be shared."""

    async def account(self, user: str) -> Any:
        """Give the account of a user, which is made where it is not there."""
        ...

    async def existing(self, user: str) -> Any:
        """Give the account of a user who has mail here, else None."""
        ...

    async def public(self) -> Any:
        """Give the account whose mailboxes are public; its INBOX is the top of them."""
        ...


@implementer(IMailStore, ILifecycle)
class SharingStore:
    """Accounts with mailboxes of others in them.

    kept: the store that keeps them. granting: who may do what.
    prefixes: where they are; raises ValueError for what cannot be the first level of names.
    """

    def __init__(self, kept: Kept, granting: Granting, prefixes: Prefixes) -> None:
        for name in (prefixes.public, prefixes.others):
            if DELIMITER in name or name.upper() == INBOX or (name and checked(name) != name):
                raise ValueError(f"not a first level for mailboxes of others: {name!r}")
        if prefixes.public and prefixes.public == prefixes.others:
            raise ValueError("public mailboxes and those of other users have the same first level")
        self.kept = kept
        self.granting = granting
        self.prefixes = prefixes
        self._accounts: WeakValueDictionary[str, SharedAccount] = WeakValueDictionary()

    async def start(self) -> None:
        """Get the store ready that keeps them, and the table of rights."""
        lifecycle = ILifecycle(self.kept, None)
        if lifecycle is not None:
            await lifecycle.start()
        await self.granting.start()

    async def stop(self) -> None:
        """Let go of everything."""
        await self.granting.stop()
        lifecycle = ILifecycle(self.kept, None)
        if lifecycle is not None:
            await lifecycle.stop()

    async def account(self, user: str) -> SharedAccount:
        """Give the account of ``user``."""
        own = await self.kept.account(user)
        found = self._accounts.get(user)
        if found is None:
            found = self._accounts[user] = SharedAccount(user, own, self)
        return found

    async def tree(self, owner: str) -> Tree | None:
        """Give the mailboxes of an owner as others see them; None where there are none here."""
        if owner == PUBLIC:
            account = await self.kept.public()
        else:
            account = await self.kept.existing(owner)
        if account is None:
            return None
        return Tree(owner=owner, root=self.prefixes.root(owner), account=account)

    async def owners(self, user: str) -> Sequence[str]:
        """Name those whose mailboxes a user may be able to see, public ones first."""
        public = [PUBLIC] if self.prefixes.public else []
        if not self.prefixes.others:
            return public
        others = await self.granting.owners(user)
        return public + [name for name in others if name != user and DELIMITER not in name]
