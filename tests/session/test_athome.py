"""Passwords that are known nowhere but at the user's home server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse

from referrald.errors import AuthenticationFailed
from referrald.model import Limits, Server
from tests.client.net import Scripted
from tests.proves import proves
from tests.session.athome import FAILURE_DELAY, HOME, SECOND, AtHomeCase

LOGIN = b"LOGIN alice secret"
ASKED = b"AUTHENTICATE PLAIN " + b64encode(b"\0al\0secret")
FAILED = b"a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
REFERRED = b"a NO [REFERRAL imap://al;AUTH=*@home.example/] Your mailbox is on another server.\r\n"
UNAVAILABLE = b"a NO [UNAVAILABLE] "


class Nobody:
    """A home that lets nobody in."""

    async def log_in(self, user: str, **shown: object) -> None:
        raise AuthenticationFailed("no")

    async def nobody(self, user: str) -> None:
        raise AssertionError("there is a home")


def plain(text: bytes) -> bytes:
    return b"AUTHENTICATE PLAIN " + b64encode(text)


class Relayed(AtHomeCase):
    how = "relay"

    def test_one_connection_and_one_login_serve_for_both(self) -> None:
        self.serve()
        client = self.connect()
        answer, _ = client.answer(LOGIN)
        self.assertEqual(answer, b"a OK [CAPABILITY IMAP4rev1 IDLE XHOME] Logged in.\r\n")
        self.assertEqual(client.say(b"b XHOME x"), b"b OK done\r\n")
        self.assertEqual(self.net.dialled, [("home.example", 143)])
        self.assertEqual(self.homes[0].seen, [ASKED, b"XHOME x"])
        (event,) = self.house.logins
        self.assertEqual((event.result, event.user), ("relayed", "alice"))
        self.assertEqual(event.target, "home.example:143")

    def test_so_they_do_after_sasl(self) -> None:
        self.serve()
        for line in (plain(b"\0alice\0secret"), plain(b"alice\0alice\0secret")):
            self.assertIn(b"a OK ", self.log_in(line))
        client = self.connect()
        client.say(b"a AUTHENTICATE LOGIN " + b64encode(b"alice"))
        self.assertIn(b"a OK ", client.say(b64encode(b"secret")))
        self.assertEqual([home.seen for home in self.homes], [[ASKED]] * 3)

    def test_a_wrong_password_is_asked_once(self) -> None:
        self.serve()
        self.assertEqual(self.log_in(b"LOGIN alice wrong"), FAILED)
        self.assertEqual(len(self.asked()), 1)
        self.assertEqual(self.results(), ["failed"])

    def test_home_may_refer_on(self) -> None:
        moved = b"%b NO [REFERRAL imap://al;AUTH=*@second.example/] moved"
        self.serve(refusal=moved, password=b"old")
        self.serve("second.example")
        self.assertIn(b"a OK ", self.log_in())
        self.assertEqual([event.target for event in self.house.logins], ["second.example:143"])
        self.assertEqual(self.asked(), [ASKED, ASKED])

    def test_a_client_that_is_put_out_while_home_is_asked_leaves_nothing(self) -> None:
        self.serve(refusal=b"")
        client = self.connect()
        client.say(b"a LOGIN alice wrong")
        client.session.close()
        self.homes[0].transport.write(b"a1 OK in\r\n")
        client.say()
        self.assertTrue(self.homes[0].transport.other.transport.gone)
        self.assertEqual(self.house.notes.faults, [])

    def test_who_moves_while_home_is_asked_is_logged_in_at_the_new_one(self) -> None:
        self.serve()
        self.serve("second.example")
        self.open_house()
        away = self.house.door.router.away

        async def and_move(login: object) -> object:
            found = await away(login)
            self.backend.set("alice", self.at(SECOND))
            return found

        self.house.door.router.away = and_move
        self.assertIn(b"a OK ", self.log_in())
        self.assertEqual([event.target for event in self.house.logins], ["second.example:143"])
        self.assertTrue(self.homes[0].transport.other.transport.gone)

    def test_what_is_remembered_but_no_longer_right_is_a_failed_login(self) -> None:
        self.serve()
        self.assertIn(b"a OK ", self.log_in(home_seconds=60.0))
        self.serve(password=b"new")
        answer, seconds = self.connect().answer(LOGIN)
        self.assertEqual(answer, FAILED)
        self.assertGreaterEqual(seconds, FAILURE_DELAY)
        # And it is remembered no more.
        again = self.authenticator.password("alice", b"secret", home=Nobody())
        self.assertEqual(self.net.drive(self.outcome(again)), "AuthenticationFailed")
        self.assertEqual(self.results(), ["relayed", "failed"])

    async def outcome(self, proof: Awaitable[str]) -> str:
        try:
            return await proof
        except AuthenticationFailed as error:
            return type(error).__name__


class Referred(AtHomeCase):
    def test_we_log_out_at_home_before_the_client_is_referred(self) -> None:
        self.serve()
        self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(self.told[-3:], [
            "home: AUTHENTICATE", "home: LOGOUT", f"client: {REFERRED.decode()}"
        ])  # fmt: skip
        self.assertEqual(self.net.dialled, [("home.example", 143)])
        self.assertTrue(self.homes[0].transport.other.transport.gone)
        self.assertEqual(self.results(), ["referred"])

    def test_asking_counts_for_no_storm(self) -> None:
        self.serve()
        self.open_house()
        for _ in range(3):
            self.log_in(b"LOGIN alice wrong")
        self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(self.log_in(), REFERRED)
        self.assertIn(b"a NO [LIMIT] ", self.log_in())
        self.assertEqual(self.homes[-1].seen, [ASKED, b"LOGOUT"])

    @proves("S1")
    def test_a_home_that_cannot_be_asked_is_no_failed_login(self) -> None:
        client = self.connect(limits=Limits(failure_delay=2.0, login_failures=1))
        answer, seconds = client.answer(LOGIN)
        self.assertTrue(answer.startswith(UNAVAILABLE), answer)
        self.assertLess(seconds, 1.0)
        self.assertEqual(client.session.failed_logins, 0)
        self.assertFalse(client.lost)
        self.clock.advance(120)  # the server is left alone for a while
        self.serve(refusal=b"%b NO [UNAVAILABLE] no database")
        client = self.connect()
        self.assertTrue(client.answer(b"LOGIN alice wrong")[0].startswith(UNAVAILABLE))
        self.serve(greeting=b"* BYE too many connections")
        self.assertTrue(client.answer(LOGIN)[0].startswith(UNAVAILABLE))
        self.assertEqual(client.session.failed_logins, 0)
        self.assertIn("too many connections", self.house.logins[-1].cause)

    def test_strangers_cannot_have_a_home_left_alone(self) -> None:
        self.serve(refusal=b"")
        for _ in range(4):
            self.assertTrue(self.connect().answer(b"LOGIN alice wrong", patience=60.0)[0])
        self.assertIn("did not answer", self.house.logins[-1].cause)
        self.assertEqual(self.relay.circuit.resting, 0)
        self.assertEqual(self.log_in(), REFERRED)

    def test_a_home_that_asks_for_no_password_proves_nothing(self) -> None:
        self.serve(greeting=b"* PREAUTH [CAPABILITY IMAP4rev1] come in")
        self.assertTrue(self.log_in(b"LOGIN alice wrong").startswith(UNAVAILABLE))
        self.assertEqual(self.asked(), [])
        self.assertIn("proves nothing", self.house.logins[0].cause)

    def test_that_a_user_is_held_is_said_to_its_owner_only(self) -> None:
        self.serve()
        self.backend.set("alice", self.at(HOME, held=True))
        self.assertIn(b"a NO [UNAVAILABLE] This mailbox is being moved", self.log_in())
        wrong = self.log_in(b"LOGIN alice wrong")
        self.assertTrue(wrong.startswith(b"a NO [AUTHENTICATIONFAILED]"), wrong)

    def test_an_account_that_is_closed_says_so_to_its_owner_only(self) -> None:
        self.serve()
        self.backend.set("alice", self.at(HOME, closed="Gone fishing."))
        self.assertEqual(self.log_in(b"LOGIN alice wrong"), FAILED)
        self.assertEqual(self.log_in(), b"a NO Gone fishing.\r\n")
        self.assertEqual(self.told[-2], "home: LOGOUT")

    def test_who_is_held_is_logged_out_before_waiting(self) -> None:
        self.serve()
        self.backend.set("alice", self.at(HOME, held=True))
        self.assertEqual(self.log_in(b"LOGIN alice wrong"), FAILED)
        self.assertTrue(self.log_in().startswith(UNAVAILABLE))
        self.assertEqual(self.told[-2], "home: LOGOUT")

    def test_no_server_that_may_be_asked(self) -> None:
        self.serve("home.test")
        self.backend.set("alice", self.at(Server(host="home.test")))
        self.assertTrue(self.log_in().startswith(UNAVAILABLE))
        self.assertEqual(self.homes, [])

    def test_what_is_known_here_is_not_asked_at_home(self) -> None:
        known = InMemoryUsernamePasswordDatabaseDontUse(alice=b"local")
        self.serve()
        self.open_house(known)
        self.assertEqual(self.log_in(b"LOGIN alice local"), REFERRED)
        self.assertEqual(self.asked(), [])
        self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(self.asked(), [ASKED])

    def test_a_client_that_goes_away_while_home_is_asked(self) -> None:
        self.serve(refusal=b"")
        client = self.connect()
        client.say(b"a LOGIN alice wrong")
        client.ours.loseConnection()
        client.say()
        self.assertTrue(self.homes[0].transport.other.transport.gone)
        self.assertEqual(self.relay.circuit.resting, 0)
        self.assertEqual(self.house.notes.faults, [])

    def test_a_client_that_goes_away_while_nobody_is_asked(self) -> None:
        client = self.connect()
        client.ours.write(b"a LOGIN nobody x\r\n")
        self.net.run()
        client.ours.loseConnection()
        client.say()
        self.assertEqual(self.house.notes.faults, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @proves("S4")
    def test_no_password_is_written_down(self) -> None:
        echo = b"%b NO wrong: hunter2 " + b64encode(b"\0al\0hunter2") + b64encode(b"hunter2")
        self.serve(refusal=echo)
        client = self.connect()
        client.answer(b"LOGIN alice hunter2")
        self.serve(refusal=b"%b NO [UNAVAILABLE] hunter2")
        client.answer(b"LOGIN alice hunter2")
        shown = repr((self.house.logins, self.house.notes.lines))
        self.assertIn("wrong: ***", shown)
        self.assertNotIn("hunter2", shown)
        self.assertNotIn(b64encode(b"hunter2").decode(), shown)


class Unknown(AtHomeCase):
    """Who exists is not to be told by any answer."""

    @proves("L7")
    def test_unknown_users_wrong_passwords_and_users_without_one_look_alike(self) -> None:
        self.serve(slow=0.7)
        self.open_house()
        self.log_in(b"LOGIN alice wrong")
        for form in (b"LOGIN %b wrong", plain(b"\0%b\0wrong")):
            found = set()
            for user in (b"alice", b"bob", b"nobody", b"x" * 300):
                line = form % user if b"%b" in form else plain(b"\0%b\0wrong" % user)
                answer, seconds = self.connect().answer(line)
                found.add((answer, round(seconds, 1)))
            self.assertEqual(found, {(FAILED, 2.7)})
        self.assertEqual(set(self.results()), {"failed"})

    def test_before_anything_was_measured_there_is_a_guess(self) -> None:
        self.open_house()
        _, seconds = self.connect().answer(b"LOGIN nobody x")
        self.assertAlmostEqual(seconds, 2.05, places=1)

    def test_failures_count_and_end_the_connection(self) -> None:
        self.serve()
        self.open_house(limits=Limits(failure_delay=2.0, login_failures=2))
        client = self.connect()
        self.assertEqual(client.answer(b"LOGIN nobody x")[0], FAILED)
        answer, _ = client.answer(b"LOGIN alice wrong")
        self.assertEqual(answer, FAILED + b"* BYE Too many failed logins.\r\n")

    def test_an_empty_password_is_not_asked(self) -> None:
        self.serve()
        self.assertEqual(self.log_in(b'LOGIN alice ""'), FAILED)
        self.assertEqual(self.log_in(plain(b"\0alice\0")), FAILED)
        self.assertEqual(self.homes, [])


class Tokens(AtHomeCase):
    how = "relay"
    names = ("PLAIN", "OAUTHBEARER", "XOAUTH2")

    def bearer(self, user: bytes, token: bytes) -> bytes:
        header = b"n,a=%b," % user if user else b"n,,"
        message = b"%b\x01auth=Bearer %b\x01\x01" % (header, token)
        return b"AUTHENTICATE OAUTHBEARER " + b64encode(message)

    def test_a_token_is_tried_at_home(self) -> None:
        self.serve()
        self.assertIn(b"a OK ", self.log_in(self.bearer(b"alice", b"t0ken"), mechanisms=self.names))
        xoauth2 = b64encode(b"user=alice\x01auth=Bearer t0ken\x01\x01")
        self.assertIn(b"a OK ", self.log_in(b"AUTHENTICATE XOAUTH2 " + xoauth2))
        self.assertEqual(len(self.asked()), 2)
        self.assertEqual(self.net.dialled, [("home.example", 143)] * 2)

    def test_a_wrong_one_fails_as_that_of_an_unknown_user_does(self) -> None:
        self.serve()
        self.open_house(mechanisms=self.names)
        said = []
        for user, token in ((b"alice", b"wr0ng"), (b"nobody", b"t0ken"), (b"", b"t0ken")):
            client = self.connect()
            challenge = client.say(b"a " + self.bearer(user, token))
            said.append((challenge, client.answer(b"AQ==", tag=b"")[0]))
        self.assertEqual(len(set(said)), 1, said)
        self.assertEqual(said[0][1], FAILED)
        self.assertEqual(len(self.asked()), 1)


class Another(AtHomeCase):
    """Who acts as another user is for that user's home to judge."""

    how = "relay"

    def test_home_may_know_a_master(self) -> None:
        self.serve()
        self.assertIn(b"a OK ", self.log_in(plain(b"alice\0root\0top")))
        self.assertEqual(self.homes[0].seen, [plain(b"al\0root\0top")])
        self.assertEqual([event.user for event in self.house.logins], ["alice"])

    def test_a_master_of_ours_is_none_there(self) -> None:
        self.serve()
        self.open_house(masters=("chief",), home_seconds=60.0)
        self.assertEqual(self.log_in(plain(b"alice\0chief\0secret")), FAILED)
        self.assertEqual(self.homes[0].seen, [plain(b"al\0chief\0secret")])

    def test_a_success_of_a_master_is_not_remembered(self) -> None:
        self.serve()
        self.open_house(home_seconds=60.0)
        for _ in range(2):
            self.assertIn(b"a OK ", self.log_in(plain(b"alice\0root\0top")))
        self.assertIn(b"NO", self.log_in(plain(b"\0root\0top")))
        self.assertEqual(len(self.asked()), 2)


class Remembering(AtHomeCase):
    def setUp(self) -> None:
        super().setUp()
        self.serve()
        self.open_house(home_seconds=60.0)
        self.assertEqual(self.log_in(), REFERRED)

    def test_the_second_login_asks_nobody(self) -> None:
        self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(len(self.asked()), 1)

    def test_a_wrong_password_is_asked_all_the_same(self) -> None:
        self.assertEqual(self.log_in(b"LOGIN alice wrong"), FAILED)
        self.assertEqual(len(self.asked()), 2)

    def test_after_the_time_home_is_asked_again(self) -> None:
        self.clock.advance(61)
        self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(len(self.asked()), 2)

    def test_who_has_moved_is_asked_at_the_new_home(self) -> None:
        self.serve("second.example", password=b"new")
        self.backend.set("alice", self.at(SECOND))
        self.assertEqual(self.log_in(), FAILED)
        self.assertEqual(self.net.dialled[-1], ("second.example", 143))

    def test_what_is_forgotten_while_home_is_asked_is_not_kept(self) -> None:
        self.authenticator.forget(None)
        self.serve(slow=0.0)
        self.homes.clear()
        make = self.net.servers["home.example", 143]

        def forgetting() -> Scripted:
            self.authenticator.forget("alice")
            made: Scripted = make()
            return made

        self.net.servers["home.example", 143] = forgetting
        for _ in range(2):
            self.clock.advance(61)
            self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(len(self.asked()), 2)


class NotRemembering(AtHomeCase):
    def test_by_default_home_is_asked_every_time(self) -> None:
        self.serve()
        for _ in range(2):
            self.assertEqual(self.log_in(), REFERRED)
        self.assertEqual(len(self.asked()), 2)


class Offered(AtHomeCase):
    def offered(self, **auth: object) -> set[str]:
        self.open_house(**auth)
        return set(self.authenticator.mechanisms(True, False))

    def test_passwords_are_offered_and_what_the_operator_names(self) -> None:
        self.assertEqual(self.offered(), {"PLAIN", "LOGIN"})
        names = ("PLAIN", "SCRAM-SHA-256", "OAUTHBEARER", "EXTERNAL")
        self.assertEqual(self.offered(mechanisms=names), {"PLAIN", "OAUTHBEARER"})
