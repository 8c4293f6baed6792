"""The suite for mail stores, on messages: bytes, dates, flags, UIDs, copies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from referrald.errors import NoPermission, NoSuchMailbox, NotPossible, OverQuota
from referrald.mailmodel import NewMessage
from referrald.testing.storecase import (
    StoreCase,
    contents,
    flags,
    put,
    remove,
    sorted_flags,
    uids,
    with_store,
    with_stored,
)

CONTENTS = (
    b"", b"x", b"\r\n", b"Subject: a\r\n\r\nb\r\n", b"Subject: a\r\n\r\nno end of line",
    b"From here\r\n>From there\r\n.\r\n..\r\n", b"bare \n and \r ends\r\r\n", bytes(range(1, 256)),
    b"\xff\xfe\x00", "S: \u00fc\r\n\r\n\U0001f600".encode(), b"x" * 100_000, b"dup", b"dup",
)  # fmt: skip
"""Messages that must come back as they are."""

DATES = (
    datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7))),
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2040, 12, 31, 12, 0, tzinfo=timezone(timedelta(hours=14))),
)
"""Dates that must come back as they are, with their zones."""


class MessagesContract(StoreCase):
    """Messages in a mailbox."""

    @with_store
    async def test_bytes_come_back_as_they_are(self, store: Any) -> None:
        """Whatever they are; the size is theirs."""
        account, folder = await self.box(store)
        placed = await put(account, "box", *CONTENTS)
        self.assertEqual([await folder.content(uid) for uid in placed.uids], list(CONTENTS))
        found = await folder.fetch(placed.uids)
        self.assertEqual([message.size for message in found], [len(text) for text in CONTENTS])

    @with_store
    async def test_dates_come_back_with_their_zones(self, store: Any) -> None:
        """The same second, and the same offset from UTC; copies have them too."""
        account, folder = await self.box(store)
        new = [NewMessage(content=b"x", received=date) for date in DATES]
        placed = await account.append("box", new)
        copied = await folder.copy(placed.uids, "box")
        for given in (placed.uids, copied.uids):
            found = [message.received for message in await folder.fetch(given)]
            self.assertEqual(found, list(DATES))
            zones = [date.utcoffset() for date in found]
            self.assertEqual(zones, [date.utcoffset() for date in DATES])

    @with_store
    async def test_without_a_date_a_message_has_that_of_now(self, store: Any) -> None:
        """With a zone."""
        _account, folder = await self.box(store, b"x")
        (found,) = await folder.fetch(await uids(folder))
        self.assertTrue(found.received.utcoffset() is not None)

    @with_store
    async def test_uids_ascend_and_are_told(self, store: Any) -> None:
        """APPENDUID, SELECT and STATUS agree (RFC 4315)."""
        account, folder = await self.box(store)
        before = await folder.state()
        first, second = await put(account, "box", b"a", b"b"), await put(account, "box", b"c")
        after = await folder.state()
        self.assertEqual(tuple(after.uids), first.uids + second.uids)
        self.assertEqual(sorted(set(after.uids)), list(after.uids))
        self.assertTrue(before.uid_next <= after.uids[0] and after.uids[-1] < after.uid_next)
        status = await account.status("box")
        self.assertEqual(status.uid_next, after.uid_next)
        self.assertEqual(
            {before.uid_validity, first.uid_validity, second.uid_validity, status.uid_validity},
            {after.uid_validity},
        )

    @with_store
    async def test_appending_nothing_changes_nothing(self, store: Any) -> None:
        """It is no error either."""
        account, folder = await self.box(store, b"x")
        before = await folder.state()
        self.assertEqual((await account.append("box", [])).uids, ())
        self.assertEqual(await folder.state(), before)

    @with_store
    async def test_a_bad_message_among_many_leaves_nothing(self, store: Any) -> None:
        """All of them, or none."""
        account, folder = await self.box(store, b"x")
        before = (await folder.state()).uids
        new = [NewMessage(content=b"a", flags=given) for given in ((), ("\\Recent",), ())]
        await self.refused(NotPossible, account.append("box", new))
        self.assertEqual((await folder.state()).uids, before)

    @with_store
    async def test_a_message_too_many_leaves_nothing(self, store: Any) -> None:
        """There is room for others then as before."""
        size = self.too_much
        if size is None:
            self.skipTest("too_much is not given")
            raise AssertionError  # Not reached: `skipTest` raises.
        account, folder = await self.box(store)
        new = [NewMessage(content=text) for text in (b"a", bytes(size), b"b")]
        await self.refused(OverQuota, account.append("box", new))
        self.assertEqual(await uids(folder), [])
        await put(account, "box", b"c")
        self.assertEqual(await contents(folder), [b"c"])

    @with_store
    async def test_a_flag_has_one_spelling_in_a_mailbox(self, store: Any) -> None:
        """System flags the usual one, keywords that in which they came first."""
        account, folder = await self.box(store)
        await put(account, "box", b"a", flags=("\\SEEN", "$Work", "$WORK"))
        await put(account, "box", b"b", flags=("$wORK", "\\answered"))
        self.assertEqual(await flags(folder), [["$Work", "\\Seen"], ["$Work", "\\Answered"]])
        await folder.store(await uids(folder), ["$work", "\\sEEn"], -1)
        self.assertEqual(await flags(folder), [[], ["\\Answered"]])

    @with_store
    async def test_flags_are_added_removed_and_set(self, store: Any) -> None:
        """The answer has the flags of all messages, changed or not."""
        _account, folder = await self.box(store, b"a", b"b")
        one, two = await uids(folder)
        await folder.store([one], ["\\Seen", "$A"], 1)
        found = (await folder.store([two, one], ["\\Seen"], 1)).flags
        self.assertEqual(sorted_flags(found), {one: ["$A", "\\Seen"], two: ["\\Seen"]})
        gone = await folder.store([one], ["\\Seen"], -1)
        self.assertEqual(sorted_flags(gone.flags), {one: ["$A"]})
        found = (await folder.store([one, two], ["\\Draft"], 0)).flags
        self.assertEqual(sorted_flags(found), {one: ["\\Draft"], two: ["\\Draft"]})
        self.assertEqual(sorted_flags((await folder.store([one], [], 0)).flags), {one: []})
        self.assertEqual(await flags(folder), [[], ["\\Draft"]])

    @with_store
    async def test_what_is_no_flag_is_refused(self, store: Any) -> None:
        """Nothing of that request is done."""
        _account, folder = await self.box(store, b"a")
        for given in ("\\Recent", "\\recent", "", "a b", "a\r\nb", "\u00e4", "\\"):
            for mode in (1, 0):
                work = folder.store(await uids(folder), ["\\Seen", given], mode)
                await self.refused(NotPossible, work)
        self.assertEqual(await flags(folder), [[]])

    @with_store
    async def test_keywords_are_told_at_selection(self, store: Any) -> None:
        """System flags always, keywords once they are in use, in ``flags`` and ``permanent``."""
        _account, folder = await self.box(store, b"a")
        await folder.store(await uids(folder), ["$New"], 1)
        state = await folder.state()
        for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$New"):
            self.assertIn(flag, state.flags)
            self.assertIn(flag, state.permanent)
        self.assertTrue(set(state.permanent) <= {*state.flags, "\\*"})

    @with_store
    async def test_what_is_gone_is_passed_over(self, store: Any) -> None:
        """In FETCH, STORE, COPY and MOVE; each message comes once, by UID ascending."""
        account, folder = await self.box(store, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        await remove(folder, two)
        asked = [three, 4_000_000, two, one, three]
        self.assertEqual([found.uid for found in await folder.fetch(asked)], [one, three])
        self.assertIsNone(await folder.content(two))
        stored = await folder.store(asked, ["\\Seen"], 1)
        self.assertEqual(set(stored.flags), {one, three})
        await account.create("target")
        self.assertEqual((await folder.copy(asked, "target")).sources, (one, three))
        self.assertEqual((await folder.move([two], "target")).sources, ())
        self.assertEqual((await account.status("target")).messages, 2)

    @with_store
    async def test_counts_are_right(self, store: Any) -> None:
        """STATUS, and the first unseen message of SELECT."""
        account, folder = await self.box(store, b"a", b"bb", b"ccc")
        one, two, three = await uids(folder)
        self.assertEqual((await folder.state()).first_unseen, one)
        await folder.store([one], ["\\Seen"], 1)
        await folder.store([three], ["\\Deleted"], 1)
        status = await account.status("box")
        found = (status.messages, status.unseen, status.deleted, status.size)
        self.assertEqual(found, (3, 2, 1, 6))
        self.assertEqual((await folder.state()).first_unseen, two)
        await folder.store([two, three], ["\\Seen"], 1)
        self.assertIsNone((await folder.state()).first_unseen)

    @with_store
    async def test_only_marked_messages_are_expunged(self, store: Any) -> None:
        """Of all, or of those named (RFC 4315 section 2.1)."""
        _account, folder = await self.box(store, b"a", b"b", b"c", b"d")
        one, two, three, four = await uids(folder)
        await folder.store([one, three, four], ["\\Deleted"], 1)
        self.assertEqual(list(await folder.expunge([two, three])), [three])
        self.assertEqual(await uids(folder), [one, two, four])
        self.assertEqual(sorted(await folder.expunge()), [one, four])
        self.assertEqual(list(await folder.expunge()), [])
        self.assertEqual(await contents(folder), [b"b"])

    @with_store
    async def test_uids_are_never_used_again(self, store: Any) -> None:
        """Not even those of the last messages."""
        account, folder = await self.box(store, b"a", b"b")
        state = await folder.state()
        await remove(folder, *state.uids)
        placed = await put(account, "box", b"c")
        self.assertTrue(placed.uids[0] >= state.uid_next, placed)
        self.assertEqual(placed.uid_validity, state.uid_validity)

    @with_store
    async def test_a_folder_for_reading_changes_nothing(self, store: Any) -> None:
        """One can copy out of it all the same."""
        account, folder = await self.box(store, b"a")
        await folder.store(await uids(folder), ["\\Deleted"], 1)
        await account.create("target")
        reading = await account.open("box", False)
        self.assertEqual(reading.writable, False)
        before = await reading.state()
        there = before.uids
        await self.refused(NoPermission, reading.store(there, ["\\Seen"], 1))
        await self.refused(NoPermission, reading.expunge())
        await self.refused(NoPermission, reading.expunge(there))
        await self.refused(NoPermission, reading.move(there, "target"))
        self.assertEqual(await reading.state(), before)
        self.assertEqual((await account.status("target")).messages, 0)
        await reading.copy(before.uids, "target")
        self.assertEqual((await account.status("target")).messages, 1)

    @with_store
    async def test_a_copy_is_like_its_original(self, store: Any) -> None:
        """Bytes and flags; the answer tells both UIDs (RFC 4315)."""
        account, folder = await self.box(store, b"a", b"b")
        one, two = await uids(folder)
        await folder.store([two], ["\\Seen", "$Work"], 1)
        await account.create("target")
        placed = await folder.copy([two, one], "target")
        target = await account.open("target", True)
        state = await target.state()
        self.assertEqual(
            (placed.uids, placed.uid_validity), (tuple(state.uids), state.uid_validity)
        )
        self.assertEqual(placed.sources, (one, two))
        self.assertEqual(await contents(target), [b"a", b"b"])
        self.assertEqual(await flags(target), [[], ["$Work", "\\Seen"]])
        await target.store(placed.uids, ["\\Draft"], 0)
        self.assertEqual(await flags(folder), [[], ["$Work", "\\Seen"]])

    @with_store
    async def test_a_copy_into_the_same_mailbox_is_another_message(self, store: Any) -> None:
        """It has a UID of its own."""
        _account, folder = await self.box(store, b"a")
        (one,) = await uids(folder)
        placed = await folder.copy([one], "box")
        self.assertEqual(await uids(folder), [one, *placed.uids])
        self.assertEqual(await contents(folder), [b"a", b"a"])

    @with_store
    async def test_a_move_leaves_nothing_behind(self, store: Any) -> None:
        """Marked or not (RFC 6851)."""
        account, folder = await self.box(store, b"a", b"b", b"c")
        one, two, three = await uids(folder)
        await folder.store([two], ["\\Flagged"], 1)
        await account.create("target")
        placed = await folder.move([three, two], "target")
        target = await account.open("target", True)
        self.assertEqual((placed.sources, placed.uids), ((two, three), tuple(await uids(target))))
        self.assertEqual(await contents(target), [b"b", b"c"])
        self.assertEqual(await flags(target), [["\\Flagged"], []])
        self.assertEqual(await uids(folder), [one])

    @with_store
    async def test_a_move_into_the_same_mailbox_gives_new_uids(self, store: Any) -> None:
        """The message is there once, as the last."""
        _account, folder = await self.box(store, b"a", b"b")
        one, two = await uids(folder)
        placed = await folder.move([one], "box")
        self.assertEqual(await uids(folder), [two, *placed.uids])
        self.assertLess(two, placed.uids[0])
        self.assertEqual(await contents(folder), [b"b", b"a"])

    @with_store
    async def test_a_move_to_nowhere_leaves_everything(self, store: Any) -> None:
        """The target has to be there."""
        _account, folder = await self.box(store, b"a", b"b")
        before = await folder.state()
        await self.refused(NoSuchMailbox, folder.move(before.uids, "none"))
        self.assertEqual(await folder.state(), before)

    @with_store
    async def test_a_message_in_a_shared_mailbox_is_there_for_all(self, store: Any) -> None:
        """Wherever the store lets a user put one."""
        one, other = await self.account(store), await self.account(store, 1)
        tops = [prefix[:-1] for prefix in one.namespaces().shared]
        for name in tops:
            try:
                placed = await put(one, name, b"for all")
            except (NoPermission, NoSuchMailbox):
                continue
            folder = await other.open(name, False)
            self.assertEqual(await folder.content(placed.uids[0]), b"for all")
            return
        self.skipTest("there is no shared mailbox into which the user can put anything")

    @with_stored(lambda self, store: self._fill_box(store))
    async def test_messages_outlive_the_store(self, store: Any) -> None:
        """With UIDs, flags, dates and the UID of the next message."""
        account = await self.account(store)
        folder = await account.open("box", True)
        state = await folder.state()
        kept = self.state
        self.assertEqual(
            (state.uid_validity, state.uid_next, state.uids),
            (kept.uid_validity, kept.uid_next, kept.uids),
        )
        self.assertEqual(await contents(folder), [b"b"])
        self.assertEqual(await flags(folder), [["$Work", "\\Seen"]])
        (found,) = await folder.fetch(state.uids)
        self.assertEqual((found.received, found.received.utcoffset()), self.date)

    async def _fill_box(self, store: Any) -> None:
        account, folder = await self.box(store, b"a")
        given = ("$Work", "\\Seen")
        new = [NewMessage(content=text, flags=given, received=DATES[0]) for text in (b"b", b"c")]
        placed = await account.append("box", new)
        await remove(folder, *(uid for uid in await uids(folder) if uid != placed.uids[0]))
        self.state = await folder.state()
        self.date = DATES[0], DATES[0].utcoffset()
