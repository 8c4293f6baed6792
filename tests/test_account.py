"""Accounts over the memory store and routing that a test can steer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from referrald.account import (
    SPLIT,
    MailboxRefused,
    ReferralAccount,
    refusal,
)
from referrald.errors import (
    MailboxInUse,
    MailboxReferral,
    NoSuchMailbox,
    NotPossible,
    Unavailable,
)
from referrald.imapurl import mailbox_referral
from referrald.interfaces import IReferralAccount
from referrald.mailmodel import (
    MailboxDecision,
    MailboxLocation,
    ReferMailbox,
    RemoteMailbox,
    Replica,
)
from referrald.model import Refuse, Serve, Server
from referrald.store.memory import MemoryAccount
from tests.proves import proves

OWN = Server(host="here.example")


def url(host: str, name: str) -> str:
    """Give the URL of a mailbox of bob's."""
    return mailbox_referral(host, 143, "bob", name)


class Places:
    """Routing by a dict: names, and what is below them, and on which hosts they are."""

    def __init__(self, **hosts: Sequence[str]) -> None:
        self.hosts = hosts
        self.refused: dict[str, Refuse] = {}
        self.held: Deferred[None] | None = None
        self.personal = False
        self.asked: list[str] = []
        self.watchers: list[Callable[[], None]] = []

    def where(self, name: str) -> Sequence[str]:
        parts = name.split("/")
        above = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
        return next((self.hosts[each] for each in above if each in self.hosts), ())

    async def locate(self, user: str, name: str) -> MailboxDecision:
        self.asked.append(name)
        if self.held is not None:
            await self.held
        if name in self.refused:
            return self.refused[name]
        hosts = self.where(name)
        if not hosts:
            return Serve()
        return ReferMailbox(
            urls=tuple(url(host, name) for host in hosts),
            replicas=tuple(Replica(server=Server(host=host), name=name) for host in hosts),
            personal=self.personal,
        )

    async def remote(self, user: str) -> tuple[RemoteMailbox, ...]:
        return tuple(
            RemoteMailbox(
                name=name,
                location=MailboxLocation(
                    replicas=tuple(Replica(server=Server(host=h), name=name) for h in hosts)
                ),
                subtree=True,
            )
            for name, hosts in sorted(self.hosts.items())
        )

    async def here(self, user: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if not self.where(name)]

    def watch(self, user: str, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)


class Accounts(SynchronousTestCase):
    def setUp(self) -> None:
        self.local = MemoryAccount("bob")
        self.places = Places(Far=("a.example",), Sent=("b.example", "c.example"))
        self.account = ReferralAccount("bob", self.local, self.places, OWN)
        for name in ("Work", "Work/Old", "Far"):
            self.done(self.local.create(name))

    def done(self, work: Awaitable[Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))  # type: ignore[arg-type]

    def failed(self, work: Awaitable[Any], kind: type[BaseException]) -> Any:
        started: Any = Deferred.fromCoroutine(work)  # type: ignore[arg-type]
        return self.failureResultOf(started, kind).value

    def names(self) -> list[str]:
        """Name what is in the store, leftovers among it."""
        return [entry.name for entry in self.done(self.local.entries())]

    def urls(self, work: Awaitable[Any]) -> tuple[str, ...]:
        error = self.failed(work, MailboxReferral)
        found: tuple[str, ...] = error.urls
        return found


class Referring(Accounts):
    def test_it_is_what_a_session_works_on(self) -> None:
        verifyObject(IReferralAccount, self.account)

    @proves("M4")
    def test_every_operation_on_a_remote_name_refers_and_does_nothing(self) -> None:
        before = self.names(), self.done(self.local.subscriptions())
        for work in (
            self.account.open("Far", True),
            self.account.status("Far/Below"),
            self.account.create("Far"),
            self.account.delete("Far"),
            self.account.subscribe("Far"),
            self.account.unsubscribe("Far"),
        ):
            (only,) = self.urls(work)
            self.assertTrue(only.startswith("imap://bob;AUTH=*@a.example"), only)
        self.assertEqual((self.names(), self.done(self.local.subscriptions())), before)

    def test_all_replicas_are_named_in_their_order(self) -> None:
        wanted = (url("b.example", "Sent"), url("c.example", "Sent"))
        self.assertEqual(self.urls(self.account.open("Sent", False)), wanted)

    def test_whether_all_mail_is_elsewhere_is_told_along(self) -> None:
        self.places.personal = True
        self.assertTrue(self.failed(self.account.status("Far"), MailboxReferral).personal)

    def test_local_names_are_served_by_the_store(self) -> None:
        self.done(self.account.create("New", ("\\Archive",)))
        self.assertIn("New", self.names())
        self.done(self.account.subscribe("New"))
        self.assertIn("New", self.done(self.account.subscriptions()))
        self.done(self.account.unsubscribe("New"))
        self.assertNotIn("New", self.done(self.account.subscriptions()))
        self.assertEqual(self.done(self.account.status("INBOX")).messages, 2)
        folder = self.done(self.account.open("INBOX", True))
        self.assertEqual(len(self.done(folder.state()).uids), 2)
        self.assertEqual(folder.name, "INBOX")
        self.done(self.account.delete("New"))
        self.failed(self.account.open("New", True), NoSuchMailbox)

    def test_leftovers_of_what_has_moved_are_not_among_the_names(self) -> None:
        self.assertIn("Far", self.names())
        listed = [entry.name for entry in self.done(self.account.entries())]
        self.assertEqual(listed, ["INBOX", "Work", "Work/Old"])

    def test_what_is_here_below_something_remote_is_told_as_an_exception(self) -> None:
        self.places.hosts["Far/Own"] = ()
        listed = {entry.name: entry.location.here for entry in self.done(self.account.remote())}
        self.assertEqual(listed, {"Far": False, "Far/Own": True, "Sent": False})

    def test_a_subscription_kept_here_can_be_forgotten_wherever_the_mailbox_is(self) -> None:
        self.done(self.local.subscribe("Far"))
        self.done(self.account.forget("Far"))
        self.assertEqual(self.done(self.account.subscriptions()), frozenset({"INBOX"}))
        self.assertEqual(self.places.asked, [])

    def test_a_local_mailbox_is_deleted_whatever_is_below_it(self) -> None:
        self.places.hosts["Work/Team"] = ("a.example",)
        self.done(self.account.delete("Work/Old"))
        self.assertNotIn("Work/Old", self.names())

    def test_watching_is_left_to_routing(self) -> None:
        told: list[int] = []
        end = self.account.watch(lambda: told.append(1))
        self.places.watchers[0]()
        end()
        self.assertEqual((told, self.places.watchers), ([1], []))

    def test_without_routing_everything_is_here(self) -> None:
        account = ReferralAccount("bob", self.local, None, OWN)
        self.assertEqual(self.done(account.locate("Far")), Serve())
        self.assertEqual(len(self.done(account.entries())), 4)
        self.assertEqual(self.done(account.remote()), ())
        self.done(account.rename("Work", "Sent"))
        self.assertIn("Sent/Old", self.names())
        account.watch(lambda: None)()


class Refusing(Accounts):
    def refuse(self, code: str | None) -> Any:
        self.places.refused["Work"] = Refuse(code=code, text="Not now.", cause="the disk is full")
        return self.failed(self.account.open("Work", True), Exception)

    def test_a_refusal_keeps_code_and_text_and_gives_the_log_the_cause(self) -> None:
        for code, kind in (
            ("INUSE", MailboxInUse),
            ("UNAVAILABLE", Unavailable),
            ("LIMIT", MailboxRefused),
            (None, MailboxRefused),
        ):
            error = self.refuse(code)
            self.assertIs(type(error), kind)
            self.assertEqual((error.code, error.public), (code, "Not now."))
            self.assertEqual(str(error), "the disk is full")

    def test_one_refusal_does_not_change_another(self) -> None:
        errors = [refusal(Refuse(code=code, text="No.")) for code in ("LIMIT", "CANNOT")]
        self.assertEqual([error.code for error in errors], ["LIMIT", "CANNOT"])

    def test_a_rename_is_refused_when_either_name_is(self) -> None:
        self.refuse("INUSE")
        self.failed(self.account.rename("Work", "Sent"), MailboxInUse)
        self.failed(self.account.rename("Sent", "Work"), MailboxInUse)


class Renaming(Accounts):
    @proves("M7")
    def test_two_remote_names_give_a_pair(self) -> None:
        self.places.hosts["Else"] = ("d.example",)
        pair = self.urls(self.account.rename("Far/x", "Else/y"))
        self.assertEqual(pair, (url("a.example", "Far/x"), url("d.example", "Else/y")))

    @proves("M7")
    def test_a_server_that_has_both_is_named_for_both(self) -> None:
        self.places.hosts["Else"] = ("x.example", "c.example")
        pair = self.urls(self.account.rename("Sent", "Else"))
        self.assertEqual(pair, (url("c.example", "Sent"), url("c.example", "Else")))

    @proves("M7")
    def test_a_name_that_is_here_gets_a_url_of_this_server(self) -> None:
        pair = self.urls(self.account.rename("Work", "Far/Work"))
        self.assertEqual(pair, (url("here.example", "Work"), url("a.example", "Far/Work")))
        pair = self.urls(self.account.rename("Far/Work", "Home"))
        self.assertEqual(pair, (url("a.example", "Far/Work"), url("here.example", "Home")))
        self.assertIn("Work", self.names())

    def test_decisions_without_replicas_still_give_a_pair(self) -> None:
        async def locate(user: str, name: str) -> MailboxDecision:
            return ReferMailbox(urls=(url("z.example", name),))

        self.places.locate = locate  # type: ignore[method-assign]
        pair = self.urls(self.account.rename("One", "Two"))
        self.assertEqual(pair, (url("z.example", "One"), url("z.example", "Two")))

    def test_a_server_that_no_url_can_name_says_that_it_cannot(self) -> None:
        account = ReferralAccount("bob", self.local, self.places, Server(host="::1"))
        error = self.failed(account.rename("Work", "Far/Work"), NotPossible)
        self.assertEqual(error.public, "One of these mailboxes is on another server.")

    def test_it_is_personal_only_when_all_that_is_remote_is(self) -> None:
        self.places.personal = True
        self.assertTrue(self.failed(self.account.rename("Far", "Work"), MailboxReferral).personal)

    def test_local_mailboxes_move_with_all_that_is_below(self) -> None:
        self.done(self.account.rename("Work", "Job"))
        self.assertEqual(self.names(), ["Far", "INBOX", "Job", "Job/Old"])

    def test_nothing_is_renamed_when_a_mailbox_below_is_elsewhere(self) -> None:
        self.places.hosts["Work/Team"] = ("a.example",)
        error = self.failed(self.account.rename("Work", "Job"), NotPossible)
        self.assertEqual(error.public, SPLIT)
        self.assertIn("Work/Old", self.names())

    def test_nothing_is_renamed_when_a_mailbox_below_would_be_elsewhere(self) -> None:
        self.places.hosts["Job/Old"] = ("a.example",)
        error = self.failed(self.account.rename("Work", "Job"), NotPossible)
        self.assertEqual(error.public, SPLIT)

    def test_what_is_below_the_inbox_does_not_matter(self) -> None:
        self.places.hosts["INBOX/Team"] = ("a.example",)
        self.done(self.account.rename("INBOX", "Saved"))
        self.assertEqual(self.done(self.account.status("Saved")).messages, 2)
