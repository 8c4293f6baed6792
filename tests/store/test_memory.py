"""Accounts in memory."""

from __future__ import annotations

from twisted.mail.imap4 import IAccount, INamespacePresenter, MailboxCollision, NoSuchMailbox
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.store.memory import MemoryAccount, MemoryStore


class Accounts(SynchronousTestCase):
    def setUp(self) -> None:
        self.account = MemoryAccount("bob", clock=lambda: 5000.5)

    def names(self) -> list[str]:
        return [name for name, _ in self.account.listMailboxes("", "*")]

    def test_it_has_twisteds_face(self) -> None:
        verifyObject(IAccount, self.account)
        verifyObject(INamespacePresenter, self.account)

    def test_a_new_one_has_an_inbox_with_two_messages(self) -> None:
        self.assertEqual(self.names(), ["INBOX"])
        self.assertEqual(self.account.mailboxes["INBOX"].getMessageCount(), 2)
        self.assertTrue(self.account.isSubscribed("INBOX"))

    def test_uidvalidity_goes_by_the_time_and_never_comes_again(self) -> None:
        validity = self.account.mailboxes["INBOX"].getUIDValidity()
        self.assertEqual(validity, 5001)
        self.account.create("a")
        self.account.delete("a")
        self.account.create("a")
        self.assertEqual(self.account.mailboxes["a"].getUIDValidity(), validity + 2)

    def test_levels_above_are_made_with_a_mailbox(self) -> None:
        self.account.create("a/b/c/")
        self.assertEqual(self.names(), ["INBOX", "a", "a/b", "a/b/c"])
        self.assertRaises(MailboxCollision, self.account.create, "a/b")
        self.assertRaises(MailboxCollision, self.account.create, "/")

    def test_what_is_below_moves_along_and_stays_behind_a_deletion(self) -> None:
        self.account.create("a/b")
        self.account.rename("a", "x/y")
        self.assertEqual(self.names(), ["INBOX", "x", "x/y", "x/y/b"])
        self.account.delete("x")
        self.assertEqual(self.names(), ["INBOX", "x/y", "x/y/b"])
        self.assertRaises(NoSuchMailbox, self.account.delete, "x")
        self.assertRaises(NoSuchMailbox, self.account.rename, "x", "z")
        self.assertRaises(MailboxCollision, self.account.rename, "x/y", "INBOX")

    def test_all_mailboxes_share_the_room(self) -> None:
        self.account.create("a")
        self.assertIs(self.account.mailboxes["a"].room, self.account.mailboxes["INBOX"].room)

    def test_a_store_makes_each_account_once(self) -> None:
        store = MemoryStore()
        self.assertIs(store.account("bob"), store.account("bob"))
        self.assertIsNot(store.account("bob"), store.account('al "ice"\r\n'))
