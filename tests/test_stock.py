"""An account under Twisted's own server, which has no word for a referral."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.mail.imap4 import (
    IAccount,
    INamespacePresenter,
    MailboxCollision,
    MailboxException,
)
from twisted.mail.imap4 import NoSuchMailbox as TwistedNoSuchMailbox
from zope.interface.verify import verifyObject

from referrald.errors import (
    MailboxReferral,
    Unavailable,
)
from referrald.interfaces import IReferralAccount
from referrald.model import Refuse
from referrald.stock import NOT_DONE, NOT_YET, TwistedAccount
from tests.test_account import Accounts


class ForStockServers(Accounts):
    def setUp(self) -> None:
        super().setUp()
        self.stock = TwistedAccount(self.account)

    def listed(self, ref: str, wildcard: str) -> list[str]:
        return [name for name, _ in self.successResultOf(self.stock.listMailboxes(ref, wildcard))]

    def refused(self, call: Callable[..., Any], *arguments: Any) -> str:
        with self.assertRaises(MailboxException) as raised:
            call(*arguments)
        self.assertNotIn("imap:", repr(raised.exception))
        return str(raised.exception)

    def test_it_is_what_twisted_asks_for(self) -> None:
        verifyObject(IAccount, self.stock)
        verifyObject(INamespacePresenter, self.stock)
        self.assertIsInstance(IAccount(self.account), TwistedAccount)
        self.assertIsNone(IReferralAccount(self.stock, None))

    def test_local_names_match_and_remote_ones_are_not_there(self) -> None:
        self.assertEqual(self.listed("", "*"), ["INBOX", "Work", "Work/Old"])
        self.assertEqual(self.listed("", "%"), ["INBOX", "Work"])
        self.assertEqual(self.listed("Work/", "%"), ["Work/Old"])
        self.assertEqual(self.listed("", "Work"), ["Work"])
        self.assertEqual(self.listed("", "inbox"), ["INBOX"])
        self.assertEqual(self.listed("", "Far"), [])

    def test_the_flags_of_a_listed_mailbox_are_its_attributes(self) -> None:
        self.done(self.local.create("Kept", ("\\Archive",)))
        ((_, info),) = self.successResultOf(self.stock.listMailboxes("", "Kept"))
        self.assertEqual(info.getFlags(), ("\\Archive",))
        self.assertEqual(info.getHierarchicalDelimiter(), "/")

    def test_a_remote_mailbox_cannot_be_selected(self) -> None:
        self.assertIsNone(self.successResultOf(self.stock.select("Far", 1)))
        self.assertIsNone(self.successResultOf(self.stock.select("Nowhere", 0)))
        failure = self.failureResultOf(self.stock.select("Far"), MailboxException)
        self.assertEqual(str(failure.value), MailboxReferral.public)

    def test_what_is_down_is_not_taken_for_missing(self) -> None:
        self.places.refused["Work"] = Refuse(code="UNAVAILABLE", text="Later.", cause="db")
        failure = self.failureResultOf(self.stock.select("Work", 1), MailboxException)
        self.assertEqual(str(failure.value), "Later.")

    def test_what_nobody_listens_to_is_closed_at_the_next_opportunity(self) -> None:
        kept, left = (self.successResultOf(self.stock.select("Work", 1)) for _ in range(2))
        self.successResultOf(self.stock.select("INBOX", 0))
        for box in (kept, left):
            assert box is not None
            self.failureResultOf(box.expunge(), MailboxException)

    def test_a_selected_mailbox_stays_open_until_the_connection_ends(self) -> None:
        box = self.successResultOf(self.stock.select("Work", 1))
        assert box is not None
        box.addListener(self)
        self.successResultOf(self.stock.select("INBOX", 0))
        self.assertEqual(self.successResultOf(box.expunge()), [])
        self.stock.close()
        self.failureResultOf(box.expunge(), MailboxException)

    def test_commands_are_carried_out_at_once(self) -> None:
        self.assertTrue(self.stock.create("New"))
        self.assertTrue(self.stock.subscribe("New"))
        self.assertTrue(self.stock.isSubscribed("New"))
        self.assertTrue(self.stock.unsubscribe("New"))
        self.assertFalse(self.stock.isSubscribed("New"))
        self.assertTrue(self.stock.rename("New", "Newer"))
        self.assertTrue(self.stock.delete("Newer"))
        self.assertTrue(self.stock.isSubscribed("inbox"))

    def test_a_remote_name_is_refused_without_its_url(self) -> None:
        before = self.names()
        for call, arguments in (
            (self.stock.create, ("Far/x",)),
            (self.stock.delete, ("Far",)),
            (self.stock.rename, ("Work", "Far/x")),
            (self.stock.subscribe, ("Far",)),
        ):
            self.assertEqual(self.refused(call, *arguments), MailboxReferral.public)
        self.assertEqual(self.names(), before)

    def test_errors_are_those_of_twisted_without_the_name(self) -> None:
        with self.assertRaises(MailboxCollision) as there:
            self.stock.create("Work")
        with self.assertRaises(TwistedNoSuchMailbox) as missing:
            self.stock.delete("No\r\nW\u00f6rk")
        for raised in (there, missing):
            self.assertTrue(str(raised.exception).isascii())
            self.assertNotIn("ork", str(raised.exception))
        self.assertIn("Not possible", self.refused(self.stock.addMailbox, "x"))

    def test_what_is_not_known_at_once_is_not_done_later(self) -> None:
        self.places.held = held = Deferred()
        for call, arguments in (
            (self.stock.create, ("New",)),
            (self.stock.delete, ("Work",)),
            (self.stock.rename, ("Work", "Job")),
            (self.stock.subscribe, ("Work",)),
        ):
            self.assertEqual(self.refused(call, *arguments), NOT_YET)
        before = self.names(), self.done(self.local.subscriptions())
        self.places.held = None
        held.callback(None)
        self.assertEqual((self.names(), self.done(self.local.subscriptions())), before)
        self.assertTrue(self.stock.create("New"))

    def test_a_lookup_that_fails_too_late_bothers_nobody(self) -> None:
        self.places.held = held = Deferred()
        self.refused(self.stock.create, "New")
        held.errback(Unavailable("db"))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_store_that_takes_its_time_is_not_taken_for_done(self) -> None:
        async def slow(name: str, special_use: Sequence[str] = ()) -> None:
            await Deferred()

        self.local.create = slow  # type: ignore[method-assign]
        self.assertEqual(self.refused(self.stock.create, "New"), NOT_DONE)

    def test_a_subscription_is_taken_back_wherever_the_mailbox_is(self) -> None:
        self.done(self.local.subscribe("Far"))
        self.assertTrue(self.stock.unsubscribe("Far"))
        self.assertFalse(self.stock.isSubscribed("Far"))

    def test_a_fault_is_logged_and_nothing_of_it_told(self) -> None:
        async def broken(name: str, special_use: Sequence[str] = ()) -> None:
            raise ZeroDivisionError("secret detail")

        self.local.create = broken  # type: ignore[method-assign]
        self.assertNotIn("secret", self.refused(self.stock.create, "New"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_namespaces_are_told(self) -> None:
        self.assertEqual(self.stock.getPersonalNamespaces(), [[b"", b"/"]])
        self.assertIsNone(self.stock.getSharedNamespaces())
        self.assertIsNone(self.stock.getUserNamespaces())
