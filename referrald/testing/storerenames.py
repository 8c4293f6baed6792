"""The suite for mail stores, on RENAME: of a mailbox, of a tree, of INBOX."""

from __future__ import annotations

from typing import Any

from referrald.errors import MailboxExists, NoSuchMailbox, NotPossible
from referrald.mailmodel import NewMessage
from referrald.testing.storecase import (
    StoreCase,
    applied,
    attributes,
    contents,
    names,
    opened,
    path,
    put,
    uids,
    with_store,
)
from referrald.testing.storemessages import DATES


class RenamesContract(StoreCase):
    """Mailboxes that get other names (RFC 3501 section 6.3.5)."""

    @with_store
    async def test_a_rename_takes_along_what_is_below(self, store: Any) -> None:
        """Messages keep their UIDs and mailboxes their UIDVALIDITY."""
        account, _folder = await self.box(store, b"one", b"two")
        low = path(account, "box", "low")
        await account.create(low)
        await account.create("boxes")
        await put(account, low, b"three")
        before = [await opened(account, name) for name in ("box", low)]
        await account.rename("box", "chest")
        moved = ["chest", path(account, "chest", "low")]
        self.assertEqual([await opened(account, name) for name in moved], before)
        left = await names(account)
        self.assertTrue({"box", low}.isdisjoint(left) and {"boxes", *moved} <= set(left), left)

    @with_store
    async def test_a_rename_makes_the_levels_above_the_new_name(self, store: Any) -> None:
        """As CREATE does."""
        account, _folder = await self.box(store, b"x")
        new = path(account, "a", "b", "c")
        await account.rename("box", new)
        self.assertTrue({"a", path(account, "a", "b"), new} <= set(await names(account)))
        self.assertEqual((await opened(account, new))[1], [b"x"])

    @with_store
    async def test_a_rename_that_cannot_be_changes_nothing(self, store: Any) -> None:
        """Onto what is there, or below itself."""
        account, _folder = await self.box(store, b"x")
        await account.create("other")
        before = await names(account)
        for name in ("other", "INBOX", "box"):
            await self.refused(MailboxExists, account.rename("box", name))
        await self.refused(NotPossible, account.rename("box", path(account, "box", "a", "b")))
        self.assertEqual(await names(account), before)
        self.assertEqual((await opened(account, "box"))[1], [b"x"])

    @with_store
    async def test_renaming_inbox_moves_its_messages_alone(self, store: Any) -> None:
        """INBOX is empty then; what is below it stays (RFC 3501 section 6.3.5)."""
        account = await self.account(store)
        low = path(account, "INBOX", "low")
        await account.create(low)
        await put(account, "INBOX", b"moved", flags=("\\Flagged",))
        inbox = await account.open("INBOX", True)
        before, state = await contents(inbox), await inbox.state()
        await account.rename("INBOX", "old")
        self.assertEqual((await opened(account, "old"))[1], before)
        self.assertEqual(applied(state.uids, await inbox.changes(state.modseq)), [])
        self.assertIn(low, await names(account))
        placed = await put(account, "INBOX", b"new")
        self.assertTrue(
            placed.uid_validity != state.uid_validity or placed.uids[0] >= state.uid_next
        )
        self.assertEqual((await opened(account, "INBOX"))[1], [b"new"])

    @with_store
    async def test_a_name_freed_by_a_rename_gets_a_new_mailbox(self, store: Any) -> None:
        """With other UIDs, or another UIDVALIDITY (RFC 3501 section 6.3.5)."""
        account, _folder = await self.box(store, b"x")
        validity, _ = await opened(account, "box")
        await account.rename("box", "chest")
        await account.create("box")
        again, found = await opened(account, "box")
        self.assertEqual(found, [])
        self.assertNotEqual(again, validity)

    @with_store
    async def test_renaming_inbox_keeps_what_its_messages_have(self, store: Any) -> None:
        """Flags, keywords and dates; there is room for the same again."""
        account = await self.account(store)
        given = NewMessage(content=b"kept", flags=("\\Seen", "$Work"), received=DATES[0])
        await account.append("INBOX", [given])
        await account.rename("INBOX", "old")
        folder = await account.open("old", True)
        last = (await uids(folder))[-1]
        (found,) = await folder.fetch([last])
        self.assertEqual((found.received, found.received.utcoffset()), self._date(0))
        self.assertEqual(sorted(found.flags), ["$Work", "\\Seen"])
        status = await account.status("INBOX")
        self.assertEqual((status.messages, status.size, status.unseen), (0, 0, 0))
        await account.append("INBOX", [given])
        self.assertEqual((await account.status("INBOX")).messages, 1)

    def _date(self, number: int) -> tuple[Any, Any]:
        return DATES[number], DATES[number].utcoffset()

    @with_store
    async def test_inbox_can_be_renamed_again_and_below_itself(self, store: Any) -> None:
        """It is a mailbox like others for that, and is always there."""
        account = await self.account(store)
        low = path(account, "INBOX", "2025", "12")
        for name in ("first", low, path(account, "deep", "down")):
            await put(account, "INBOX", name.encode())
            await account.rename("INBOX", name)
            self.assertEqual((await opened(account, name))[1][-1:], [name.encode()])
            self.assertEqual((await opened(account, "INBOX"))[1], [])

    @with_store
    async def test_a_rename_of_inbox_that_cannot_be_changes_nothing(self, store: Any) -> None:
        """Onto what is there, itself among it, or onto what can be no name."""
        account, _folder = await self.box(store)
        await put(account, "INBOX", b"kept")
        before, there = await names(account), await opened(account, "INBOX")
        for name in ("box", "INBOX"):
            await self.refused(MailboxExists, account.rename("INBOX", name))
        await self.refused(NotPossible, account.rename("INBOX", "a\0b"))
        self.assertEqual(await names(account), before)
        self.assertEqual(await opened(account, "INBOX"), there)

    @with_store
    async def test_a_whole_tree_goes_with_its_top(self, store: Any) -> None:
        """All levels of it, mere names among them, below another mailbox too."""
        account = await self.account(store)
        branches = [("b",), ("b", "c"), ("b", "c", "d"), ("x y",)]
        for branch in branches:
            name = path(account, "a", *branch)
            await account.create(name)
            await put(account, name, name.encode())
        await account.delete(path(account, "a", "b", "c"))
        await account.create("other")
        there = set(await names(account))
        before = [await self._seen(account, "a", *branch) for branch in branches]
        new = path(account, "other", "moved")
        await account.rename("a", new)
        after = [await self._seen(account, "other", "moved", *branch) for branch in branches]
        self.assertEqual(after, before)
        tree = {name for name in there if name == "a" or name.startswith(path(account, "a", ""))}
        moved = {new + name[1:] for name in tree}
        self.assertEqual(set(await names(account)), there - tree | moved)

    async def _seen(self, account: Any, *levels: str) -> Any:
        name = path(account, *levels)
        if "\\Noselect" in await attributes(account, name):
            return None
        return await opened(account, name)

    @with_store
    async def test_a_mere_name_is_renamed_with_what_is_below(self, store: Any) -> None:
        """It stays a mere name."""
        account, _folder = await self.box(store, b"above")
        low = path(account, "box", "low")
        await account.create(low)
        await put(account, low, b"below")
        await account.delete("box")
        await account.rename("box", "chest")
        self.assertIn("\\Noselect", await attributes(account, "chest"))
        self.assertEqual((await opened(account, path(account, "chest", "low")))[1], [b"below"])
        self.assertTrue({"box", low}.isdisjoint(await names(account)))

    @with_store
    async def test_a_rename_touches_neither_the_like_nor_subscriptions(self, store: Any) -> None:
        """Names that only begin so stay; subscriptions are to names (RFC 3501 section 6.3.9)."""
        account, _folder = await self.box(store, b"x")
        for name in ("box2", "boxes", "Box"):
            await account.create(name)
            await put(account, name, name.encode())
        await account.subscribe("box")
        subscribed = await account.subscriptions()
        await account.rename("box", "chest")
        for name in ("box2", "boxes", "Box"):
            self.assertEqual((await opened(account, name))[1], [name.encode()])
        self.assertEqual(await account.subscriptions(), subscribed)

    @with_store
    async def test_names_can_be_swapped(self, store: Any) -> None:
        """By way of a third; each keeps its UIDVALIDITY and messages."""
        account, _folder = await self.box(store, b"one")
        await account.create("other")
        await put(account, "other", b"two", b"three")
        before = [await opened(account, name) for name in ("box", "other")]
        for old, new in (("box", "third"), ("other", "box"), ("third", "other")):
            await account.rename(old, new)
        self.assertEqual([await opened(account, name) for name in ("other", "box")], before)

    @with_store
    async def test_one_users_names_are_nothing_to_another(self, store: Any) -> None:
        """Renaming, deleting and making as one leaves what another has of the same names."""
        accounts = [await self.account(store, who) for who in (0, 1)]
        for number, account in enumerate(accounts):
            for name in ("same", path(account, "same", "low")):
                await account.create(name, ["\\Archive"] if number and name == "same" else [])
                await put(account, name, b"%d" % number)
        one, other = accounts
        before, there = await names(other), await opened(other, "same")
        await one.rename("same", "else")
        await one.delete(path(one, "else", "low"))
        await one.delete("else")
        self.assertEqual((await names(other), await opened(other, "same")), (before, there))
        self.assertEqual((await opened(other, path(other, "same", "low")))[1], [b"1"])
        await self.refused(NoSuchMailbox, one.open("same", False))
