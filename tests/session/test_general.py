"""Capabilities, ID, STARTTLS, ENABLE, LOGOUT, and the end of a server."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import CramMD5Credentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.mail.imap4 import IMAP4Server
from twisted.trial.unittest import SynchronousTestCase

from referrald.session.server import ReferralServer
from tests.proves import proves
from tests.session.memory import AccountRealm, MemoryStore
from tests.session.support import House, Passwords


def names(answer: bytes) -> set[bytes]:
    """Give the capabilities that a line of an answer lists."""
    text = answer.partition(b"CAPABILITY ")[2]
    return set(text.partition(b"]")[0].partition(b"\r\n")[0].split(b" "))


class Capabilities(SynchronousTestCase):
    @proves("base:CAPABILITY", "base:AUTH vs LOGINDISABLED", "L12")
    def test_before_tls_there_is_starttls_and_no_way_to_log_in(self) -> None:
        client = House(secure=False, tls="context").connect()
        found = names(client.read())
        self.assertTrue({b"STARTTLS", b"LOGINDISABLED", b"LOGIN-REFERRALS"} <= found)
        self.assertEqual([name for name in found if name.startswith(b"AUTH=")], [])
        for command in (b"LOGIN alice secret", b"AUTHENTICATE PLAIN " + b64encode(b"\0alice\0s")):
            (answer,) = client.ask(b"a " + command)
            self.assertEqual(answer, b"a NO [PRIVACYREQUIRED] Use TLS before logging in.")

    @proves("base:CAPABILITY")
    def test_over_tls_there_are_mechanisms_and_no_starttls(self) -> None:
        client = House(tls="context").connect()
        found = names(client.read())
        self.assertTrue({b"AUTH=PLAIN", b"SASL-IR", b"LITERAL+", b"ID"} <= found)
        self.assertFalse({b"STARTTLS", b"LOGINDISABLED"} & found)
        self.assertEqual(client.ask(b"a STARTTLS"), [b"a BAD TLS is already there."])

    @proves("base:CAPABILITY")
    def test_the_ok_of_a_login_carries_what_holds_from_then_on(self) -> None:
        client = House().connect()
        client.read()
        after = names(client.say(b"a LOGIN bob secret\r\n"))
        self.assertEqual(after, names(client.say(b"b CAPABILITY\r\n")))
        self.assertTrue({b"NAMESPACE", b"UNSELECT", b"LOGIN-REFERRALS"} <= after)
        self.assertEqual([name for name in after if name.startswith(b"AUTH=")], [])

    def test_without_sasl_there_is_only_login(self) -> None:
        client = House(sasl=False).connect()
        found = names(client.read())
        self.assertEqual([name for name in found if name.startswith((b"AUTH", b"SASL"))], [])
        self.assertIn(b"a NO [CANNOT]", client.say(b"a AUTHENTICATE PLAIN AG5sAHB3\r\n"))
        self.assertIn(b"b NO [REFERRAL", client.say(b"b LOGIN alice secret\r\n"))

    def test_starttls_without_a_certificate_is_refused(self) -> None:
        client = House(secure=False).connect()
        self.assertIn(b"a NO", client.say(b"a STARTTLS\r\n"))


class General(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = House(ident={"name": "referrald"}).connect()
        self.client.read()

    def test_the_longest_id_there_may_be_is_taken(self) -> None:
        pairs = b" ".join(b'"%030d" "%b"' % (at, b"v" * 1024) for at in range(30))
        self.assertEqual(self.client.ask(b"a ID (%b)" % pairs)[-1], b"a OK Nice to know.")

    @proves("base:UNSELECT/ENABLE/ID")
    def test_id_tells_who_we_are_and_takes_nobodys_word_for_an_address(self) -> None:
        asked = b'a ID ("x-originating-ip" "1.2.3.4" "x-proxy-ttl" "1")'
        self.assertEqual(
            self.client.ask(asked), [b'* ID ("name" "referrald")', b"a OK Nice to know."]
        )
        self.assertEqual(self.client.session.peer_host, "192.0.2.7")
        self.assertIn(b"* ID", self.client.say(b"b ID NIL\r\n"))

    @proves("base:UNSELECT/ENABLE/ID")
    def test_enable_passes_over_what_it_does_not_know(self) -> None:
        self.client.ask(b"a LOGIN bob secret")
        answer = self.client.ask(b"b ENABLE CONDSTORE X-NEVER")
        self.assertEqual(answer, [b"* ENABLED CONDSTORE", b"b OK Enabled what is known."])

    def test_logout_says_bye_then_ok_then_closes(self) -> None:
        answer = self.client.ask(b"a LOGOUT")
        self.assertEqual(answer, [b"* BYE Good-bye.", b"a OK Logged out."])
        self.assertTrue(self.client.closed)


class Dismissal(SynchronousTestCase):
    def test_a_server_that_stops_says_bye_to_everyone(self) -> None:
        house = House()
        clients = [house.connect() for _ in range(3)]
        clients[1].ask(b"a LOGIN bob secret")
        for client in clients:
            client.read()
        done = ensureDeferred(house.factory.dismiss(house.clock, 5.0))
        for client in clients:
            self.assertTrue(client.read().startswith(b"* BYE "))
            self.assertTrue(client.closed)
        self.assertEqual(self.successResultOf(done), 0)

    def test_one_that_will_not_go_is_cut_off_after_a_time(self) -> None:
        house = House()
        client = house.connect()
        client.transport.loseConnection = lambda: None  # type: ignore[method-assign]
        done = ensureDeferred(house.factory.dismiss(house.clock, 5.0))
        self.assertNoResult(done)
        house.clock.advance(5)
        self.assertEqual(self.successResultOf(done), 1)
        self.assertTrue(client.transport.aborted)


class OldStyle(ReferralServer):
    """A subclass as one writes it for ``IMAP4Server``."""

    def do_XECHO(self, tag: bytes, text: bytes) -> None:
        self.sendUntaggedResponse(b"XECHO " + text)
        self.sendPositiveResponse(tag, b"Echoed")

    def do_XWAIT(self, tag: bytes) -> None:
        self.waiting: Deferred[None] = Deferred()
        self.waiting.addCallback(lambda result: self.sendPositiveResponse(tag, b"Waited"))

    def do_XFAIL(self, tag: bytes) -> None:
        raise RuntimeError("inside")

    unauth_XECHO = (do_XECHO, IMAP4Server.arg_astring)
    unauth_XWAIT = (do_XWAIT,)
    unauth_XFAIL = (do_XFAIL,)


class TwistedsFace(SynchronousTestCase):
    def test_old_style_commands_of_a_subclass_work_and_wait_their_turn(self) -> None:
        house = House()
        client = house.connect(OldStyle)
        client.read()
        self.assertEqual(client.ask(b"a XECHO hello"), [b"* XECHO hello", b"a OK Echoed"])
        self.assertEqual(client.ask(b"b XECHO {2+}\r\nhi"), [b"* XECHO hi", b"b OK Echoed"])
        self.assertEqual(client.say(b"c XWAIT\r\nd NOOP\r\n"), b"")
        client.session.waiting.callback(None)
        self.assertEqual(client.read(), b"c OK Waited\r\nd OK Nothing done.\r\n")
        self.assertIn(b"e NO [SERVERBUG]", client.say(b"e XFAIL\r\n"))
        self.assertIn(b"f BAD", client.say(b"f FETCH 1 FLAGS\r\n"))

    def test_capabilities_have_twisteds_form_too(self) -> None:
        session = House().connect().session
        self.assertEqual(session.capabilities()[b"AUTH"], [b"PLAIN", b"LOGIN"])
        self.assertIn(b"LOGIN-REFERRALS", session.listCapabilities())

    @proves("base:AUTH challenge")
    def test_challengers_of_a_portal_work_and_a_long_challenge_is_one_line(self) -> None:
        class Cram(ReferralServer):
            challengers = {b"CRAM-MD5": lambda: CramMD5Credentials(b"h" * 100)}

        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        house = House(authenticator=Passwords(()))
        client = house.connect(Cram)
        client.session.portal = Portal(AccountRealm(MemoryStore()), [checker])
        client.read()
        (challenge,) = client.ask(b"a AUTHENTICATE CRAM-MD5")
        self.assertGreater(len(challenge), 100)
        self.assertEqual(
            self._respond(client, challenge, b"wrong")[:28], b"a NO [AUTHENTICATIONFAILED] "
        )
        (challenge,) = client.ask(b"a AUTHENTICATE CRAM-MD5")
        self.assertIn(b"a NO [REFERRAL imap://alice;", self._respond(client, challenge, b"secret"))

    def _respond(self, client: Any, challenge: bytes, password: bytes) -> bytes:
        import hmac
        from base64 import b64decode

        digest = hmac.new(password, b64decode(challenge[2:]), "md5").hexdigest().encode()
        answer: bytes = client.say(b64encode(b"alice " + digest) + b"\r\n")
        return answer
