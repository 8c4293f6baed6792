"""Relayed logins: a session of ours in front, and whatever may be behind it."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from referrald.relay.circuit import SHORTEST
from referrald.relay.settings import RelaySettings
from referrald.session.relaying import Secret, secret_of
from tests.proves import proves
from tests.session.relaycase import HELLO, LOGIN, RelayCase, Wire


class Relaying(RelayCase):
    at_the_end = b"* OK [ALERT] in\r\n* OK late\r\n"

    def test_the_client_is_logged_in_at_home_and_sees_what_that_offers(self) -> None:
        self.serve("home.example")
        client = self.connect()
        answer = client.say(b"a " + LOGIN)
        self.assertEqual(answer, b"a OK [CAPABILITY IMAP4rev1 IDLE XHOME] Logged in.\r\n")
        # The name there, and the password that the client has sent.
        self.assertEqual(self.made[0].seen, [b"AUTHENTICATE PLAIN AGFsAHNlY3JldA=="])
        self.assertEqual(client.say(b"b XHOME x"), b"b OK done\r\n")
        self.assertEqual(self.made[0].seen[1:], [b"XHOME x"])
        self.assertEqual(self.results(), [("relayed", "home.example:143")])

    @proves("S3")
    def test_what_is_pipelined_behind_the_login_goes_home(self) -> None:
        self.serve("home.example")
        answer = self.connect().say(b"a " + LOGIN, b"b SELECT x", b"c NOOP")
        self.assertTrue(answer.endswith(b"Logged in.\r\nb OK done\r\nc OK done\r\n"), answer)

    def test_a_login_by_sasl(self) -> None:
        self.serve("home.example")
        client = self.connect()
        self.assertIn(b"a OK ", client.say(b"a AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA=="))
        self.assertEqual(self.made[0].seen, [b"AUTHENTICATE PLAIN AGFsAHNlY3JldA=="])

    def test_a_password_that_is_no_utf_8_goes_home_as_it_came(self) -> None:
        self.serve("home.example")
        client = self.connect()
        client.session.door.authenticator.password = self.anyone
        self.assertIn(b"a OK ", client.say(b'a LOGIN alice "bl\xe9ub"'))
        sent = self.made[0].seen[0].rpartition(b" ")[2]
        self.assertEqual(b64decode(sent), b"\0al\0bl\xe9ub")

    async def anyone(self, user: str, password: bytes, authzid: str = "", home: Any = None) -> str:
        return user

    def test_the_second_server_when_the_first_is_down(self) -> None:
        self.serve("second.example")
        client = self.connect()
        self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
        self.assertEqual(self.results(), [("relayed", "second.example:143")])

    @proves("S1")
    def test_all_down_is_unavailable_and_the_connection_stays(self) -> None:
        client = self.connect()
        self.assertTrue(client.say(b"a " + LOGIN).startswith(b"a NO [UNAVAILABLE] "))
        self.assertFalse(client.lost)
        self.assertIn("connection refused", self.house.logins[0].cause)
        self.serve("home.example")
        # Both rest now, and nobody waits for them.
        self.assertTrue(client.say(b"b " + LOGIN).startswith(b"b NO [UNAVAILABLE] "))
        self.assertEqual(len(self.net.dialled), 2)
        self.assertIn("left alone after a failure", self.house.logins[1].cause)
        self.net.clock.advance(SHORTEST)
        self.assertIn(b"c OK ", client.say(b"c " + LOGIN))

    def test_a_server_that_is_back_is_tried_by_one_while_others_go_elsewhere(self) -> None:
        self.serve("second.example")
        client = self.connect()
        self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
        self.serve("home.example", authenticate=b"")
        self.net.clock.advance(SHORTEST)
        first, second = self.another(), self.another()
        self.assertEqual(first.say(b"a " + LOGIN), b"")
        self.assertIn(b"a OK ", second.say(b"a " + LOGIN))
        self.assertEqual(
            [host for host, _ in self.net.dialled],
            ["home.example", "second.example", "home.example", "second.example"],
        )
        self.made[-2].transport.write(b"a1 OK in\r\n")
        self.assertIn(b"a OK ", first.say())
        self.serve("home.example")
        self.assertIn(b"a OK ", self.another().say(b"a " + LOGIN))
        self.assertEqual(self.net.dialled[-1], ("home.example", 143))

    def another(self) -> Wire:
        return Wire(self.net, self.house)

    def test_a_home_that_can_let_nobody_in_is_no_failed_login(self) -> None:
        down = b"%b NO [UNAVAILABLE] Temporary authentication failure."
        self.serve("home.example", authenticate=down)
        self.serve("second.example", b"* BYE Too many connections.")
        client = self.connect()
        self.assertTrue(client.say(b"a " + LOGIN).startswith(b"a NO [UNAVAILABLE] "))
        for words in ("Temporary authentication failure", "Too many connections"):
            self.assertIn(words, self.house.logins[0].cause)

    def test_a_home_that_refers_to_one_that_is_down_is_not_down_itself(self) -> None:
        refers = b"%b NO [REFERRAL imap://al;AUTH=*@moved.example/] moved"
        self.serve("home.example", authenticate=refers)
        client = self.connect()
        for tag in (b"a ", b"b "):
            self.assertTrue(client.say(tag + LOGIN).startswith(tag + b"NO [UNAVAILABLE] "))
        self.assertEqual(
            [host for host, _ in self.net.dialled],
            ["home.example", "moved.example", "second.example", "home.example", "moved.example"],
        )

    @proves("S1")
    def test_no_client_waits_longer_than_the_deadline(self) -> None:
        greeting = HELLO.replace(b"SASL-IR", b"SASL-IR ID")
        self.serve("home.example", greeting, authenticate=b"")
        self.serve("second.example", greeting, authenticate=b"")
        self.settings = RelaySettings(allowed=("*.example",), timeout=20.0, deadline=30.0)
        client = self.connect()
        self.assertEqual(client.say(b"a " + LOGIN), b"")
        self.net.clock.advance(20)
        self.assertEqual(client.say(), b"")
        self.net.clock.advance(5)
        self.assertTrue(client.say().startswith(b"a NO [UNAVAILABLE] "))
        cause = self.house.logins[0].cause
        slow = "no home server after 30 s: home.example:143 did not answer within 20 s"
        self.assertTrue(cause.startswith(slow), cause)
        self.assertTrue(all(each.transport.other.transport.gone for each in self.made))
        self.assertFalse(client.lost)

    def test_what_home_says_at_the_login_reaches_the_client(self) -> None:
        self.serve(
            "home.example",
            authenticate=b"* OK [ALERT] Mind the gap.\r\n%b OK [ALERT] in\r\n* OK late",
            capability=b"* OK [CAPABILITY X] no\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN XHOME\r\n"
            b"* NO [REFERRAL imap://evil.test/] no\r\n"
            b'* METADATA "" (/shared/comment {4}\r\nhi!! "x")\r\n%b OK done',
        )
        answer = self.connect().say(b"a " + LOGIN)
        said, tagged, rest = answer.partition(b"a OK [CAPABILITY IMAP4rev1 AUTH=PLAIN XHOME] ")
        self.assertTrue(tagged, answer)
        self.assertEqual(rest, b"Logged in.\r\n")
        self.assertEqual(
            said,
            b"* OK [ALERT] Mind the gap.\r\n"
            + self.at_the_end
            + b'* METADATA "" (/shared/comment {4}\r\nhi!! "x")\r\n',
        )

    def test_what_a_server_says_that_is_left_again_stays_there(self) -> None:
        refers = b"* OK [ALERT] old\r\n%b NO [REFERRAL imap://al;AUTH=*@moved.example/] moved"
        self.serve("home.example", authenticate=refers)
        self.serve("moved.example", authenticate=b"* OK [ALERT] new\r\n%b OK [CAPABILITY X] in")
        answer = self.connect().say(b"a " + LOGIN)
        self.assertTrue(answer.startswith(b"* OK [ALERT] new\r\na OK "), answer)

    def test_a_home_that_refuses_is_a_failed_login(self) -> None:
        self.serve("home.example", authenticate=b"%b NO [ALERT] not today")
        client = self.connect()
        answer = client.say(b"a " + LOGIN)
        self.assertTrue(answer.startswith(b"a NO [AUTHENTICATIONFAILED] "), answer)
        self.assertNotIn(b"not today", answer)
        self.assertIn("not today", self.house.logins[0].cause)
        self.assertFalse(client.lost)

    def test_a_server_that_lets_nobody_in_says_nothing_of_the_password(self) -> None:
        for answer in (b"%b NO [UNAVAILABLE] the disk is away", b"%b BAD what?"):
            self.serve("home.example", authenticate=answer)
            client = self.connect()
            self.assertTrue(client.say(b"a " + LOGIN).startswith(b"a NO [UNAVAILABLE] "), answer)
            self.assertIn("home.example:143 says: ", self.house.logins[0].cause)
        self.serve("home.example", greeting=b"* BYE too many connections")
        self.assertTrue(self.connect().say(b"a " + LOGIN).startswith(b"a NO [UNAVAILABLE] "))
        self.serve("second.example")
        client = self.connect()
        self.assertIn(b"a OK ", client.say(b"a " + LOGIN))
        self.assertEqual(self.results(), [("relayed", "second.example:143")])
        # Others may be let in there.
        self.assertEqual(self.house.door.relay.circuit.resting, 0)

    @proves("L9")
    def test_a_home_that_refers_back_to_us_is_not_followed(self) -> None:
        self.settings = attrs.evolve(self.settings, own=frozenset({("front.example", 143)}))
        self.serve(
            "home.example", authenticate=b"%b NO [REFERRAL imap://al;AUTH=*@FRONT.example/] moved"
        )
        answer = self.connect().say(b"a " + LOGIN)
        self.assertTrue(answer.startswith(b"a NO [UNAVAILABLE] "), answer)
        self.assertEqual(self.net.dialled, [("home.example", 143)])
        self.assertIn("leads back to this server", self.house.logins[0].cause)

    @proves("L9")
    def test_a_login_of_ours_that_comes_back_to_us_is_a_circle(self) -> None:
        self.serve("home.example", authenticate=b"")
        first = self.connect()
        first.say(b"a " + LOGIN)
        ours = self.made[0].transport.other.transport
        second = self.from_there(ours)
        second.transport.hostAddr = ours.getPeer()
        answer = second.say(b"a " + LOGIN)
        self.assertTrue(answer.startswith(b"a NO [UNAVAILABLE] "), answer)
        self.assertIn(b"circle", answer)
        self.assertIn("comes from this very server", self.house.logins[0].cause)
        # Once the first is logged in, another program may have that port on that address.
        self.made[0].transport.write(b"a1 OK [CAPABILITY IMAP4rev1] in\r\n")
        self.assertIn(b"a OK", first.say())
        self.serve("home.example")
        self.assertIn(b"a OK", second.say(b"a " + LOGIN))

    def from_there(self, ours: Any) -> Wire:
        """Give a client that comes from where a connection of ours does."""
        client = Wire(self.net, self.house)
        client.session.peer_host, client.session.peer_port = (
            ours.getHost().host,
            ours.getHost().port,
        )
        return client

    def test_a_client_that_has_a_port_of_ours_on_another_way_is_no_circle(self) -> None:
        self.serve("home.example", authenticate=b"")
        self.connect().say(b"a " + LOGIN)
        second = self.from_there(self.made[0].transport.other.transport)
        self.serve("home.example")
        self.assertIn(b"a OK", second.say(b"a " + LOGIN))

    def test_a_home_that_refers_is_followed_and_never_passed_on_raw(self) -> None:
        refers = b"%b NO [REFERRAL imap://al;AUTH=*@moved.example/] moved"
        self.serve("home.example", authenticate=refers)
        self.serve("moved.example")
        answer = self.connect().say(b"a " + LOGIN)
        self.assertNotIn(b"REFERRAL imap", answer)
        self.assertEqual(self.results(), [("relayed", "moved.example:143")])
        self.serve("home.example", authenticate=refers.replace(b"moved.example", b"evil.test"))
        answer = self.connect().say(b"a " + LOGIN)
        self.assertTrue(answer.startswith(b"a NO "), answer)
        self.assertNotIn(b"evil", answer)

    @proves("S4")
    def test_a_home_that_repeats_the_password_does_not_get_it_into_the_log(self) -> None:
        for words in (b"secret", b"AGFsAHNlY3JldA== c2VjcmV0"):
            self.serve("home.example", authenticate=b"%b NO you said " + words)
            client = self.connect()
            client.say(b"a " + LOGIN)
            cause = self.house.logins[0].cause
            self.assertIn("***", cause)
            self.assertNotIn("secret", cause)
            self.assertNotIn("c2VjcmV0", cause)

    def test_a_referral_of_home_that_cannot_be_followed_is_unavailable(self) -> None:
        self.serve("home.example", authenticate=b"%b NO [REFERRAL http://x/] go")
        answer = self.connect().say(b"a " + LOGIN)
        self.assertTrue(answer.startswith(b"a NO [UNAVAILABLE] "), answer)
        self.assertEqual(self.house.notes.lines, [])

    @proves("S4")
    def test_no_password_is_written_down(self) -> None:
        self.serve("home.example", authenticate=b"%b NO no")
        self.connect().say(b"a LOGIN alice secret")
        shown = repr((self.house.logins, self.house.notes.lines, Secret(password=b"secret")))
        self.assertNotIn("secret", shown)


class Secrets(SynchronousTestCase):
    def test_each_mechanism_has_its_own(self) -> None:
        self.assertEqual(
            secret_of("PLAIN", [b"bob\0root\0pw"]),
            Secret(password=b"pw", login_as=b"root", acting_as=b"bob"),
        )
        self.assertEqual(
            secret_of("LOGIN", [b"alice", b"pw"]), Secret(password=b"pw", login_as=b"alice")
        )
        for message in (b"n,a=u,\x01auth=Bearer t.k\x01\x01", b"user=u\x01auth=Bearer t.k\x01\x01"):
            self.assertEqual(secret_of("OAUTHBEARER", [message]), Secret(token=b"t.k"))
            self.assertEqual(secret_of("XOAUTH2", [message]), Secret(token=b"t.k"))
        for mechanism in ("EXTERNAL", "SCRAM-SHA-256", "PLAIN", "LOGIN", "XOAUTH2"):
            self.assertEqual(secret_of(mechanism, [b"x"]), Secret())
