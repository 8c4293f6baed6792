"""The suite for mail stores that know of which messages nobody has been told."""

from __future__ import annotations

from typing import Any

from referrald.interfaces import IRecents
from referrald.testing.storecase import (
    StoreCase,
    put,
    remove,
    uids,
    with_store,
    with_stored,
    with_two_stores,
)


async def _counted(account: Any, name: str = "box") -> tuple[int, int]:
    """Give how many messages nobody was told of, as STATUS and as SELECT tell it."""
    folder = await account.open(name, False)
    state = await folder.state()
    changes = await folder.changes(0)
    assert changes.recent == state.recent, (changes, state)
    await folder.close()
    return (await account.status(name)).recent, state.recent


class RecentsContract(StoreCase):
    """What is ``\\Recent`` (RFC 3501 section 2.3.2), where folders provide `IRecents`."""

    async def recents(self, store: Any, *texts: bytes) -> tuple[Any, Any]:
        """Give an account and a mailbox with messages, where the store knows of such things."""
        account, folder = await self.box(store, *texts)
        if IRecents(folder, None) is None:
            self.skipTest("does not provide IRecents")
        return account, folder

    @with_store
    async def test_a_message_is_new_until_somebody_is_told_of_it(self, store: Any) -> None:
        """One who may change the mailbox: who only looks takes nothing away."""
        account, folder = await self.recents(store, b"a", b"b")
        self.assertEqual(await _counted(account), (2, 2))
        one, two = await uids(folder)
        looking = await account.open("box", False)
        for _turn in range(2):
            self.assertLessEqual(await looking.recent_from(two), one)
        self.assertEqual(await _counted(account), (2, 2))
        self.assertLessEqual(await folder.recent_from(two), one)
        self.assertEqual(await _counted(account), (0, 0))
        for each in (folder, looking):
            self.assertLess(two, await each.recent_from(two))

    @with_store
    async def test_only_those_are_told_of_that_were_asked_about(self, store: Any) -> None:
        """What comes later, or in between, is for the next one."""
        account, folder = await self.recents(store, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        self.assertLessEqual(await folder.recent_from(one), one)
        self.assertEqual(await _counted(account), (2, 2))
        other = await account.open("box", True)
        first = await other.recent_from(three)
        self.assertTrue(one < first <= two, first)
        self.assertLess(one, await folder.recent_from(one))
        (four,) = (await put(account, "box", b"d")).uids
        self.assertEqual(await _counted(account), (1, 1))
        first = await folder.recent_from(four)
        self.assertTrue(three < first <= four, first)

    @with_store
    async def test_what_is_removed_is_not_counted(self, store: Any) -> None:
        """And flags change nothing about it."""
        account, folder = await self.recents(store, b"a", b"b", b"c")
        one, two, _three = await uids(folder)
        await folder.recent_from(one)
        await folder.store([one, two], ["\\Seen", "$Work"], 1)
        self.assertEqual(await _counted(account), (2, 2))
        await remove(folder, one, two)
        self.assertEqual(await _counted(account), (1, 1))
        await folder.move(await uids(folder), "box")
        self.assertEqual(await _counted(account), (1, 1))

    @with_store
    async def test_copies_and_moved_messages_are_new_where_they_come(self, store: Any) -> None:
        """Whatever was told of them before; so are those of INBOX when it is renamed."""
        account, folder = await self.recents(store, b"a", b"b")
        one, two = await uids(folder)
        await folder.recent_from(two)
        await account.create("target")
        await folder.copy([one, two], "target")
        self.assertEqual(await _counted(account, "target"), (2, 2))
        await folder.move([one], "target")
        self.assertEqual(await _counted(account, "target"), (3, 3))
        self.assertEqual(await _counted(account), (0, 0))
        await folder.move([two], "INBOX")
        await account.rename("INBOX", "old")
        self.assertTrue((await _counted(account, "old"))[0] > 0)
        self.assertEqual(await _counted(account, "INBOX"), (0, 0))

    async def _told_of_some(self, store: Any) -> None:
        _account, folder = await self.recents(store, b"a", b"b", b"c")
        await folder.recent_from((await uids(folder))[0])

    @with_stored(_told_of_some)
    async def test_it_is_kept(self, store: Any) -> None:
        """By a store that keeps mail."""
        account = await self.account(store)
        self.assertEqual(await _counted(account), (2, 2))
        await account.rename("box", "renamed")
        self.assertEqual(await _counted(account, "renamed"), (2, 2))

    @with_two_stores
    async def test_one_of_two_processes_is_told(self, store: Any, other: Any) -> None:
        """And never both."""
        account, folder = await self.recents(store)
        there = await (await self.account(other)).open("box", True)
        found: list[set[int]] = [set(), set()]
        for turn in range(6):
            placed = await put(account, "box", b"x", b"y")
            last = placed.uids[-1]
            for who, each in ((turn % 2, folder), (1 - turn % 2, there)):
                await each.changes(0)
                found[who].update(range(await each.recent_from(last), last + 1))
        self.assertEqual(sorted(found[0] | found[1]), await uids(folder))
        self.assertEqual(found[0] & found[1], set())
        self.assertTrue(all(found), "each was the first now and then")
