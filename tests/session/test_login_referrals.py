"""Login referrals at the session: RFC 2221."""

from __future__ import annotations

from base64 import b64encode

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import LoginReferral
from tests.proves import proves
from tests.session.support import House, Passwords

REFERRAL = b"a NO [REFERRAL imap://alice;AUTH=*@home.example/] "


class LoginReferrals(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()
        self.greeting = self.client.read()

    @proves("L1")
    def test_the_greeting_and_every_capability_answer_name_login_referrals(self) -> None:
        self.assertIn(b" LOGIN-REFERRALS", self.greeting)
        self.assertIn(b" LOGIN-REFERRALS", self.client.say(b"a CAPABILITY\r\n"))
        self.assertIn(b" LOGIN-REFERRALS", self.client.say(b"b LOGIN bob secret\r\n"))
        self.assertIn(b" LOGIN-REFERRALS", self.client.say(b"c CAPABILITY\r\n"))

    @proves("L2", "L3", "L8")
    def test_a_user_who_lives_elsewhere_gets_one_server_url_and_no_login(self) -> None:
        (answer,) = self.client.ask(b"a LOGIN alice secret")
        self.assertTrue(answer.startswith(REFERRAL), answer)
        self.assertEqual(self.client.session.state, "unauth")

    @proves("L3")
    def test_another_user_can_try_on_the_same_connection(self) -> None:
        self.client.ask(b"a LOGIN alice secret")
        (answer,) = self.client.ask(b"b LOGIN bob secret")
        self.assertTrue(answer.startswith(b"b OK [CAPABILITY "), answer)

    @proves("L4")
    def test_a_user_with_public_mailboxes_here_is_logged_in_and_referred(self) -> None:
        (answer,) = self.client.ask(b"a LOGIN carol secret")
        self.assertTrue(answer.startswith(b"a OK [REFERRAL imap://carol;AUTH=*@home.example/] "))
        self.assertEqual(self.client.session.state, "auth")

    @proves("L3", "L4")
    def test_where_nothing_can_be_read_after_all_it_is_a_plain_referral(self) -> None:
        house = House(realm=None)
        client = house.connect()
        client.read()
        (answer,) = client.ask(b"a LOGIN carol secret")
        self.assertTrue(answer.startswith(b"a NO [REFERRAL imap://carol;AUTH=*@home.example/] "))
        self.assertEqual([event.result for event in house.logins], ["referred"])
        self.assertIn(b"a OK [REFERRAL", self.client.say(b"a LOGIN carol secret\r\n"))

    def test_the_text_may_name_the_server_also_where_the_realm_refers(self) -> None:
        class Realm:
            def requestAvatar(self, user: str, mind: object, *interfaces: object) -> None:
                raise LoginReferral(["imap://bob;AUTH=*@realm.example:1143/"])

        house = House(realm=Realm(), referral_text="It is at {server}.")
        client = house.connect()
        client.read()
        (answer,) = client.ask(b"a LOGIN alice secret")
        self.assertEqual(answer, REFERRAL + b"It is at home.example.")
        (answer,) = client.ask(b"b LOGIN bob secret")
        self.assertTrue(answer.endswith(b"/] It is at realm.example:1143."), answer)

    @proves("L5", "S3")
    def test_authenticate_ends_with_the_same_two_answers(self) -> None:
        for user, start in ((b"alice", REFERRAL), (b"carol", b"a OK [REFERRAL imap://carol;")):
            client = self.house.connect()
            client.read()
            initial = b64encode(b"\0" + user + b"\0secret")
            (answer,) = client.ask(b"a AUTHENTICATE PLAIN " + initial)
            self.assertTrue(answer.startswith(start), answer)
        client = self.house.connect()
        client.read()
        self.assertEqual(client.ask(b"a AUTHENTICATE PLAIN"), [b"+ "])
        (answer,) = client.ask(b64encode(b"\0alice\0secret"))
        self.assertTrue(answer.startswith(REFERRAL), answer)

    @proves("L6")
    def test_a_draining_listener_says_bye_with_the_other_server(self) -> None:
        house = House(drain="imap://;AUTH=*@other.example/")
        client = house.connect()
        answer = client.read()
        self.assertTrue(answer.startswith(b"* BYE [REFERRAL imap://;AUTH=*@other.example/] "))
        self.assertTrue(client.closed)
        client.session.dataReceived(b"a NOOP\r\n")
        self.assertEqual(client.read(), b"")

    @proves("L7", "base:response codes")
    def test_failures_look_the_same_whoever_it_is(self) -> None:
        tries = (b"LOGIN alice wrong", b"LOGIN nobody secret", b"LOGIN bob wrong")
        answers = set()
        for attempt in tries:
            client = self.house.connect()
            client.read()
            answers.add(client.say(b"a " + attempt + b"\r\n"))
        self.assertEqual(answers, {b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"})

    @proves("L7")
    def test_routing_is_asked_nothing_before_the_credentials_are_proved(self) -> None:
        self.client.ask(b"a LOGIN alice wrong")
        self.assertEqual(self.house.router.asked, [])

    @proves("L11", "base:STARTTLS")
    def test_what_is_pipelined_behind_starttls_is_never_run(self) -> None:
        house = House(secure=False, tls="context", allow_cleartext=True)
        client = house.connect()
        client.read()
        client.ask(b'i ID ("name" "liar")')
        answer = client.say(b"a STARTTLS\r\nb LOGIN bob secret\r\nc NOOP\r\n")
        self.assertEqual(answer, b"a OK Begin TLS now.\r\n")
        self.assertEqual(client.transport.started, "context")
        self.assertEqual(client.session.state, "unauth")
        self.assertIsNone(client.session.client_id)
        self.assertEqual(house.authenticator.seen, [])
        self.assertIn(b"AUTH=PLAIN", client.say(b"d CAPABILITY\r\n"))

    @proves("S1")
    def test_a_fault_behind_the_door_is_a_no_and_the_connection_stays(self) -> None:
        (answer,) = self.client.ask(b"a LOGIN dave secret")
        self.assertTrue(answer.startswith(b"a NO [UNAVAILABLE] "), answer)
        self.assertNotIn(b"backend", answer)
        self.assertTrue(self.client.ask(b"b NOOP")[0].startswith(b"b OK"))


class LoginLine(SynchronousTestCase):
    def test_every_login_is_one_event_that_says_what_was_done(self) -> None:
        house = House()
        client = house.connect()
        for user in (b"alice", b"dave", b"nobody", b"bob"):
            client.ask(b"a LOGIN " + user + b" secret")
        told = [(event.user, event.result, event.target) for event in house.logins]
        self.assertEqual(
            told,
            [
                ("alice", "referred", "home.example"),
                ("dave", "refused", ""),
                ("nobody", "failed", ""),
                ("bob", "served", ""),
            ],
        )
        self.assertEqual(house.logins[0].peer, "192.0.2.7:4711")

    @proves("S4", "base:password logging")
    def test_no_credential_is_in_any_event_or_note(self) -> None:
        house = House()
        client = house.connect()
        client.ask(b"a LOGIN alice hunter2")
        client.ask(b"a LOGIN {7+}\r\nhunter2 hunter2 hunter2")
        client.ask(b"a AUTHENTICATE PLAIN " + b64encode(b"\0alice\0hunter2"))
        client.ask(b"a AUTHENTICATE PLAIN hunter2hunter2")
        told = repr(house.logins) + repr(house.notes.lines) + repr(client.session.__dict__)
        self.assertNotIn("hunter2", told)

    def test_the_time_from_command_to_answer_is_told(self) -> None:
        held: Deferred[None] = Deferred()
        passwords = Passwords()
        passwords.held = held
        house = House(authenticator=passwords)
        client = house.connect()
        client.ask(b"a LOGIN alice secret")
        house.clock.advance(1.5)
        held.callback(None)
        self.assertEqual(house.logins[0].seconds, 1.5)
