"""The suite for mail stores, on modification sequences and conditional STORE (RFC 7162)."""

from __future__ import annotations

from typing import Any

from referrald.errors import NotPossible
from referrald.testing.storecase import (
    StoreCase,
    flags,
    path,
    put,
    remove,
    sorted_flags,
    uids,
    with_store,
    with_stored,
)


class ModseqsContract(StoreCase):
    """Modification sequences."""

    seen: Any

    @with_store
    async def test_the_state_has_the_highest_of_all(self, store: Any) -> None:
        """STATUS tells the same (RFC 7162 section 3.1.7), whatever has happened."""
        account, folder = await self.box(store)
        await account.create("target")
        for change in (
            lambda: put(account, "box", b"a", b"b", b"c"),
            lambda: put(account, "box", b"d", flags=("\\Seen",)),
            lambda: folder.store(self.seen[:2], ["\\Deleted", "$Work"], 1),
            lambda: folder.copy(self.seen[:1], "box"),
            lambda: folder.move(self.seen[-1:], "box"),
            lambda: folder.move(self.seen[-1:], "target"),
            lambda: folder.expunge(),
        ):
            before = await folder.state()
            self.seen = before.uids
            await change()
            state, status = await folder.state(), await account.status("box")
            self.assertLess(before.modseq, state.modseq)
            self.assertEqual(status.modseq, state.modseq)
            self.assertEqual((await account.statuses(["box"]))["box"].modseq, state.modseq)
            rows = await folder.rows(state.uids, ("modseq",))
            for _uid, modseq in rows:
                self.assertTrue(0 < modseq <= state.modseq, modseq)

    @with_store
    async def test_one_mailbox_is_nothing_to_another(self, store: Any) -> None:
        """What happens in one changes no modification sequence of others."""
        account, folder = await self.box(store, b"a")
        low = path(account, "box", "low")
        before = await folder.state()
        await account.create(low)
        await put(account, low, b"b")
        await account.create("other")
        self.assertEqual(await folder.state(), before)

    @with_store
    async def test_every_change_gives_a_higher_one(self, store: Any) -> None:
        """To those that it has changed, and to no other."""
        _account, folder = await self.box(store, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        before = dict(await folder.rows([one, two, three], ("modseq",)))
        highest = (await folder.state()).modseq
        stored = await folder.store([one, three], ["\\Seen"], 1)
        after = dict(await folder.rows([one, two, three], ("modseq",)))
        self.assertEqual(after[two], before[two])
        for uid in (one, three):
            self.assertLess(highest, after[uid])
        self.assertEqual(dict(stored.modseqs), {one: after[one], three: after[three]})
        found = {each.uid: each.modseq for each in await folder.fetch([one, two, three])}
        self.assertEqual(found, after)

    @with_store
    async def test_a_store_that_changes_nothing_changes_no_modseq(self, store: Any) -> None:
        """Flags as they were, in any mode; nor those that were so among others that change."""
        _account, folder = await self.box(store, b"a", b"b")
        one, two = await uids(folder)
        await folder.store([one], ["\\Seen", "$Work"], 0)
        state, before = await folder.state(), await folder.rows([one], ("modseq",))
        for given, mode in ((["$WORK"], 1), (["\\Flagged", "$None"], -1), (["$Work", "\\seen"], 0)):
            stored = await folder.store([one], given, mode)
            self.assertEqual(sorted_flags(stored.flags), {one: ["$Work", "\\Seen"]})
            self.assertEqual(dict(stored.modseqs), dict(before))
        self.assertEqual((await folder.state()).modseq, state.modseq)
        await folder.store([one, two], ["\\Seen"], 1)
        self.assertEqual(await folder.rows([one], ("modseq",)), before)
        self.assertLess(state.modseq, (await folder.rows([two], ("modseq",)))[0][1])

    @with_store
    async def test_what_has_changed_since_is_left_alone(self, store: Any) -> None:
        """And named; the others are changed (RFC 7162 section 3.1.3)."""
        account, folder = await self.box(store, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        since = (await folder.state()).modseq
        other = await account.open("box", True)
        await other.store([two], ["$Theirs"], 1)
        between = dict(await folder.rows([two], ("modseq",)))
        stored = await folder.store([three, two, one], ["\\Seen"], 1, since)
        self.assertEqual(tuple(stored.unchanged), (two,))
        told = {one: ["\\Seen"], two: ["$Theirs"], three: ["\\Seen"]}
        self.assertEqual(sorted_flags(stored.flags), told)
        self.assertEqual(await flags(folder), list(told.values()))
        self.assertEqual(stored.modseqs[two], between[two])
        self.assertEqual(set(stored.modseqs), {one, two, three})
        self.assertLess(between[two], stored.modseqs[one])

    @with_store
    async def test_the_answer_of_a_store_is_good_for_the_next(self, store: Any) -> None:
        """A client goes on with the modification sequence that it was told."""
        _account, folder = await self.box(store, b"a")
        (one,) = await uids(folder)
        since = (await folder.state()).modseq
        for flag in ("$One", "$Two", "$Three"):
            stored = await folder.store([one], [flag], 1, since)
            self.assertEqual(tuple(stored.unchanged), ())
            self.assertLess(since, stored.modseqs[one])
            since = stored.modseqs[one]
        refused = await folder.store([one], [], 0, since - 1)
        self.assertEqual(tuple(refused.unchanged), (one,))
        self.assertEqual(await flags(folder), [["$One", "$Three", "$Two"]])

    @with_store
    async def test_nothing_is_unchanged_since_zero(self, store: Any) -> None:
        """Not even new messages; those that are gone are not named."""
        _account, folder = await self.box(store, b"a", b"b")
        one, two = await uids(folder)
        await remove(folder, one)
        state = await folder.state()
        stored = await folder.store([one, two], ["\\Seen"], 1, 0)
        self.assertEqual((tuple(stored.unchanged), dict(stored.flags)), ((two,), {two: ()}))
        self.assertEqual(await folder.state(), state)

    @with_store
    async def test_what_is_no_flag_is_refused_under_a_condition_too(self, store: Any) -> None:
        """Whether or not there is anything to be changed."""
        _account, folder = await self.box(store, b"a")
        there = await uids(folder)
        for since in (0, (await folder.state()).modseq):
            await self.refused(NotPossible, folder.store(there, ["\\Recent"], 1, since))
        self.assertEqual(await flags(folder), [[]])

    @with_stored(lambda self, store: self._change(store))
    async def test_modification_sequences_outlive_the_store(self, store: Any) -> None:
        """The next change has a higher one than that of a message that is gone."""
        account = await self.account(store)
        folder = await account.open("box", True)
        state = await folder.state()
        self.assertEqual(state.modseq, self.highest)
        self.assertEqual((await account.status("box")).modseq, self.highest)
        stored = await folder.store(state.uids, ["\\Flagged"], 1)
        self.assertLess(self.highest, stored.modseqs[state.uids[0]])

    async def _change(self, store: Any) -> None:
        _account, folder = await self.box(store, b"a", b"b")
        await remove(folder, (await uids(folder))[-1])
        self.highest = (await folder.state()).modseq
