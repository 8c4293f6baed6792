"""The contract suite for mail stores, on the store in memory; and that it can fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from referrald.mailmodel import Changes, MailboxEntry, Stored
from referrald.store.folder import MemoryFolder
from referrald.store.mailbox import Draft, Mailbox
from referrald.store.memory import MemoryStore
from referrald.store.room import ACCOUNT_BYTES
from referrald.store.tree import Tree
from referrald.testing import MailStoreContract


class Memory(MailStoreContract, TestCase):
    too_much = ACCOUNT_BYTES

    def make_store(self) -> MemoryStore:
        return MemoryStore()


class MemoryWithPublic(Memory):
    def make_store(self) -> MemoryStore:
        return MemoryStore("Public")


class MemorySeenAgain(Memory):
    """Its data are the store itself: a second look must find whatever there was."""

    users = ("with space", "o'brien@example.com")

    def reopen(self, store: MemoryStore) -> MemoryStore:
        return store


async def as_coroutine(store: MemoryStore) -> MemoryStore:
    return store


class MemoryLater(Memory):
    """Making one may take time."""

    def make_store(self) -> Any:
        return as_coroutine(MemoryStore())


class TheSuiteItself(TestCase):
    """Each fault is patched into the store; the test that is there for it has to fail."""

    def caught(self, test: str) -> None:
        case = Memory(test)
        self.failureResultOf(getattr(case, test)(), self.failureException)

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
