"""The contract suite for mail stores, on the store in memory; and that it can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from referrald.errors import NoPermission, NoSuchMailbox, OverQuota
from referrald.interfaces import IQuotas, IRights
from referrald.mailmodel import (
    COMMON_FIELDS,
    Changes,
    Column,
    MailboxEntry,
    Quota,
    Stored,
)
from referrald.store import describing, tree
from referrald.store import folder as folders
from referrald.store.contents import MemoryContent, MemoryIncoming
from referrald.store.folder import MemoryFolder
from referrald.store.mailbox import Draft, Mailbox, Message
from referrald.store.memory import MemoryAccount, MemoryStore
from referrald.store.room import ACCOUNT_BYTES, Room
from referrald.store.tree import Tree
from referrald.testing import MailStoreContract


class Memory(MailStoreContract, TestCase):
    too_much = ACCOUNT_BYTES

    def make_store(self) -> MemoryStore:
        return MemoryStore()


class MemorySeenAgain(Memory):
    """Its data are the store itself: a second look must find whatever there was."""

    users = ("with space", "o'brien@example.com")

    def reopen(self, store: MemoryStore) -> MemoryStore:
        return store

    def second_store(self, store: MemoryStore) -> MemoryStore:
        return store


class Apart(Memory):
    """Two stores that have nothing to do with each other."""

    __test__ = False

    def second_store(self, store: MemoryStore) -> MemoryStore:
        return MemoryStore()


@implementer(IQuotas, IRights)
class Limited(MemoryAccount):
    """An account that tells of its quota and of rights."""

    shift = 0
    letters = "lrswipkxte"

    async def quotas(self, name: str) -> Sequence[Quota]:
        used = ACCOUNT_BYTES - self._own.room.left
        count = sum([(await self.status(entry.name)).messages for entry in await self.entries()])
        return [
            Quota(root="all", storage=(used + self.shift, ACCOUNT_BYTES), messages=(count, None))
        ]

    async def quota(self, root: str) -> Quota | None:
        return (await self.quotas(""))[0] if root == "all" else None

    async def rights(self, name: str) -> str:
        return self.letters

    async def acl(self, name: str) -> Mapping[str, str]:
        if "a" not in self.letters:
            raise NoPermission(name)
        return {"alice": self.letters}


class Generous(MemoryStore):
    """A store whose accounts have quotas and rights."""

    async def account(self, user: str) -> MemoryAccount:
        return self._accounts.setdefault(user, Limited(user))


class MemoryWithQuotas(Memory):
    def make_store(self) -> MemoryStore:
        return Generous()


class MemoryWithAcl(MemoryWithQuotas):
    def setUp(self) -> None:
        self.patch(Limited, "letters", "lrswipkxtea")


async def as_coroutine(store: MemoryStore) -> MemoryStore:
    return store


class MemoryLater(Memory):
    """Making one may take time."""

    def make_store(self) -> Any:
        return as_coroutine(MemoryStore())


class TheSuiteItself(TestCase):
    """Each fault is patched into the store; the test that is there for it has to fail."""

    def caught(
        self, test: str, kind: type[Memory] = Memory, error: type[Exception] | None = None
    ) -> None:
        case = kind(test)
        self.failureResultOf(getattr(case, test)(), error or self.failureException)

    def test_it_notices_uids_that_are_used_again(self) -> None:
        add = Mailbox.add

        def reusing(box: Mailbox, drafts: Sequence[Draft]) -> tuple[int, ...]:
            box._uid_next = max(box._messages, default=0) + 1
            return add(box, drafts)

        self.patch(Mailbox, "add", reusing)
        self.caught("test_uids_are_never_used_again")

    def test_it_notices_a_uidvalidity_that_comes_again(self) -> None:
        self.patch(Tree, "_next_validity", lambda _tree: 1)
        self.caught("test_a_deleted_mailbox_is_gone_and_can_be_made_anew")
        self.caught("test_a_mere_name_can_be_made_a_mailbox_again")
        self.caught("test_a_name_freed_by_a_rename_gets_a_new_mailbox")

    def test_it_notices_users_who_share_their_mail(self) -> None:
        account = MemoryStore.account

        async def same(store: MemoryStore, user: str) -> Any:
            return await account(store, "everybody")

        self.patch(MemoryStore, "account", same)
        self.caught("test_two_users_do_not_see_each_other")

    def test_it_notices_half_an_append(self) -> None:
        add = Mailbox.add

        def one_by_one(box: Mailbox, drafts: Sequence[Draft]) -> tuple[int, ...]:
            return tuple(uid for draft in drafts for uid in add(box, [draft]))

        self.patch(Mailbox, "add", one_by_one)
        self.caught("test_a_bad_message_among_many_leaves_nothing")
        self.caught("test_a_message_too_many_leaves_nothing")

    def test_it_notices_a_folder_that_outlives_its_mailbox(self) -> None:
        self.patch(MemoryFolder, "_here", lambda folder, change=False: folder._mailbox)
        self.caught("test_a_deleted_mailbox_ends_its_folders")
        self.caught("test_a_deleted_mailbox_whose_name_stays_ends_its_folders")
        self.caught("test_a_rename_ends_folders_under_the_old_names")
        self.caught("test_a_folder_for_reading_changes_nothing")

    def test_it_notices_changes_that_are_kept_back(self) -> None:
        self.patch(Mailbox, "changes", lambda box, _since: Changes(modseq=box.modseq))
        self.caught("test_new_messages_are_told")
        self.caught("test_changed_flags_are_told")
        self.caught("test_messages_that_are_gone_are_told")

    def test_it_notices_a_list_that_hides_what_is_special(self) -> None:
        entries = Tree.entries

        def bare(tree: Tree) -> list[MailboxEntry]:
            return [MailboxEntry(name=entry.name) for entry in entries(tree)]

        self.patch(Tree, "entries", bare)
        self.caught("test_what_is_below_a_deleted_mailbox_stays")
        self.caught("test_a_mailbox_can_be_made_for_a_use")

    def test_it_notices_changed_bytes(self) -> None:
        async def content(folder: MemoryFolder, uid: int) -> bytes:
            (message,) = folder._mailbox.pick([uid])
            return message.content.replace(b"\r\n", b"\n")

        self.patch(MemoryFolder, "content", content)
        self.caught("test_bytes_come_back_as_they_are")

    def test_it_notices_an_answer_without_the_unchanged(self) -> None:
        async def store(
            folder: MemoryFolder, uids: Sequence[int], flags: Sequence[str], mode: int
        ) -> Stored:
            folder._mailbox.store(folder._mailbox.pick(uids), flags, mode)
            return Stored(flags={})

        self.patch(MemoryFolder, "store", store)
        self.caught("test_flags_are_added_removed_and_set")

    def test_it_notices_a_condition_that_nobody_keeps_to(self) -> None:
        store = MemoryFolder.store

        async def always(
            folder: MemoryFolder,
            uids: Sequence[int],
            flags: Sequence[str],
            mode: int,
            unchanged_since: int | None = None,
        ) -> Stored:
            return await store(folder, uids, flags, mode)

        self.patch(MemoryFolder, "store", always)
        self.caught("test_what_has_changed_since_is_left_alone")
        self.caught("test_the_answer_of_a_store_is_good_for_the_next")
        self.caught("test_nothing_is_unchanged_since_zero")
        self.caught("test_a_condition_counts_what_the_other_has_changed", MemorySeenAgain)

    def test_it_notices_modification_sequences_that_grow_for_nothing(self) -> None:
        store = Mailbox.store

        def always(box: Mailbox, messages: Sequence[Message], *rest: Any) -> bool:
            store(box, messages, *rest)
            box.modseq += 1
            for message in messages:
                message.modseq = box.modseq
            return True

        self.patch(Mailbox, "store", always)
        self.caught("test_a_store_that_changes_nothing_changes_no_modseq")

    def test_it_notices_modification_sequences_that_stand_still(self) -> None:
        drop = Mailbox._drop

        def quiet(box: Mailbox, messages: Sequence[Message]) -> None:
            drop(box, messages)
            box.modseq -= bool(messages)

        self.patch(Mailbox, "_drop", quiet)
        self.caught("test_the_state_has_the_highest_of_all")
        self.caught("test_messages_that_go_without_more_are_told")

    def test_it_notices_a_status_of_its_own_mind(self) -> None:
        status = Mailbox.status
        self.patch(Mailbox, "status", lambda box: evolve(status(box), modseq=0, deleted_size=0))
        self.caught("test_the_state_has_the_highest_of_all")
        self.caught("test_many_mailboxes_are_counted_at_once")

    def test_it_notices_changes_of_what_nobody_has_seen(self) -> None:
        def all_gone(box: Mailbox, since: int) -> tuple[int, ...]:
            return tuple(sorted(uid for when, _added, uid in box._gone if when > since))

        self.patch(Mailbox, "_gone_since", all_gone)
        self.caught("test_what_has_come_and_gone_is_in_nothing_that_is_told")

    def test_it_notices_new_messages_that_are_told_twice(self) -> None:
        self.patch(Mailbox, "_arrived_since", lambda box, _since: tuple(box._messages))
        self.caught("test_many_changes_add_up")
        self.caught("test_new_messages_are_told")

    def test_it_notices_rows_in_disorder(self) -> None:
        pick = Mailbox.pick
        self.patch(Mailbox, "pick", lambda box, uids: [m for u in uids for m in pick(box, [u])])
        self.caught("test_rows_come_once_each_by_uid_and_pass_over_what_is_gone")
        self.caught("test_what_is_gone_is_passed_over")

    def test_it_notices_columns_in_the_wrong_place(self) -> None:
        rows = MemoryFolder.rows

        async def sorted_rows(
            folder: MemoryFolder, uids: Sequence[int], columns: Sequence[Column]
        ) -> Sequence[Any]:
            return await rows(folder, uids, sorted(columns))

        self.patch(MemoryFolder, "rows", sorted_rows)
        self.caught("test_columns_come_in_the_order_asked_for")

    def test_it_notices_a_structure_that_is_not_that_of_the_content(self) -> None:
        self.patch(describing, "envelope", lambda message: b"()")
        self.caught("test_rows_have_what_the_content_says")

    def test_it_notices_fields_that_are_left_out(self) -> None:
        self.patch(describing, "COMMON_FIELDS", COMMON_FIELDS - {b"list-id"})
        self.caught("test_rows_have_what_the_content_says")

    def test_it_notices_dates_without_their_zones(self) -> None:
        plain = describing.date_time
        self.patch(folders, "date_time", lambda when: plain(when.astimezone(UTC)))
        self.caught("test_rows_have_dates_ready_to_be_sent")

    def test_it_notices_a_reader_that_loses_its_message(self) -> None:
        class Later(MemoryContent):
            def __init__(self, folder: MemoryFolder, uid: int, data: bytes) -> None:
                super().__init__(data)
                self.folder, self.uid = folder, uid

            async def read(self, start: int, length: int) -> bytes:
                return (await self.folder.content(self.uid) or b"")[start : start + length]

        async def read(folder: MemoryFolder, uid: int) -> MemoryContent | None:
            content = await folder.content(uid)
            return None if content is None else Later(folder, uid, content)

        self.patch(MemoryFolder, "read", read)
        self.caught("test_what_is_being_read_stays_readable", error=NoSuchMailbox)

    def test_it_notices_messages_that_arrive_more_than_once(self) -> None:
        self.patch(MemoryIncoming, "discard", lambda incoming: None)
        self.caught("test_what_is_discarded_is_nowhere")
        self.caught("test_what_is_used_up_cannot_be_used_again")
        self.caught("test_one_that_is_refused_leaves_none")
        leaving = "test_messages_that_arrive_and_go_leave_the_room_they_found"
        self.caught(leaving, error=OverQuota)

    def test_it_notices_an_arrival_without_limits(self) -> None:
        async def write(incoming: MemoryIncoming, data: bytes) -> None:
            assert incoming._data is not None
            incoming._data += data

        self.patch(MemoryIncoming, "write", write)
        self.caught("test_more_than_was_announced_is_refused")
        self.patch(Room, "take", lambda room, size: None)
        self.caught("test_a_size_for_which_there_is_no_room_is_refused_at_once")
        self.caught("test_a_message_may_not_be_longer_than_the_limit")

    def test_it_notices_a_rename_of_what_only_begins_so(self) -> None:
        self.patch(tree, "is_below", lambda name, top: name != top and name.startswith(top))
        self.caught("test_a_rename_touches_neither_the_like_nor_subscriptions", error=NoSuchMailbox)
        self.caught("test_a_rename_takes_along_what_is_below")

    def test_it_notices_a_rename_that_leaves_inferiors(self) -> None:
        rename = Tree.rename

        def alone(box: Tree, old: str, new: str) -> list[Mailbox]:
            self.patch(tree, "is_below", lambda name, top: False)
            return rename(box, old, new)

        self.patch(Tree, "rename", alone)
        self.caught("test_a_rename_takes_along_what_is_below", error=NoSuchMailbox)
        self.caught("test_a_mere_name_is_renamed_with_what_is_below", error=NoSuchMailbox)

    def test_it_notices_two_stores_that_do_not_see_each_other(self) -> None:
        self.caught("test_each_sees_what_the_other_appends", Apart, NoSuchMailbox)
        self.caught("test_each_sees_the_mailboxes_that_the_other_makes", Apart)

    def test_it_notices_a_quota_that_does_not_count(self) -> None:
        account = self.successResultOf(Deferred.fromCoroutine(Generous().account("alice")))

        async def nothing(limited: Limited, name: str) -> Sequence[Quota]:
            limited.shift += 1
            return [Quota(root="all", storage=(limited.shift, 10), messages=(0, None))]

        self.assertIsInstance(account, Limited)
        self.patch(Limited, "quotas", nothing)
        self.caught("test_messages_are_counted_in_and_out", MemoryWithQuotas)
        self.caught("test_a_quota_root_can_be_asked_for_by_its_name", MemoryWithQuotas)

    def test_it_notices_rights_that_nobody_has(self) -> None:
        self.patch(Limited, "letters", "lrswzz")
        self.caught("test_rights_are_the_letters_of_the_rfc", MemoryWithQuotas)
        self.patch(Limited, "letters", "lrsw")
        self.caught("test_rights_are_what_a_user_can_do", MemoryWithQuotas)
