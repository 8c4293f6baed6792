"""Clients whose users move while they are logged in: relayed, or served here."""

from __future__ import annotations

from typing import Any

import attrs

from referrald.model import Home, Server
from referrald.realm import MailRealm
from referrald.relay.connector import RelayConnector
from referrald.routing.held import HeldLogins
from referrald.routing.moving import RECENT, Mover
from referrald.routing.policy import PolicySettings
from referrald.routing.router import Router
from referrald.session.choosing import Choosing
from referrald.store.memory import MemoryStore
from referrald.testing import MemoryBackend
from tests.proves import proves
from tests.routing.support import Answers
from tests.session.relaycase import LOGIN, RelayCase, Wire
from tests.session.support import House

HOME, SECOND = Server(host="home.example"), Server(host="second.example")
OWN = Server(host="front.example")
GOODBYE = b"* BYE Your mailbox has moved; please connect again.\r\n"


class MoveCase(RelayCase):
    """alice and bob at home.example; carol here. Every session ends after ten seconds of grace."""

    def setUp(self) -> None:
        super().setUp()
        self.backend = MemoryBackend(
            {"alice": Home(servers=(HOME,)), "bob": Home(servers=(HOME,)), "carol": Home()}
        )
        self.homes = Answers(self.backend, found=600.0)
        self.clock = self.net.clock = self.homes.clock
        self.held = HeldLogins(self.clock)
        self.router = Router(self.homes, PolicySettings(), None, self.held)
        self.lines: list[str] = []
        self.mover = Mover(self.clock, self.lines.append, uniform=lambda low, high: low)
        self.mover.use(self.homes, grace=10.0, spread=30.0)
        self.held.use(self.router.look, 20.0)
        self.backend.watch(self.changed)
        self.clock.advance(RECENT + 1)
        relay = RelayConnector(self.clock, self.settings, dial=self.net.dial)
        self.house = House(
            router=self.router,
            relay=relay,
            choosing=Choosing(how="relay"),
            live=self.mover,
            clock=self.clock.seconds,
            realm=MailRealm(MemoryStore(), None, OWN),
        )
        self.serve("home.example")
        self.serve("second.example")

    def changed(self, user: str | None) -> None:
        self.homes.forget(user)
        self.mover.changed(user)
        self.held.changed(user)

    def log_in(self, user: bytes = b"alice") -> Wire:
        client = Wire(self.net, self.house)
        self.assertIn(b"a OK ", client.say(b"a LOGIN %b secret" % user))
        client.seen = b""
        return client

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            self.net.run()


class Moves(MoveCase):
    def test_those_who_moved_are_told_and_the_others_hear_nothing(self) -> None:
        first, second, other = self.log_in(), self.log_in(), self.log_in(b"bob")
        self.backend.set("alice", Home(servers=(SECOND,)))
        self.pass_time(11)
        self.assertEqual((first.seen, second.seen), (GOODBYE, GOODBYE))
        self.assertTrue(first.lost and second.lost)
        self.pass_time(30)
        self.assertEqual((other.seen, other.lost), (b"", False))
        self.assertEqual(other.say(b"b NOOP"), b"b OK done\r\n")
        for server in self.made[:2]:
            self.assertTrue(server.transport.other.transport.gone)
        self.assertEqual([*self.mover.live.users()], ["bob"])
        self.assertEqual(self.house.notes.faults, [])

    def test_a_new_login_goes_to_the_new_home_at_once(self) -> None:
        self.log_in()
        self.backend.set("alice", Home(servers=(SECOND,)))
        self.log_in()
        targets = [event.target for event in self.house.logins]
        self.assertEqual(targets, ["home.example:143", "second.example:143"])
        self.pass_time(60)
        self.assertEqual(len(self.mover.live.of("alice")), 1)

    def test_moved_back_in_time_nothing_happens(self) -> None:
        client = self.log_in()
        self.backend.set("alice", Home(servers=(SECOND,)))
        self.pass_time(5)
        self.backend.set("alice", Home(servers=(SECOND, HOME)))
        self.pass_time(60)
        self.assertFalse(client.lost)

    def test_a_home_that_sent_the_login_on_is_still_the_home(self) -> None:
        self.serve(
            "home.example", authenticate=b"%b NO [REFERRAL imap://alice;AUTH=*@moved.example/] go"
        )
        self.serve("moved.example")
        client = self.log_in()
        self.changed(None)
        self.pass_time(60)
        self.assertFalse(client.lost)
        self.backend.set("alice", Home(servers=(SECOND,)))
        self.pass_time(12)
        self.assertTrue(client.lost)

    @proves("S3")
    def test_a_message_on_its_way_home_is_not_cut(self) -> None:
        client = self.log_in()
        self.made[0].answers[b"APPEND"] = b"+ go on"
        client.say(b"b APPEND INBOX {50}")
        self.backend.set("alice", Home(servers=(SECOND,)))
        for _ in range(12):
            client.ours.write(b"half a line")
            self.pass_time(1)
        self.assertFalse(client.lost)
        client.ours.write(b"end")
        self.pass_time(1)
        self.assertFalse(client.lost)
        self.pass_time(3)
        self.assertTrue(client.lost)
        # All of it arrived: the scripted server takes each piece for a command of its own.
        self.assertEqual(len(self.made[0].seen), 2 + 12 + 1)

    def test_who_waits_for_an_answer_of_home_is_not_cut(self) -> None:
        client = self.log_in()
        self.made[0].answers |= {b"APPEND": b"", b"": b""}
        client.say(b"b APPEND INBOX {5+}", b"hello")
        self.backend.set("alice", Home(servers=(SECOND,)))
        # The grace is over, and nothing has gone through for long; the message may be there by now.
        self.pass_time(16)
        self.assertFalse(client.lost)
        self.made[0].transport.write(b"b OK appended\r\n")
        self.pass_time(1)
        self.assertEqual(client.seen, b"b OK appended\r\n")
        self.pass_time(5)
        self.assertTrue(client.seen.endswith(GOODBYE), client.seen)

    def test_in_the_middle_of_a_line_from_home_there_is_no_bye(self) -> None:
        client = self.log_in()
        self.made[0].transport.write(b"* 1 FETCH (BODY[] {100}\r\nabc")
        self.pass_time(5)
        self.backend.set("alice", Home(servers=(SECOND,)))
        self.pass_time(11)
        self.assertTrue(client.lost)
        self.assertNotIn(b"BYE", client.seen)

    def test_who_is_served_here_and_moves_away_is_told(self) -> None:
        client, idle = self.log_in(b"carol"), self.log_in(b"carol")
        idle.say(b"b SELECT INBOX", b"c IDLE")
        idle.seen = b""
        self.backend.set("carol", Home(servers=(HOME,)))
        self.pass_time(13)
        self.assertEqual((client.seen, idle.seen), (GOODBYE, GOODBYE))

    def test_a_message_on_its_way_here_is_not_cut(self) -> None:
        client = self.log_in(b"carol")
        self.assertIn(b"+ ", client.say(b"b APPEND INBOX {12}"))
        self.backend.set("carol", Home(servers=(HOME,)))
        self.pass_time(12)
        self.assertFalse(client.lost)
        self.assertIn(b"b OK", client.say(b"Subject: x\r\n"))
        self.pass_time(11)
        self.assertTrue(client.lost)

    def test_with_public_mailboxes_here_the_session_goes_on(self) -> None:
        self.house.factory.door = self.only_referring()
        self.backend.set("carol", Home(servers=(HOME,), public_here=True))
        client = Wire(self.net, self.house)
        self.assertIn(b"a OK [REFERRAL", client.say(b"a LOGIN carol secret"))
        self.changed(None)
        self.pass_time(60)
        self.assertFalse(client.lost)

    def only_referring(self) -> Any:
        return attrs.evolve(self.house.door, relay=None)

    def test_sessions_that_end_by_themselves_are_forgotten(self) -> None:
        relayed, served = self.log_in(), self.log_in(b"carol")
        served.say(b"b LOGOUT")
        relayed.ours.loseConnection()
        relayed.say()
        self.assertEqual([*self.mover.live.users()], [])


class Held(MoveCase):
    def setUp(self) -> None:
        super().setUp()
        self.backend.set("alice", Home(servers=(HOME,), held=True))

    def test_a_login_waits_until_the_user_is_released_and_goes_to_the_new_home(self) -> None:
        client = Wire(self.net, self.house)
        self.assertEqual(client.say(b"a " + LOGIN), b"")
        self.pass_time(5)
        self.backend.set("alice", Home(servers=(SECOND,)))
        self.assertIn(b"a OK ", client.say())
        self.assertEqual(self.results(), [("relayed", "second.example:143")])

    @proves("S1")
    def test_one_that_has_waited_long_enough_may_try_again(self) -> None:
        client = Wire(self.net, self.house)
        client.say(b"a " + LOGIN)
        self.pass_time(21)
        self.assertEqual(
            client.seen,
            b"a NO [UNAVAILABLE] This mailbox is being moved; "
            b"please try again in a few minutes.\r\n",
        )
        self.assertFalse(client.lost)
        self.assertEqual(self.results(), [("refused", "")])
        self.assertIn("held", self.house.logins[0].cause)

    @proves("S4")
    def test_a_wrong_password_learns_nothing(self) -> None:
        answers = []
        for user in (b"alice", b"bob"):
            client = Wire(self.net, self.house)
            answers.append(client.say(b"a LOGIN %b wrong" % user))
        self.assertEqual(answers[0], answers[1])
        self.assertIn(b"[AUTHENTICATIONFAILED]", answers[0])
        self.assertEqual(len(self.held), 0)

    def test_a_client_that_gives_up_waits_no_more(self) -> None:
        client = Wire(self.net, self.house)
        client.say(b"a " + LOGIN)
        self.assertEqual(len(self.held), 1)
        client.ours.loseConnection()
        client.say()
        self.assertEqual(len(self.held), 0)

    def test_who_is_logged_in_when_the_copy_begins_is_put_out(self) -> None:
        relayed, served = self.log_in(b"bob"), self.log_in(b"carol")
        self.backend.set("bob", Home(servers=(HOME,), held=True))
        self.backend.set("carol", Home(held=True))
        self.pass_time(12)
        told = b"* BYE This mailbox is being moved; please connect again in a few minutes.\r\n"
        self.assertEqual((relayed.seen, served.seen), (told, told))
