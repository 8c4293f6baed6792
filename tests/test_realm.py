"""The realms, under a session of ours and under Twisted's own IMAP4Server."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.testing import StringTransport
from twisted.mail.imap4 import IAccount, IMAP4Server
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import LoginReferral
from referrald.realm import LocalRealm, LoginRefused, ReferralRealm
from referrald.store.memory import MemoryStore
from tests.proves import proves
from tests.session.support import Decisions, House

URL = "imap://alice;AUTH=*@home.example/"


class Realms(SynchronousTestCase):
    def setUp(self) -> None:
        self.realm = ReferralRealm(Decisions(), LocalRealm(MemoryStore()))

    def test_a_user_who_lives_here_gets_the_local_account(self) -> None:
        interface, account, _ = self.successResultOf(
            self.realm.requestAvatar(b"bob", None, IAccount)
        )
        self.assertIs(interface, IAccount)
        self.assertIsNotNone(account.select("INBOX"))

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
        server: Any = IMAP4Server()
        server.portal = Portal(self.realm, [checker])
        transport = StringTransport()
        server.makeConnection(transport)
        self.addCleanup(server.setTimeout, None)
        transport.clear()
        server.dataReceived(b"a LOGIN alice secret\r\n")
        self.assertEqual(transport.value(), b"a NO LOGIN failed\r\n")
        server.dataReceived(b"b LOGIN bob secret\r\n")
        self.assertIn(b"b OK", transport.value())

    @proves("L3")
    def test_under_a_session_of_ours_it_reaches_the_client(self) -> None:
        client = House(router=None, realm=self.realm).connect()
        client.read()
        (answer,) = client.ask(b"a LOGIN alice secret")
        self.assertTrue(answer.startswith(f"a NO [REFERRAL {URL}] ".encode()), answer)
