"""The suite for mail stores, on what a folder hears of the changes that others make."""

from __future__ import annotations

from typing import Any

from referrald.errors import NoSuchMailbox
from referrald.testing.storecase import (
    StoreCase,
    applied,
    once,
    path,
    put,
    remove,
    sorted_flags,
    uids,
    with_store,
)


class ChangesContract(StoreCase):
    """What a folder hears of the changes that others make."""

    @with_store
    async def test_without_changes_there_is_nothing_to_tell(self, store: Any) -> None:
        """Reading is no change."""
        account, folder = await self.box(store, b"a")
        state = await folder.state()
        await folder.fetch(state.uids)
        await folder.content(state.uids[0])
        await account.status("box")
        found = await folder.changes(state.modseq)
        self.assertEqual((applied(state.uids, found), dict(found.flags)), (list(state.uids), {}))
        self.assertEqual(found.modseq, state.modseq)

    @with_store
    async def test_new_messages_are_told(self, store: Any) -> None:
        """Their flags are not: they are not known yet, so they have not changed."""
        account, folder = await self.box(store, b"a")
        state = await folder.state()
        placed = await put(account, "box", b"b", b"c", flags=("\\Flagged",))
        other = await account.open("box", True)
        await other.store(placed.uids, ["\\Seen"], 1)
        found = await folder.changes(state.modseq)
        after = [*state.uids, *placed.uids]
        self.assertEqual((applied(state.uids, found), dict(found.flags)), (after, {}))
        again = await folder.changes(found.modseq)
        self.assertEqual((applied(after, again), again.modseq), (after, found.modseq))

    @with_store
    async def test_changed_flags_are_told(self, store: Any) -> None:
        """Those of messages that have changed, and nothing of who is there."""
        account, folder = await self.box(store, b"a", b"b", b"c")
        state = await folder.state()
        one, _two, three = state.uids
        other = await account.open("box", True)
        await other.store([one], ["\\Seen"], 1)
        middle = await folder.changes(state.modseq)
        await other.store([one, three], ["$Work"], 1)
        found = await folder.changes(state.modseq)
        told = sorted_flags(found.flags)
        self.assertEqual(told, {one: ["$Work", "\\Seen"], three: ["$Work"]})
        for each in (middle, found):
            self.assertEqual(applied(state.uids, each), list(state.uids))
        self.assertEqual(sorted_flags(middle.flags), {one: ["\\Seen"]})
        self.assertEqual(set((await folder.changes(middle.modseq)).flags), {one, three})
        self.assertEqual(dict((await folder.changes(found.modseq)).flags), {})

    @with_store
    async def test_a_change_of_nothing_is_not_told(self, store: Any) -> None:
        """Neither flags that were so before, nor an expunge without marked messages."""
        _account, folder = await self.box(store, b"a")
        await folder.store(await uids(folder), ["\\Seen"], 1)
        state = await folder.state()
        await folder.store(state.uids, ["\\Seen"], 1)
        await folder.expunge()
        found = await folder.changes(state.modseq)
        self.assertEqual((applied(state.uids, found), dict(found.flags)), (list(state.uids), {}))

    @with_store
    async def test_changed_flags_come_with_their_modification_sequences(self, store: Any) -> None:
        """Those that FETCH gives (RFC 7162), of the same messages."""
        _account, folder = await self.box(store, b"a", b"b")
        state = await folder.state()
        await folder.store(state.uids[:1], ["\\Seen"], 1)
        await folder.store(state.uids, ["$Work"], 1)
        found = await folder.changes(state.modseq)
        rows = await folder.rows(state.uids, ("modseq",))
        self.assertEqual(dict(found.modseqs), dict(rows))
        self.assertEqual(set(found.modseqs), set(found.flags))
        self.assertLessEqual(max(found.modseqs.values()), found.modseq)

    @with_store
    async def test_what_has_come_and_gone_is_in_nothing_that_is_told(self, store: Any) -> None:
        """Nobody has seen it; the others are told as ever."""
        account, folder = await self.box(store, b"a", b"b")
        state = await folder.state()
        one, two = state.uids
        brief = await put(account, "box", b"c")
        lasting = await put(account, "box", b"d")
        await remove(folder, one, *brief.uids)
        found = await folder.changes(state.modseq)
        self.assertEqual(applied(state.uids, found), [two, *lasting.uids])
        self.assertTrue({*found.arrived, *found.gone, *found.flags}.isdisjoint(brief.uids))

    @with_store
    async def test_many_changes_add_up(self, store: Any) -> None:
        """From any state that there was on the way to the last one."""
        account, folder = await self.box(store, b"a", b"b", b"c")
        states = [await folder.state()]
        for number in range(8):
            await put(account, "box", b"new")
            states.append(await folder.state())
            await remove(folder, states[-1].uids[number % 3])
            states.append(await folder.state())
        for state in states:
            found = await folder.changes(state.modseq)
            self.assertEqual(applied(state.uids, found), list(states[-1].uids))
            self.assertEqual(found.modseq, states[-1].modseq)
            for told in (found.arrived, found.gone, found.uids or ()):
                self.assertEqual(list(told), sorted(set(told)))

    @with_store
    async def test_messages_that_are_gone_are_told(self, store: Any) -> None:
        """The others are named; flags of those that are gone are not."""
        account, folder = await self.box(store, b"a", b"b", b"c")
        state = await folder.state()
        one, two, three = state.uids
        other = await account.open("box", True)
        await remove(other, two)
        found = await folder.changes(state.modseq)
        left = applied(state.uids, found)
        self.assertEqual((left, dict(found.flags)), ([one, three], {}))
        await remove(other, one, three)
        self.assertEqual(applied(left, await folder.changes(found.modseq)), [])
        self.assertEqual(applied(state.uids, await folder.changes(state.modseq)), [])

    @with_store
    async def test_messages_that_go_without_more_are_told(self, store: Any) -> None:
        """An EXPUNGE is a change of its own, after that of the flags."""
        _account, folder = await self.box(store, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        await folder.store([one, three], ["\\Deleted"], 1)
        state = await folder.state()
        self.assertEqual(list(await folder.expunge([three, two])), [three])
        found = await folder.changes(state.modseq)
        self.assertEqual((applied(state.uids, found), dict(found.flags)), ([one, two], {}))
        self.assertLess(state.modseq, found.modseq)

    @with_store
    async def test_a_move_is_told_on_both_sides(self, store: Any) -> None:
        """What was there is gone, what was not has come."""
        account, folder = await self.box(store, b"a", b"b")
        await account.create("target")
        target = await account.open("target", False)
        before, there = await folder.state(), await target.state()
        heard = [once(folder), once(target)]
        placed = await folder.move(before.uids[:1], "target")
        for told in heard:
            await told
        here = applied(before.uids, await folder.changes(before.modseq))
        self.assertEqual(here, list(before.uids[1:]))
        self.assertEqual(applied([], await target.changes(there.modseq)), list(placed.uids))

    @with_store
    async def test_a_watcher_hears_of_every_kind_of_change(self, store: Any) -> None:
        """The change is done by then."""
        account, folder = await self.box(store, b"a")
        other = await (await self.account(store)).open("box", True)
        (one,) = await uids(folder)
        for change in (
            lambda: put(account, "box", b"b"),
            lambda: other.store([one], ["\\Deleted"], 1),
            lambda: other.copy([one], "box"),
            lambda: other.expunge([one]),
        ):
            state, told = await folder.state(), once(folder)
            await change()
            await told
            found = await folder.changes(state.modseq)
            self.assertTrue(applied(state.uids, found) != list(state.uids) or found.flags)
            self.assertLess(state.modseq, found.modseq)

    @with_store
    async def test_who_has_ended_a_watch_hears_nothing_more(self, store: Any) -> None:
        """Others still do; ending twice does no harm."""
        account, folder = await self.box(store)
        ended: list[str] = []
        end = folder.watch(lambda: ended.append("told"))
        told = once(folder)
        end()
        end()
        await put(account, "box", b"a")
        await told
        self.assertEqual(ended, [])

    @with_store
    async def test_a_watcher_that_fails_harms_nobody(self, store: Any) -> None:
        """The change is made, the others hear of it, the fault is logged."""
        account, folder = await self.box(store)

        def fail() -> None:
            raise ZeroDivisionError

        end = folder.watch(fail)
        told = once(folder)
        await put(account, "box", b"a")
        await told
        self.assertEqual(len(await uids(folder)), 1)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        end()

    @with_store
    async def test_a_deleted_mailbox_ends_its_folders(self, store: Any) -> None:
        """They hear of it, and do not come to life again with a mailbox of that name."""
        account, folder = await self.box(store, b"a")
        modseq, told = (await folder.state()).modseq, once(folder)
        await account.delete("box")
        await told
        await self.refused(NoSuchMailbox, folder.changes(modseq))
        await account.create("box")
        await put(account, "box", b"b")
        await self.refused(NoSuchMailbox, folder.changes(modseq))
        await folder.close()

    @with_store
    async def test_a_deleted_mailbox_whose_name_stays_ends_its_folders(self, store: Any) -> None:
        """That there are others below it changes nothing."""
        account, folder = await self.box(store, b"a")
        modseq, told = (await folder.state()).modseq, once(folder)
        await account.create(path(account, "box", "low"))
        await account.delete("box")
        await told
        await self.refused(NoSuchMailbox, folder.changes(modseq))
        await folder.close()

    @with_store
    async def test_a_rename_ends_folders_under_the_old_names(self, store: Any) -> None:
        """Of the mailbox and of those below it; under the new name all is well."""
        account, folder = await self.box(store, b"a")
        low = path(account, "box", "low")
        await account.create(low)
        folders = [folder, await account.open(low, True)]
        states = [await each.state() for each in folders]
        heard = [once(each) for each in folders]
        await account.rename("box", "chest")
        for each, state, told in zip(folders, states, heard, strict=True):
            await told
            await self.refused(NoSuchMailbox, each.changes(state.modseq))
        new = await account.open("chest", True)
        self.assertEqual(await uids(new), list(states[0].uids))
