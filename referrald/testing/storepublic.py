"""The suite for mail stores, on public mailboxes, where accounts have them."""

from __future__ import annotations

from typing import Any

from referrald.errors import MailboxExists, NoPermission, NoSuchMailbox, NotPossible
from referrald.interfaces import IGrants
from referrald.testing.storecase import (
    StoreCase,
    applied,
    names,
    once,
    opened,
    path,
    put,
    uids,
    with_store,
    with_two_stores,
)

ALL = "lrswipkxtea"


class PublicContract(StoreCase):
    """Mailboxes that belong to nobody."""

    def let(self, store: Any, user: str, letters: str) -> Any:
        """Say what a user may do with all public mailboxes, as the operator does; may wait."""
        self.skipTest("let() is not implemented")

    async def public(self, store: Any, letters: str) -> tuple[Any, Any, str]:
        """Give the first user's account, which administers them, the second's, and the top.

        letters: what the second may do with them.
        """
        for user, given in zip(self.users, (ALL, letters), strict=True):
            done = self.let(store, user, given)
            if hasattr(done, "__await__"):
                await done
        one, other = await self.account(store), await self.account(store, 1)
        shared = one.namespaces().shared
        if not shared or IGrants(one, None) is None:
            self.skipTest("there are no public mailboxes with rights")
        return one, other, shared[0][:-1]

    @with_store
    async def test_public_mailboxes_are_used_by_rights(self, store: Any) -> None:
        """Whoever may not see them sees none."""
        one, other, top = await self.public(store, "lr")
        news = path(one, top, "news")
        await one.create(news)
        await put(one, news, b"a")
        for name in (top, news):
            self.assertIn(name, await names(one))
            self.assertIn(name, await names(other))
            await self.refused(NoPermission, put(other, name, b"x"))
        self.assertEqual((await opened(other, news))[1], [b"a"])
        await one.grant(news, "-anyone", "lr", 0)
        await one.grant(news, self.users[0], ALL, 0)
        self.assertNotIn(news, await names(other))
        await self.refused(NoSuchMailbox, other.open(news, False))
        self.assertEqual(await other.rights(top), "lr")
        self.assertNotIn(news, await names(await store.account("nobody")))

    @with_store
    async def test_the_top_of_public_mailboxes_stays(self, store: Any) -> None:
        """It is a mailbox as well; below it there is no INBOX."""
        one, _other, top = await self.public(store, "")
        await put(one, top, b"a")
        before = await names(one)
        await self.refused(NotPossible, one.delete(top))
        await self.refused(NotPossible, one.rename(top, path(one, top, "x")))
        await self.refused(MailboxExists, one.create(top))
        for name in (path(one, top, "INBOX"), path(one, top, "inbox", "low")):
            await self.refused(NoPermission, one.create(name))
            await self.refused(NoSuchMailbox, one.open(name, False))
        self.assertEqual(await names(one), before)
        self.assertEqual((await opened(one, top))[1], [b"a"])

    @with_store
    async def test_nobody_owns_a_public_mailbox(self, store: Any) -> None:
        """So nobody has rights on it that cannot be taken."""
        one, _other, top = await self.public(store, "lr")
        self.assertEqual(await one.grantable(top, self.users[0]), ("", ALL))
        self.assertEqual(dict(await one.acl(top))[self.users[0]], ALL)
        await one.grant(top, self.users[0], "a", -1)
        await self.refused(NoPermission, one.acl(top))

    @with_two_stores
    async def test_public_mailboxes_are_the_same_in_both(self, store: Any, other: Any) -> None:
        """Who works on one is told what is done in the other."""
        one, _there, top = await self.public(store, "lr")
        account = await self.account(other, 1)
        await one.create(path(one, top, "news"))
        folder = await account.open(path(one, top, "news"), False)
        state, told = await folder.state(), once(folder)
        placed = await put(one, path(one, top, "news"), b"a")
        await told
        found = await folder.changes(state.modseq)
        self.assertEqual(applied(state.uids, found), list(placed.uids))
        self.assertEqual(await uids(folder), list(placed.uids))
