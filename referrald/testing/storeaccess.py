"""The suite for mail stores, on quotas and rights, where accounts provide them."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from referrald.errors import NoPermission, OverQuota
from referrald.interfaces import IQuotas, IRights
from referrald.mailmodel import Quota
from referrald.testing.storecase import StoreCase, put, remove, uids, with_store

RIGHTS = frozenset("lrswipkxteacd")
"""The letters of RFC 4314, the two of RFC 2086 among them."""


class AccessContract(StoreCase):
    """Quota roots (RFC 9208) and rights (RFC 4314)."""

    async def quotas(self, store: Any) -> tuple[Any, Any, Any]:
        """Give an account, an open mailbox and what the account says of quotas, or skip."""
        account, folder = await self.box(store)
        found: Any = IQuotas(account, None)
        if found is None:
            self.skipTest("the accounts have no quotas")
        verifyObject(IQuotas, found)
        return account, folder, found

    @with_store
    async def test_a_quota_root_can_be_asked_for_by_its_name(self, store: Any) -> None:
        """It says the same; other roots are not there."""
        _account, _folder, quotas = await self.quotas(store)
        for quota in await quotas.quotas("box"):
            self.assertEqual(await quotas.quota(quota.root), quota)
        self.assertIsNone(await quotas.quota("no such root"))

    @with_store
    async def test_a_mailbox_that_is_not_there_has_the_roots_it_would_have(
        self, store: Any
    ) -> None:
        """A client can know before it makes one."""
        _account, _folder, quotas = await self.quotas(store)
        self.assertEqual(await self._roots(quotas, "none"), await self._roots(quotas, "box"))

    async def _roots(self, quotas: Any, name: str) -> list[str]:
        return [quota.root for quota in await quotas.quotas(name)]

    @with_store
    async def test_messages_are_counted_in_and_out(self, store: Any) -> None:
        """With all their bytes; when they are gone all is as it was."""
        account, folder, quotas = await self.quotas(store)
        before = await quotas.quotas("box")
        await put(account, "box", bytes(3000), bytes(2000))
        await folder.copy((await uids(folder))[:1], "box")
        during = await quotas.quotas("box")
        for old, new in zip(before, during, strict=True):
            self._more(old, new, messages=3, storage=8000)
        await remove(folder, *await uids(folder))
        self.assertEqual(await quotas.quotas("box"), before)

    def _more(self, old: Quota, new: Quota, *, messages: int, storage: int) -> None:
        self.assertEqual(new.root, old.root)
        if old.messages is not None and new.messages is not None:
            self.assertEqual(new.messages[0] - old.messages[0], messages)
            self.assertEqual(new.messages[1], old.messages[1])
        if old.storage is not None and new.storage is not None:
            self.assertLessEqual(storage, new.storage[0] - old.storage[0])
            self.assertEqual(new.storage[1], old.storage[1])

    @with_store
    async def test_what_is_above_the_limit_is_refused(self, store: Any) -> None:
        """Announced or not; what is used does not change."""
        account, folder, quotas = await self.quotas(store)
        limits = [quota.storage for quota in await quotas.quotas("box") if quota.storage]
        sizes = [limit - used + 1 for used, limit in limits if limit is not None]
        if not sizes or min(sizes) > 256 * 1024 * 1024:
            self.skipTest("no limit that a test can reach")
        before = await quotas.quotas("box")
        await self.refused(OverQuota, account.incoming("box", min(sizes)))
        await self.refused(OverQuota, put(account, "box", bytes(min(sizes))))
        self.assertEqual(await quotas.quotas("box"), before)
        self.assertEqual(await uids(folder), [])

    async def rights(self, store: Any) -> tuple[Any, Any]:
        """Give an account and what it says of rights, or skip."""
        account, _folder = await self.box(store, b"x")
        found: Any = IRights(account, None)
        if found is None:
            self.skipTest("the accounts have no rights")
        verifyObject(IRights, found)
        return account, found

    @with_store
    async def test_rights_are_the_letters_of_the_rfc(self, store: Any) -> None:
        """Each once; a user may see and read the mailboxes that he has made."""
        account, rights = await self.rights(store)
        for name in [entry.name for entry in await account.entries()]:
            letters = await rights.rights(name)
            self.assertEqual(len(letters), len(set(letters)), letters)
            self.assertLessEqual(set(letters), RIGHTS)
        self.assertLessEqual(set("lrswi"), set(await rights.rights("box")))

    @with_store
    async def test_the_list_names_the_user_with_his_rights(self, store: Any) -> None:
        """Where he may see it (RFC 4314 section 3.3), else he is refused."""
        _account, rights = await self.rights(store)
        letters = await rights.rights("box")
        if "a" in letters:
            found = await rights.acl("box")
            self.assertEqual(set(found.get(self.users[0], "")), set(letters))
        else:
            await self.refused(NoPermission, rights.acl("box"))

    @with_store
    async def test_rights_are_what_a_user_can_do(self, store: Any) -> None:
        """In every mailbox: with ``i`` messages can be put in, without it they cannot."""
        account, rights = await self.rights(store)
        for entry in await account.entries():
            if "\\Noselect" in entry.attributes:
                continue
            if "i" in await rights.rights(entry.name):
                await put(account, entry.name, b"x")
            else:
                await self.refused(NoPermission, put(account, entry.name, b"x"))
