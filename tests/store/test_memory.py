"""Accounts in memory, and what they share."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.errors import MailboxExists, NoSuchMailbox, NotPossible, OverQuota
from referrald.interfaces import IMailAccount, IMailFolder, IMailStore
from referrald.mailmodel import NewMessage
from referrald.store.memory import FIRST, SECOND, MemoryAccount, MemoryStore
from referrald.store.room import ACCOUNT_BYTES
from referrald.store.sharedaccount import SharedAccount
from tests.store.sharing import in_memory
from tests.store.support import now


class Accounts(SynchronousTestCase):
    def setUp(self) -> None:
        self.account = MemoryAccount("bob", clock=lambda: 5000.5)

    def names(self) -> list[str]:
        return [entry.name for entry in now(self.account.entries())]

    def put(self, name: str, *contents: bytes) -> tuple[int, ...]:
        new = [NewMessage(content=content) for content in contents]
        return now(self.account.append(name, new)).uids

    def test_everything_has_the_face_it_should(self) -> None:
        verifyObject(IMailStore, MemoryStore())
        verifyObject(IMailAccount, self.account)
        verifyObject(IMailFolder, now(self.account.open("INBOX", True)))

    def test_a_new_one_has_an_inbox_with_two_messages(self) -> None:
        self.assertEqual(self.names(), ["INBOX"])
        self.assertEqual(now(self.account.subscriptions()), {"INBOX"})
        inbox = now(self.account.open("INBOX", False))
        for uid, (subject, text) in enumerate((FIRST, SECOND), 1):
            content = now(inbox.content(uid)) or b""
            self.assertIn(f"Subject: {subject}\r\n".encode(), content)
            self.assertTrue(content.endswith(f"\r\n\r\n{text}\r\n".encode()))
            self.assertIn(b"Date: Thu, 01 Jan 1970 01:23:20 GMT\r\n", content)
        (one, _two) = now(inbox.fetch([1, 2]))
        self.assertEqual(one.received.isoformat(), "1970-01-01T01:23:20+00:00")

    def test_a_strange_user_makes_no_strange_message(self) -> None:
        inbox = now(MemoryAccount('al "ice"\r\nBcc: x').open("INBOX", False))
        content = now(inbox.content(1)) or b""
        self.assertIn(b"To: al__ice___Bcc__x <al__ice___Bcc__x@localhost>\r\n", content)

    def test_uidvalidity_goes_by_the_time_and_never_comes_again(self) -> None:
        seen = [now(self.account.status("INBOX")).uid_validity]
        self.assertEqual(seen, [5001])
        for _ in range(3):
            now(self.account.create("a"))
            seen.append(now(self.account.status("a")).uid_validity)
            now(self.account.rename("a", "b"))
            now(self.account.delete("b"))
        self.assertEqual(seen, sorted(set(seen)))

    def test_names_are_sorted_and_special_uses_spelled_as_usual(self) -> None:
        now(self.account.create("z", ["\\TRASH"]))
        now(self.account.create("a/b"))
        self.assertEqual(self.names(), ["INBOX", "a", "a/b", "z"])
        self.assertEqual(now(self.account.entries())[-1].attributes, ("\\Trash",))
        with self.assertRaises(NotPossible):
            now(self.account.create("y", ["\\Coffee"]))
        self.assertNotIn("y", self.names())

    def test_names_can_be_below_inbox(self) -> None:
        now(self.account.create("INBOX/a"))
        now(self.account.rename("INBOX", "INBOX/old"))
        self.assertEqual(self.names(), ["INBOX", "INBOX/a", "INBOX/old"])
        self.assertEqual(now(self.account.status("INBOX")).messages, 0)
        self.assertEqual(now(self.account.status("INBOX/old")).messages, 2)

    def test_a_mere_name_can_be_renamed_with_what_is_below(self) -> None:
        now(self.account.create("a/b"))
        now(self.account.delete("a"))
        now(self.account.rename("a", "c"))
        attributes = {e.name: e.attributes for e in now(self.account.entries())}
        self.assertEqual(attributes, {"INBOX": (), "c": ("\\Noselect",), "c/b": ()})
        with self.assertRaises(MailboxExists):
            now(self.account.rename("INBOX", "c"))

    def test_what_is_below_may_get_too_long_a_name(self) -> None:
        low = "/".join(["b" * 200] * 4)
        now(self.account.create(f"a/{low}"))
        before = now(self.account.entries())
        with self.assertRaises(NotPossible):
            now(self.account.rename("a", "x" * 250))
        self.assertEqual(now(self.account.entries()), before)

    def test_a_date_without_a_zone_is_taken_as_utc(self) -> None:
        new = NewMessage(content=b"x", received=datetime(2024, 1, 2, 3, 4, 5))
        (uid,) = now(self.account.append("INBOX", [new])).uids
        (found,) = now(now(self.account.open("INBOX", False)).fetch([uid]))
        self.assertEqual(found.received, datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC))

    def test_a_closed_folder_watches_no_more(self) -> None:
        folder, heard = now(self.account.open("INBOX", False)), []
        folder.watch(lambda: heard.append(1))
        self.put("INBOX", b"x")
        now(folder.close())
        self.put("INBOX", b"x")
        self.assertEqual(heard, [1])

    def test_everything_that_can_be_made_takes_room_and_gives_it_back(self) -> None:
        room = self.account._own.room
        for make, undo in (
            (lambda: self.account.create("a/b/c"), lambda: self.remove("a/b/c", "a/b", "a")),
            (lambda: self.account.subscribe("n" * 200), lambda: now(self.unsubscribe("n" * 200))),
        ):
            before = room.left
            now(make())
            self.assertLess(room.left, before - 200)
            undo()
            self.assertEqual(room.left, before)

    def remove(self, *names: str) -> None:
        for name in names:
            now(self.account.delete(name))

    async def unsubscribe(self, name: str) -> None:
        await self.account.unsubscribe(name)
        await self.account.unsubscribe(name)

    def test_a_full_account_takes_nothing_more(self) -> None:
        room = self.account._own.room
        now(self.account.create("a/b"))
        room.left = 1000
        entries = now(self.account.entries())
        for work in (
            self.account.create("x"),
            self.account.create("a/c"),
            self.account.subscribe("n" * 255),
            self.account.rename("a", "y/z"),
            self.account.rename("INBOX", "old"),
            self.account.append("a", [NewMessage(content=b"x" * 501)]),
        ):
            with self.assertRaises(OverQuota):
                now(work)
            self.assertEqual(room.left, 1000)
        self.assertEqual(now(self.account.entries()), entries)
        self.assertEqual(now(self.account.status("INBOX")).messages, 2)
        now(self.account.rename("a", "z"))
        self.assertEqual(room.left, 1000)


class Shared(SynchronousTestCase):
    """Public mailboxes that everybody may use."""

    def setUp(self) -> None:
        self.store = in_memory("lrswipkxte", clock=lambda: 5000.5)
        self.alice = now(self.store.account("alice"))
        self.bob = now(self.store.account("bob"))

    def names(self, account: SharedAccount) -> list[str]:
        return [entry.name for entry in now(account.entries())]

    def test_everyone_has_their_top_from_the_start(self) -> None:
        for account in (self.alice, self.bob):
            self.assertEqual(account.namespaces().shared, ("Public/",))
            self.assertEqual(self.names(account), ["INBOX", "Public"])
            self.assertEqual(now(account.status("Public")).messages, 0)
        self.assertEqual(now(self.bob.subscriptions()), {"INBOX"})

    def test_without_them_the_name_is_free(self) -> None:
        account = now(MemoryStore().account("bob"))
        self.assertEqual(account.namespaces().shared, ())
        now(account.create("Public/x"))
        self.assertEqual(self.names(account), ["INBOX", "Public", "Public/x"])

    def test_what_one_does_there_the_other_sees(self) -> None:
        now(self.alice.create("Public/news"))
        folder = now(self.bob.open("Public/news", True))
        heard: list[int] = []
        folder.watch(lambda: heard.append(1))
        now(self.alice.append("Public/news", [NewMessage(content=b"x")]))
        now(folder.store([1], ["\\Seen"], 1))
        self.assertEqual(heard, [1, 1])
        self.assertEqual(now(self.alice.status("Public/news")).unseen, 0)
        self.assertEqual(self.names(self.bob), ["INBOX", "Public", "Public/news"])
        now(folder.close())
        now(self.alice.append("Public/news", [NewMessage(content=b"x")]))
        self.assertEqual(heard, [1, 1])

    def test_their_room_is_their_own(self) -> None:
        (before,) = now(self.alice.quotas("INBOX"))
        now(self.alice.append("Public", [NewMessage(content=bytes(ACCOUNT_BYTES - 10_000))]))
        self.assertEqual(now(self.alice.quotas("INBOX")), [before])
        with self.assertRaises(OverQuota):
            now(self.bob.append("Public", [NewMessage(content=bytes(10_000))]))
        now(self.bob.append("INBOX", [NewMessage(content=bytes(10_000))]))
        (quota,) = now(self.bob.quotas("Public"))
        self.assertEqual((quota.root, now(self.bob.quota("Public"))), ("Public", quota))

    def test_messages_can_be_moved_into_them(self) -> None:
        inbox = now(self.alice.open("INBOX", True))
        now(inbox.move([1], "Public"))
        now(inbox.copy([2], "Public"))
        self.assertEqual(now(self.bob.status("Public")).messages, 2)
        self.assertEqual(now(inbox.state()).uids, (2,))

    def test_a_copy_for_which_there_is_no_room_leaves_nothing(self) -> None:
        room = now(self.store.kept.public())._own.room
        room.left = 2000
        inbox = now(self.alice.open("INBOX", True))
        now(self.alice.append("INBOX", [NewMessage(content=bytes(1900))]))
        for work in (inbox.copy, inbox.move):
            with self.assertRaises(OverQuota):
                now(work([1, 2, 3], "Public"))
            self.assertEqual(room.left, 2000)
        self.assertEqual(now(inbox.state()).uids, (1, 2, 3))
        self.assertEqual(now(self.bob.status("Public")).messages, 0)

    def test_a_mailbox_of_ones_own_cannot_hide_them(self) -> None:
        now(now(self.store.kept.account("bob")).create("Public/mine"))
        self.assertEqual(self.names(self.bob), ["INBOX", "Public"])
        with self.assertRaises(NoSuchMailbox):
            now(self.bob.open("Public/mine", False))


class Stores(SynchronousTestCase):
    def test_a_store_makes_each_account_once(self) -> None:
        store = MemoryStore()
        bob = now(store.account("bob"))
        self.assertIs(now(store.account("bob")), bob)
        self.assertIsNot(now(store.account("Bob")), bob)
