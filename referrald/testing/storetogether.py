"""The suite for mail stores, on two of them that work on the same data at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from referrald.errors import MailboxExists, NoSuchMailbox
from referrald.testing.storecase import (
    StoreCase,
    applied,
    attributes,
    contents,
    names,
    once,
    opened,
    put,
    remove,
    sorted_flags,
    uids,
    with_two_stores,
)


class TogetherContract(StoreCase):
    """Two stores, as two processes have them."""

    async def both(self, store: Any, other: Any, *texts: bytes) -> tuple[Any, Any, Any, Any]:
        """Give the first user's accounts in both, and an open mailbox with messages in both."""
        account, folder = await self.box(store, *texts)
        there = await self.account(other)
        return account, folder, there, await there.open("box", True)

    @with_two_stores
    async def test_each_sees_what_the_other_appends(self, store: Any, other: Any) -> None:
        """Under the same UIDs; who watches is told."""
        account, folder, there, open_there = await self.both(store, other, b"a")
        for here, away, name in ((account, open_there, b"b"), (there, folder, b"c")):
            state, told = await away.state(), once(away)
            placed = await put(here, "box", name)
            await told
            found = await away.changes(state.modseq)
            self.assertEqual(applied(state.uids, found), [*state.uids, *placed.uids])
            self.assertEqual(await away.content(placed.uids[0]), name)
        self.assertEqual(await folder.state(), await open_there.state())
        self.assertEqual(await account.status("box"), await there.status("box"))

    @with_two_stores
    async def test_each_sees_the_flags_that_the_other_sets(self, store: Any, other: Any) -> None:
        """New keywords among them, in one spelling."""
        _account, folder, _there, open_there = await self.both(store, other, b"a", b"b")
        one, two = await uids(folder)
        for here, away, uid, flag in (
            (folder, open_there, one, "$Work"),
            (open_there, folder, two, "$wORK"),
            (folder, open_there, two, "\\Seen"),
        ):
            state, told = await away.state(), once(away)
            stored = await here.store([uid], [flag], 1)
            await told
            found = await away.changes(state.modseq)
            self.assertEqual(sorted_flags(found.flags), sorted_flags(stored.flags))
            self.assertEqual(dict(found.modseqs), dict(stored.modseqs))
        rows = await folder.rows([one, two], ("flags", "modseq"))
        self.assertEqual(rows, await open_there.rows([one, two], ("flags", "modseq")))
        self.assertIn("$Work", (await open_there.state()).flags)

    @with_two_stores
    async def test_each_sees_what_the_other_removes(self, store: Any, other: Any) -> None:
        """It passes over those messages then; one that is being read stays readable."""
        _account, folder, _there, open_there = await self.both(store, other, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        reading = await open_there.read(two)
        state, told = await open_there.state(), once(open_there)
        await remove(folder, two)
        await told
        found = await open_there.changes(state.modseq)
        self.assertEqual(applied(state.uids, found), [one, three])
        self.assertEqual(await reading.read(0, 10), b"b")
        reading.close()
        self.assertIsNone(await open_there.content(two))
        self.assertEqual(set((await open_there.store([two, one], ["\\Seen"], 1)).flags), {one})

    @with_two_stores
    async def test_a_move_in_one_is_seen_in_the_other(self, store: Any, other: Any) -> None:
        """On both sides of it."""
        account, folder, there, open_there = await self.both(store, other, b"a", b"b")
        await account.create("target")
        target = await there.open("target", True)
        state = await open_there.state()
        placed = await folder.move(state.uids[:1], "target")
        self.assertEqual(await uids(target), list(placed.uids))
        found = await open_there.changes(state.modseq)
        self.assertEqual(applied(state.uids, found), list(state.uids[1:]))
        self.assertEqual(await contents(target), [b"a"])

    @with_two_stores
    async def test_a_condition_counts_what_the_other_has_changed(
        self, store: Any, other: Any
    ) -> None:
        """Of two who change the same, the second is told."""
        _account, folder, _there, open_there = await self.both(store, other, b"a")
        (one,) = await uids(folder)
        since = (await folder.state()).modseq
        await folder.store([one], ["$First"], 1, since)
        stored = await open_there.store([one], ["$Second"], 1, since)
        self.assertEqual(tuple(stored.unchanged), (one,))
        self.assertEqual(sorted_flags(stored.flags), {one: ["$First"]})

    @with_two_stores
    async def test_appends_at_the_same_time_lose_nothing(self, store: Any, other: Any) -> None:
        """Every message is there once, under a UID that nobody else was told."""
        account, folder, there, open_there = await self.both(store, other)
        texts = [b"%d" % number for number in range(20)]
        work = [
            Deferred.fromCoroutine(put(account if number % 2 else there, "box", text))
            for number, text in enumerate(texts)
        ]
        told = [placed.uids[0] for placed in await gatherResults(work)]
        self.assertEqual(sorted(told), await uids(folder))
        self.assertEqual([await open_there.content(uid) for uid in told], texts)

    @with_two_stores
    async def test_each_sees_the_mailboxes_that_the_other_makes(
        self, store: Any, other: Any
    ) -> None:
        """And those that it renames and deletes; subscriptions and special uses too."""
        one, two = await self.account(store), await self.account(other)
        await one.create("made", ["\\Sent"])
        self.assertIn("made", await names(two))
        self.assertIn("\\Sent", await attributes(two, "made"))
        await self.refused(MailboxExists, two.create("made"))
        await put(two, "made", b"x")
        there = await opened(one, "made")
        await two.rename("made", "renamed")
        await self.refused(NoSuchMailbox, one.open("made", False))
        self.assertEqual(await opened(one, "renamed"), there)
        await one.subscribe("renamed")
        self.assertIn("renamed", await two.subscriptions())
        await two.delete("renamed")
        self.assertNotIn("renamed", await names(one))
        await one.create("renamed")
        self.assertNotEqual((await opened(two, "renamed"))[0], there[0])

    @with_two_stores
    async def test_a_folder_ends_when_the_other_deletes_its_mailbox(
        self, store: Any, other: Any
    ) -> None:
        """Or gives it another name; who watches is told."""
        _account, folder, there, _open = await self.both(store, other, b"a")
        steps: Sequence[tuple[Callable[[], Any], Callable[[], Any]]] = (
            (lambda: there.rename("box", "else"), lambda: there.rename("else", "box")),
            (lambda: there.delete("box"), lambda: there.create("box")),
        )
        for end, start in steps:
            folder = await (await self.account(store)).open("box", True)
            modseq, told = (await folder.state()).modseq, once(folder)
            await end()
            await told
            await self.refused(NoSuchMailbox, folder.changes(modseq))
            await start()

    @with_two_stores
    async def test_both_may_remove_the_same(self, store: Any, other: Any) -> None:
        """It is gone once, and only one of them says that it has removed it."""
        _account, folder, _there, open_there = await self.both(store, other, b"a", b"b", b"c")
        there = await uids(folder)
        await folder.store(there, ["\\Deleted"], 1)
        work = [Deferred.fromCoroutine(each.expunge()) for each in (folder, open_there)]
        removed = await gatherResults(work)
        self.assertEqual(sorted(uid for some in removed for uid in some), there)
        self.assertEqual(await uids(open_there), [])
