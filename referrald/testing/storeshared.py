"""The suite for mail stores, on messages in mailboxes that users let others use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from referrald.errors import NoPermission, NoSuchMailbox
from referrald.interfaces import IQuotas, IRecents
from referrald.testing.storecase import (
    applied,
    contents,
    flags,
    once,
    opened,
    put,
    uids,
    with_store,
)
from referrald.testing.storesharing import READS, WORKS, SharingCase


class SharedMessagesContract(SharingCase):
    """What may be done with messages, by whom, and who hears of it (RFC 4314 section 4)."""

    @with_store
    async def test_each_flag_takes_its_right(self, store: Any) -> None:
        """A STORE changes what it may, and is refused where that is nothing."""
        one, other, name = await self.sharing(store, READS, b"a")
        (uid,) = await uids(await one.open("box", False))
        for letter, flag in (("s", "\\Seen"), ("t", "\\Deleted"), ("w", "\\Flagged"), ("w", "$X")):
            await self.give(one, "box", READS + letter)
            folder = await other.open(name, True)
            self.assertTrue(folder.writable)
            given = ["\\Seen", "\\Deleted", "\\Flagged", "$X"]
            kept = ["\\Flagged", "$X"] if letter == "w" else [flag]
            await folder.store([uid], given, 1)
            self.assertEqual(await flags(folder), [sorted(kept)])
            lacks = [other for other in given if other not in kept]
            for mode in (1, -1, 0):
                await self.refused(NoPermission, folder.store([uid], lacks[:1], mode))
            self.assertEqual(await flags(folder), [sorted(kept)])
            await folder.store([uid], given, -1)
            self.assertEqual(await flags(folder), [[]])

    @with_store
    async def test_what_a_user_may_not_change_stays_where_all_flags_are_set(
        self, store: Any
    ) -> None:
        """The permanent flags are those that the user may change."""
        one, other, name = await self.sharing(store, READS + "s", b"a")
        mine = await one.open("box", True)
        (uid,) = await uids(mine)
        await mine.store([uid], ["\\Flagged", "\\Deleted", "$X"], 0)
        folder = await other.open(name, True)
        self.assertEqual(tuple((await folder.state()).permanent), ("\\Seen",))
        await folder.store([uid], ["\\Seen", "\\Answered"], 0)
        self.assertEqual(await flags(mine), [["$X", "\\Deleted", "\\Flagged", "\\Seen"]])
        stored = await folder.store([uid], [], 0)
        self.assertEqual(sorted(stored.flags[uid]), ["$X", "\\Deleted", "\\Flagged"])
        await self.give(one, "box", READS + "w")
        self.assertNotIn("\\Seen", (await folder.state()).permanent)
        since = (await folder.state()).modseq
        await folder.store([uid], ["\\Draft"], 0, since)
        self.assertEqual(await flags(mine), [["\\Deleted", "\\Draft"]])
        again = await folder.store([uid], [], 0, since)
        self.assertEqual(tuple(again.unchanged), (uid,))
        self.assertEqual(await flags(mine), [["\\Deleted", "\\Draft"]])

    @with_store
    async def test_messages_come_with_the_flags_that_may_be_set(self, store: Any) -> None:
        """By APPEND and by COPY, from wherever; the rest is left out without a word."""
        given = ("\\Seen", "\\Deleted", "\\Flagged", "$X")
        one, other, name = await self.sharing(store, "lri", b"a")
        inbox = await self._inbox(other, b"mine", given)
        for letters, kept in (("lri", []), ("lris", ["\\Seen"]), ("lriw", ["$X", "\\Flagged"])):
            await self.give(one, "box", letters)
            await put(other, name, b"b", flags=given)
            await inbox.copy((await uids(inbox))[-1:], name)
            self.assertEqual((await flags(await one.open("box", False)))[-2:], [kept, kept])
        theirs = await other.open(name, False)
        await self.give(one, "box", "lriws")
        mine = await one.open("box", True)
        await mine.store((await uids(mine))[:1], given, 0)
        await theirs.copy((await uids(theirs))[:1], name)
        self.assertEqual((await flags(mine))[-1], ["$X", "\\Flagged", "\\Seen"])
        self.assertEqual((await contents(mine))[-1], b"a")

    async def _inbox(self, account: Any, text: bytes, given: Sequence[str]) -> Any:
        await put(account, "INBOX", text, flags=tuple(given))
        return await account.open("INBOX", True)

    @with_store
    async def test_messages_are_copied_and_moved_between_owners(self, store: Any) -> None:
        """With their bytes, dates and flags, in both directions."""
        one, other, name = await self.sharing(store, WORKS, b"a", b"b" * 600_000)
        await other.create("mine")
        theirs, mine = await other.open(name, True), await other.open("mine", True)
        await theirs.store((await uids(theirs))[1:], ["\\Flagged", "$X"], 1)
        before = await theirs.fetch(await uids(theirs))
        placed = await theirs.copy([*(each.uid for each in before), 99], "mine")
        self.assertEqual(list(placed.sources), [each.uid for each in before])
        self.assertEqual(placed.uid_validity, (await mine.state()).uid_validity)
        after = await mine.fetch(placed.uids)
        for old, new in zip(before, after, strict=True):
            self.assertEqual(
                (sorted(old.flags), old.received, old.size),
                (sorted(new.flags), new.received, new.size),
            )
        self.assertEqual(await contents(mine), [b"a", b"b" * 600_000])
        placed = await theirs.move(before[0].uid and [before[0].uid], "mine")
        self.assertEqual(await contents(mine), [b"a", b"b" * 600_000, b"a"])
        self.assertEqual(await contents(theirs), [b"b" * 600_000])
        placed = await mine.move((await uids(mine))[2:], name)
        self.assertEqual(list(placed.uids), (await uids(theirs))[1:])
        self.assertEqual(await contents(await one.open("box", False)), [b"b" * 600_000, b"a"])

    @with_store
    async def test_a_copy_that_is_refused_leaves_nothing(self, store: Any) -> None:
        """Where there is no right, or no such mailbox."""
        one, other, name = await self.sharing(store, READS, b"a")
        inbox = await self._inbox(other, b"mine", ())
        every, there = await uids(inbox), await contents(inbox)
        for work in (inbox.copy, inbox.move):
            await self.refused(NoPermission, work(every, name))
            await self.refused(NoSuchMailbox, work(every, self.theirs(one, "none")))
        self.assertEqual(await contents(inbox), there)
        self.assertEqual((await opened(one, "box"))[1], [b"a"])
        theirs = await other.open(name, True)
        for lacks in (READS + "t", READS + "e"):
            await self.give(one, "box", lacks)
            await self.refused(NoPermission, theirs.move(await uids(theirs), "INBOX"))
        self.assertEqual(await contents(inbox), there)

    @with_store
    async def test_removing_takes_its_right(self, store: Any) -> None:
        """To mark a message as deleted is not to remove it."""
        one, other, name = await self.sharing(store, READS + "t", b"a", b"b")
        folder = await other.open(name, True)
        first = (await uids(folder))[:1]
        await folder.store(first, ["\\Deleted"], 1)
        await self.refused(NoPermission, folder.expunge())
        await self.give(one, "box", "e", 1)
        self.assertEqual(list(await folder.expunge()), first)
        self.assertEqual((await opened(one, "box"))[1], [b"b"])

    @with_store
    async def test_who_works_on_it_is_told_what_others_do(self, store: Any) -> None:
        """Whoever does it, and whosever it is."""
        one, other, name = await self.sharing(store, WORKS, b"a", b"b")
        mine, theirs = await one.open("box", True), await other.open(name, True)
        for here, there in ((mine, theirs), (theirs, mine)):
            state, told = await there.state(), once(there)
            first = state.uids[0]
            await here.store([first], ["\\Deleted"], 1)
            await told
            found = await there.changes(state.modseq)
            self.assertIn("\\Deleted", found.flags[first])
            told = once(there)
            await here.expunge()
            await told
            told = once(there)
            await put(one if here is mine else other, here.name, b"c")
            await told
            found = await there.changes(state.modseq)
            self.assertEqual(applied(state.uids, found), await uids(here))
            self.assertNotIn(first, await uids(here))

    @with_store
    async def test_who_may_only_read_leaves_messages_recent(self, store: Any) -> None:
        """Whoever may change them is told of them."""
        one, other, name = await self.sharing(store, READS, b"a")
        folder = await other.open(name, True)
        if IRecents(folder, None) is None:
            self.skipTest("does not provide IRecents")
        (uid,) = await uids(folder)
        for _turn in range(2):
            self.assertLessEqual(await folder.recent_from(uid), uid)
        await self.give(one, "box", WORKS)
        await folder.state()
        self.assertLessEqual(await folder.recent_from(uid), uid)
        self.assertLess(uid, await folder.recent_from(uid))

    @with_store
    async def test_who_may_no_longer_read_is_told_so(self, store: Any) -> None:
        """At once; and when it can be changed no more."""
        one, other, name = await self.sharing(store, WORKS, b"a")
        folder = await other.open(name, True)
        state, told = await folder.state(), once(folder)
        await self.give(one, "box", READS)
        await told
        await folder.changes(state.modseq)
        self.assertEqual(folder.writable, False)
        told = once(folder)
        await self.give(one, "box", "l")
        await told
        await self.refused(NoPermission, folder.changes(state.modseq))
        await self.give(one, "box", "")
        await self.refused(NoSuchMailbox, folder.changes(state.modseq))

    @with_store
    async def test_what_is_put_there_counts_for_the_owner(self, store: Any) -> None:
        """In the one quota; who puts it there has as much room as before."""
        one, other, name = await self.sharing(store, WORKS)
        mine, theirs = IQuotas(one, None), IQuotas(other, None)
        if mine is None or not (before := await theirs.quotas("INBOX")):
            self.skipTest("the accounts have no quotas")
        (quota,) = await theirs.quotas(name)
        await put(other, name, bytes(5000))
        self.assertEqual(await theirs.quotas("INBOX"), before)
        (after,) = await theirs.quotas(name)
        if quota.storage is not None and after.storage is not None:
            self.assertLessEqual(quota.storage[0] + 5000, after.storage[0])
        self.assertEqual((await mine.quotas("box"))[0].storage, after.storage)
        self.assertEqual(await theirs.quota(after.root), after)
        self.assertNotEqual(after.root, before[0].root)
        await self.give(one, "box", "")
        self.assertIsNone(await theirs.quota(after.root))
        self.assertEqual(list(await theirs.quotas(name)), [])
