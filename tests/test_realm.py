"""The realms, under a session of ours and under Twisted's own IMAP4Server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.mail.imap4 import IAccount, IMAP4Server
from twisted.trial.unittest import SynchronousTestCase

from docs.examples import stock_server
from referrald.account import ReferralAccount
from referrald.errors import (
    LoginReferral,
    MailboxReferral,
    NoSuchMailbox,
    ReferraldError,
    Unavailable,
)
from referrald.interfaces import IReferralAccount
from referrald.mailmodel import MailboxLocation, NewMessage, Replica
from referrald.model import Home, Server
from referrald.realm import LoginRefused, MailRealm, ReferralRealm
from referrald.routing.directory import Directory
from referrald.routing.locations import Locations
from referrald.routing.mailboxes import MailboxRouter, MailboxRouting
from referrald.routing.policy import PolicySettings
from referrald.stock import TwistedAccount
from referrald.store.memory import MemoryStore
from referrald.testing import MemoryBackend
from tests.proves import proves
from tests.session.support import Decisions, House

URL = "imap://alice;AUTH=*@home.example/"
MAIL = b"Subject: one\r\nFrom: a@b.example\r\n\r\nHello\r\n"


def at_once(steps: Iterable[Any]) -> Deferred[None]:
    """Go through what a stock server does step by step in the reactor."""

    async def go() -> None:
        for step in steps:
            if step is not None:
                await step

    return Deferred.fromCoroutine(go())


class StockServers(SynchronousTestCase):
    """Twisted's own server on a transport in memory."""

    transport: StringTransport
    server: Any

    def connect(self, server: Any) -> None:
        self.server = server
        server._scheduler = at_once
        self.transport = StringTransport()
        self.server.makeConnection(self.transport)
        self.addCleanup(self.server.setTimeout, None)
        self.transport.clear()

    def say(self, line: bytes) -> bytes:
        """Say a line, and give what is answered."""
        self.transport.clear()
        self.server.dataReceived(line + b"\r\n")
        while self.transport.producer is not None:
            self.transport.producer.resumeProducing()
        answer: bytes = self.transport.value()
        return answer


class Realms(StockServers):
    def setUp(self) -> None:
        self.realm = ReferralRealm(Decisions(), MailRealm(MemoryStore()))

    def test_a_user_who_lives_here_gets_the_local_account(self) -> None:
        interface, account, logout = self.successResultOf(
            self.realm.requestAvatar(b"bob", None, IAccount)
        )
        self.assertIs(interface, IAccount)
        self.assertIsNotNone(self.successResultOf(account.select("INBOX")))
        logout()

    def test_a_user_who_lives_elsewhere_gets_a_referral(self) -> None:
        failed = self.realm.requestAvatar("alice", None, IAccount)
        failure = self.failureResultOf(failed, LoginReferral)
        self.assertEqual(failure.value.urls, (URL,))

    def test_a_refusal_is_an_error_that_keeps_its_cause_from_the_client(self) -> None:
        failure = self.failureResultOf(self.realm.requestAvatar("dave", None, IAccount))
        failure.trap(LoginRefused)
        self.assertNotIn("backend", failure.value.public)

    def test_under_twisteds_own_server_a_referral_is_a_plain_no(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret", bob=b"secret")
        server: Any = IMAP4Server()  # type: ignore[no-untyped-call]
        server.portal = Portal(self.realm, [checker])
        self.connect(server)
        self.assertEqual(self.say(b"a LOGIN alice secret"), b"a NO LOGIN failed\r\n")
        self.assertIn(b"b OK", self.say(b"b LOGIN bob secret"))

    @proves("L3")
    def test_under_a_session_of_ours_it_reaches_the_client(self) -> None:
        client = House(router=None, realm=self.realm).connect()
        client.read()
        (answer,) = client.ask(b"a LOGIN alice secret")
        self.assertTrue(answer.startswith(f"a NO [REFERRAL {URL}] ".encode()), answer)


class Avatars(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        self.realm = MailRealm(self.store)

    def test_who_can_refer_gets_an_account_that_does(self) -> None:
        asked = self.realm.requestAvatar("bob", None, IReferralAccount, IAccount)
        interface, account, logout = self.successResultOf(asked)
        self.assertIs(interface, IReferralAccount)
        self.assertIsInstance(account, ReferralAccount)
        logout()

    def test_anyone_else_gets_one_that_cannot(self) -> None:
        asked = self.realm.requestAvatar(b"bob", None, IAccount)
        interface, account, _ = self.successResultOf(asked)
        self.assertIs(interface, IAccount)
        self.assertIsInstance(account, TwistedAccount)
        self.assertEqual(account.account.user, "bob")

    def test_other_interfaces_are_not_known(self) -> None:
        self.failureResultOf(self.realm.requestAvatar("bob", None), NotImplementedError)

    def test_a_store_that_is_down_keeps_everybody_out(self) -> None:
        async def account(user: str) -> Any:
            raise Unavailable("the disk is gone")

        self.store.account = account  # type: ignore[method-assign]
        self.failureResultOf(self.realm.requestAvatar("bob", None, IAccount), Unavailable)


class Example(StockServers):
    """The program of the docs."""

    def setUp(self) -> None:
        factory = stock_server.StockFactory(Clock())
        realm: Any = factory.portal.realm
        self.realm = realm
        self.connect(factory.buildProtocol(None))
        self.assertIn(b"a OK", self.say(b"a LOGIN alice secret"))

    def answered(self, line: bytes, status: bytes) -> bytes:
        """Say a line; the answer has this status and gives away no place."""
        answer = self.say(b"a " + line)
        self.assertIn(b"a " + status + b" ", answer)
        for secret in (b"REFERRAL", b"imap://", b"archive.example"):
            self.assertNotIn(secret, answer)
        return answer

    def test_it_listens_where_it_is_told(self) -> None:
        reactor = MemoryReactorClock()
        self.assertNoResult(stock_server.main(reactor, "tcp:1143:interface=127.0.0.1"))
        self.assertEqual(reactor.tcpServers[0][0], 1143)

    def test_a_local_mailbox_can_be_read_and_changed(self) -> None:
        answer = self.answered(b"SELECT INBOX", b"OK")
        self.assertIn(b"* 2 EXISTS", answer)
        self.assertIn(b"[READ-WRITE]", answer)
        answer = self.answered(b"UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)", b"OK")
        self.assertEqual(answer.count(b" FETCH ("), 2)
        self.assertIn(b"BODY[] {", self.answered(b"FETCH 1 BODY[]", b"OK"))
        self.assertIn(b"Welcome home", self.answered(b"FETCH 1 ENVELOPE", b"OK"))
        self.assertIn(b'"text" "plain"', self.answered(b"FETCH 1 BODYSTRUCTURE", b"OK"))
        answer = self.answered(b"STORE 1:2 +FLAGS (\\Deleted)", b"OK")
        self.assertEqual(answer.count(b"FETCH (FLAGS (\\Deleted))"), 2)
        self.assertEqual(self.answered(b"STORE 1 -FLAGS.SILENT (\\Deleted)", b"OK").count(b"*"), 0)
        self.assertIn(b"* 2 EXPUNGE\r\na OK", self.answered(b"EXPUNGE", b"OK"))
        self.answered(b"CLOSE", b"OK")

    def test_names_here_are_listed_and_no_others(self) -> None:
        self.answered(b"CREATE Work/Old", b"OK")
        answer = self.answered(b'LIST "" "*"', b"OK")
        self.assertIn(b'"Work/Old"', answer)
        self.assertNotIn(b"Archive", answer)
        self.assertIn(b'* LSUB () "/" "INBOX"', self.answered(b'LSUB "" "*"', b"OK"))

    def test_mailboxes_are_made_named_and_removed(self) -> None:
        self.answered(b"CREATE Work", b"OK")
        self.answered(b"CREATE Work", b"NO")
        self.answered(b"RENAME Work Job", b"OK")
        self.answered(b"SUBSCRIBE Job", b"OK")
        self.assertIn(b'"Job"', self.answered(b'LSUB "" "*"', b"OK"))
        self.answered(b"UNSUBSCRIBE Job", b"OK")
        self.answered(b"DELETE Job", b"OK")
        self.answered(b"DELETE Job", b"NO")
        self.assertIn(b"NAMESPACE", self.answered(b"NAMESPACE", b"OK"))

    def test_status_and_append_and_copy_work(self) -> None:
        self.answered(b"CREATE Work", b"OK")
        self.say(b"a APPEND Work (\\Seen) {%d}" % len(MAIL))
        self.assertIn(b"a OK", self.say(MAIL))
        self.answered(b"SELECT INBOX", b"OK")
        self.answered(b"COPY 1:2 Work", b"OK")
        answer = self.answered(b"STATUS Work (MESSAGES UNSEEN)", b"OK")
        self.assertIn(b"(MESSAGES 3 UNSEEN 2)", answer)
        self.assertIn(b"FETCH", self.answered(b"FETCH 1 FLAGS", b"OK"))

    def test_another_session_is_heard_of(self) -> None:
        self.answered(b"SELECT INBOX", b"OK")
        self.transport.clear()
        account = self.successResultOf(Deferred.fromCoroutine(self.realm.store.account("alice")))
        new = NewMessage(content=MAIL)
        self.successResultOf(Deferred.fromCoroutine(account.append("INBOX", [new])))
        self.assertEqual(self.transport.value(), b"* 3 EXISTS\r\n")

    def test_a_remote_mailbox_gets_a_plain_answer_and_the_connection_goes_on(self) -> None:
        for line in (
            b"SELECT Archive",
            b"EXAMINE Archive/2020",
            b"STATUS Archive (MESSAGES)",
            b"CREATE Archive/New",
            b"DELETE Archive",
            b"RENAME Archive/2020 Mine",
            b"SUBSCRIBE Archive",
        ):
            self.answered(line, b"NO")
        self.answered(b"SELECT INBOX", b"OK")
        self.answered(b"COPY 1 Archive", b"BAD")
        self.answered(b"RENAME INBOX Archive/Old", b"NO")
        self.assertIn(b"a OK", self.say(b"a NOOP"))

    def test_nothing_remote_can_be_appended_to(self) -> None:
        self.say(b"a APPEND Archive (\\Seen) {%d}" % len(MAIL))
        self.assertIn(b"a BAD", self.say(MAIL))
        self.flushLoggedErrors()
        self.assertIn(b"a OK", self.say(b"a NOOP"))

    @proves("M7")
    def test_the_same_realm_refers_those_who_can(self) -> None:
        asked = self.realm.requestAvatar("alice", None, IReferralAccount)
        _, account, _ = self.successResultOf(asked)
        work = Deferred.fromCoroutine(account.rename("Mine", "Archive/Mine"))
        error: Any = self.failureResultOf(work, MailboxReferral).value
        self.assertEqual(
            error.urls,
            (
                "imap://alice;AUTH=*@localhost:1143/Mine",
                "imap://alice;AUTH=*@archive.example.com/Archive/Mine",
            ),
        )

    def test_open_mailboxes_are_closed_when_the_connection_is(self) -> None:
        self.answered(b"SELECT INBOX", b"OK")
        box = self.server.mbox
        self.server.connectionLost(None)
        self.assertFalse(box.in_use)


class Hosts(SynchronousTestCase):
    def test_a_realm_knows_what_this_server_is_called(self) -> None:
        own = Server(host="front.example")
        self.assertIs(MailRealm(MemoryStore(), own=own).own, own)


class WithRouting(SynchronousTestCase):
    """The realm over a router and a backend, for two users."""

    def setUp(self) -> None:
        self.backend = MemoryBackend({"bob": Home(), "carol": Home()})
        backends = [("memory", self.backend)]
        clock = Clock()
        policy = PolicySettings(own_names=frozenset({("front.example", 143)}))
        router = MailboxRouter(
            Locations(backends, clock=clock), Directory(backends, clock=clock), policy
        )
        routing = MailboxRouting()
        routing.use(router)
        self.realm = MailRealm(MemoryStore(), routing, Server(host="front.example"))

    def put(self, user: str, *hosts: str) -> None:
        replicas = tuple(Replica(server=Server(host=host), name="Team") for host in hosts)
        self.backend.set_mailbox(user, "Team", MailboxLocation(replicas=replicas))

    def error(self, user: str, name: str) -> Any:
        """Give what keeps a user from opening a mailbox."""
        asked = self.realm.requestAvatar(user, None, IReferralAccount)
        _, account, _ = self.successResultOf(asked)
        opening = Deferred.fromCoroutine(account.open(name, False))
        return self.failureResultOf(opening, ReferraldError).value

    @proves("M12")
    def test_who_may_not_see_a_mailbox_cannot_tell_it_from_one_that_is_not_there(self) -> None:
        self.put("carol", "team.example")
        self.assertIsInstance(self.error("carol", "Team"), MailboxReferral)
        hidden, missing = self.error("bob", "Team"), self.error("bob", "Nothing")
        self.assertIs(type(hidden), NoSuchMailbox)
        self.assertIs(type(hidden), type(missing))
        self.assertEqual((hidden.code, hidden.public), (missing.code, missing.public))

    @proves("M11")
    def test_nobody_is_sent_to_this_server_itself(self) -> None:
        self.put("bob", "front.example", "team.example")
        self.assertEqual(self.error("bob", "Team").urls, ("imap://bob;AUTH=*@team.example/Team",))
        self.put("carol", "FRONT.example")
        error = self.error("carol", "Team")
        self.assertIsInstance(error, Unavailable)
        self.assertIn("this server itself", str(error))
        self.assertNotIn("front", error.public)
