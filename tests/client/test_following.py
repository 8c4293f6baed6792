"""Logging in where an account is, from server to server."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.client.chain import Loop, TooManyHops
from referrald.client.following import Credentials, Forbidden, LoginFollower, Step, TurnedAway
from referrald.client.policy import CredentialPolicy
from referrald.client.referrals import RefusedReferral
from referrald.client.replies import ConnectionEnded
from referrald.client.transport import NotReached
from referrald.errors import AuthenticationFailed
from tests.client.net import Net, Scripted
from tests.proves import proves

HELLO = b"* OK [CAPABILITY IMAP4rev1] hi"
IN = b"%b OK [CAPABILITY IMAP4rev1 IDLE] in"


def refers(url: str, kind: bytes = b"NO") -> bytes:
    return b"%b " + kind + b" [REFERRAL " + url.encode() + b"] go there"


class FollowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.net = Net()
        self.steps: list[Step] = []
        self.made: dict[str, list[Scripted]] = {}

    def server(self, host: str, port: int = 143, greeting: bytes = HELLO, **answers: bytes) -> None:
        def make() -> Scripted:
            given = {name.upper().encode(): answer for name, answer in answers.items()}
            server = Scripted(greeting, given)
            self.made.setdefault(host, []).append(server)
            return server

        self.net.servers[host, port] = make

    def open(
        self, url: str = "imap://front.example/", *, proof: bool = False, **policy: Any
    ) -> Any:
        settings = {"origin": "front.example", "allowed": ("*.example",), **policy}
        follower = LoginFollower(
            self.net.clock,
            Credentials(user="alice", password="hunter2"),
            CredentialPolicy(**settings),
            on_step=self.steps.append,
            dial=self.net.dial,
            proof=proof,
        )
        return self.net.drive(follower.open(url))

    def outcomes(self) -> list[tuple[str, str]]:
        return [(step.host, step.outcome) for step in self.steps]

    def passwords_seen(self, host: str) -> bool:
        return any(b"hunter2" in line for server in self.made.get(host, []) for line in server.seen)


class Following(FollowingCase):
    def test_a_server_that_has_the_mail_is_the_end(self) -> None:
        self.server("front.example", login=IN)
        arrived = self.open()
        self.assertEqual(arrived.target.host, "front.example")
        self.assertIn("IDLE", arrived.connection.capabilities)
        self.assertEqual(self.outcomes(), [("front.example", "here")])

    @proves("L10")
    def test_a_referral_is_followed_under_the_name_that_it_gives(self) -> None:
        self.server("front.example", login=refers("imap://al%20ice;AUTH=*@home.example:1143/"))
        self.server("home.example", 1143, login=IN)
        arrived = self.open()
        self.assertEqual(arrived.target.port, 1143)
        self.assertEqual(self.made["home.example"][0].seen[-1], b'LOGIN "al ice" hunter2')
        self.assertEqual(self.made["front.example"][0].seen[-1], b"LOGOUT")
        self.assertEqual(self.outcomes(), [("front.example", "referred"), ("home.example", "here")])

    def test_a_greeting_that_says_good_bye_refers_too(self) -> None:
        self.server("front.example", greeting=b"* BYE [REFERRAL imap://;AUTH=*@b.example/] drained")
        self.server("b.example", login=IN)
        self.assertEqual(self.open().target.host, "b.example")
        self.assertFalse(self.passwords_seen("front.example"))

    def test_an_ok_with_a_referral_stays_and_tells_where_the_rest_is(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@home.example/", b"OK"))
        arrived = self.open()
        self.assertEqual(arrived.target.host, "front.example")
        self.assertEqual(arrived.elsewhere.urls[0].host, "home.example")

    def test_a_referral_in_a_bad_is_none(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@home.example/", b"BAD"))
        self.server("home.example", login=IN)
        self.assertRaises(TurnedAway, self.open)
        self.assertEqual(self.net.dialled, [("front.example", 143)])

    def test_a_refusal_that_is_not_about_the_credentials_is_told_apart(self) -> None:
        for code in (b"[UNAVAILABLE]", b"[inuse]", b"[LIMIT] ", b"[SERVERBUG x]"):
            self.server("front.example", login=b"%b NO " + code + b" not now")
            self.assertRaises(TurnedAway, self.open)
        for code in (b"", b"[AUTHENTICATIONFAILED]", b"[EXPIRED]", b"[ALERT] [UNAVAILABLE]"):
            self.server("front.example", login=b"%b NO " + code + b" not you")
            self.assertRaises(AuthenticationFailed, self.open)
        self.server("front.example", greeting=b"* BYE too many")
        self.assertRaises(TurnedAway, self.open)
        self.assertEqual({step.outcome for step in self.steps}, {"refused"})

    def test_one_that_asks_for_no_password_is_no_proof(self) -> None:
        self.server("front.example", greeting=b"* PREAUTH [CAPABILITY IMAP4rev1] come in")
        self.assertEqual(self.open().target.host, "front.example")
        self.assertRaises(Forbidden, self.open, proof=True)
        self.assertEqual(self.outcomes()[-1], ("front.example", "forbidden"))

    @proves("L10")
    def test_two_that_refer_to_each_other_are_noticed(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@b.example/"))
        self.server("b.example", login=refers("imap://alice;AUTH=*@FRONT.example/"))
        self.assertRaises(Loop, self.open)
        self.assertEqual(len(self.net.dialled), 2)

    @proves("L10")
    def test_ten_hops_and_no_more(self) -> None:
        for number in range(12):
            there = refers(f"imap://alice;AUTH=*@h{number + 1}.example/")
            self.server(f"h{number}.example", login=there)
        self.assertRaises(TooManyHops, self.open, "imap://h0.example/", origin="h0.example")
        self.assertEqual(len(self.net.dialled), 11)

    def test_a_second_url_is_tried_when_the_first_cannot_be_reached(self) -> None:
        urls = "imap://alice;AUTH=*@down.example/ imap://alice;AUTH=*@up.example/"
        self.server("front.example", login=refers(urls))
        self.server("up.example", login=IN)
        self.assertEqual(self.open().target.host, "up.example")

    def test_a_relative_url_is_one_of_this_server(self) -> None:
        self.server("front.example", login=refers("//alice;AUTH=*@home.example/"))
        self.server("home.example", login=IN)
        self.assertEqual(self.open().target.host, "home.example")

    def test_a_wrong_password_is_told_in_the_servers_words(self) -> None:
        self.server("front.example", login=b"%b NO [AUTHENTICATIONFAILED] wrong")
        error = self.assertRaises(AuthenticationFailed, self.open)
        self.assertIn("wrong", str(error))
        self.assertEqual(self.outcomes(), [("front.example", "refused")])

    def test_a_server_that_is_not_there(self) -> None:
        self.assertRaises(NotReached, self.open)
        self.assertEqual(self.outcomes(), [("front.example", "unreachable")])

    def test_a_server_that_goes_away_in_the_middle(self) -> None:
        self.server("front.example", login=b"garbage")
        self.assertRaises(ConnectionEnded, self.open)

    def test_a_mechanism_that_is_not_known_is_not_tried(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=GSSAPI@home.example/"))
        self.server("home.example", login=IN)
        self.assertIn("GSSAPI", str(self.assertRaises(AuthenticationFailed, self.open)))
        self.assertFalse(self.passwords_seen("home.example"))


class Care(FollowingCase):
    """Whom the credentials are not given to."""

    @proves("L12")
    def test_a_host_that_is_not_allowed(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@evil.test/"))
        self.server("evil.test", login=IN)
        self.assertRaises(Forbidden, self.open)
        self.assertEqual(self.net.dialled, [("front.example", 143)])
        self.assertEqual(self.outcomes()[-1], ("evil.test", "forbidden"))

    def test_an_ok_whose_referral_is_of_no_use_is_an_ok(self) -> None:
        self.server("front.example", login=b"%b OK [REFERRAL http://x/] in")
        self.assertIsNone(self.open().elsewhere)

    @proves("L12")
    def test_a_server_without_tls(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@clear.example/"))
        self.server("clear.example", login=IN)
        self.net.insecure.add("clear.example")
        self.assertRaises(NotReached, self.open)
        self.assertFalse(self.passwords_seen("clear.example"))
        arrived = self.open(allow_clear=("clear.example",))
        self.assertFalse(arrived.connection.secure)

    @proves("U6")
    def test_never_as_anonymous(self) -> None:
        self.server("front.example", login=refers("imap://home.example/"))
        self.server("home.example", login=IN)
        self.assertEqual(self.open().connection.user, "alice")
        self.server("front.example", login=refers("imap://;AUTH=ANONYMOUS@home.example/"))
        self.assertRaises(RefusedReferral, self.open)

    def test_a_url_that_is_not_clear(self) -> None:
        for url in ("imap://u;AUTH=*@h%00.evil/", "http://h/", "imap://u:pw@home.example/", ""):
            self.setUp()
            self.server("front.example", login=refers(url))
            self.assertRaises(RefusedReferral, self.open)

    @proves("S4")
    def test_the_password_is_in_no_step_and_no_repr(self) -> None:
        self.server("front.example", login=refers("imap://alice;AUTH=*@home.example/"))
        self.server("home.example", login=b"%b NO wrong")
        error = self.assertRaises(AuthenticationFailed, self.open)
        shown = repr(
            (self.steps, error, Credentials(user="alice", password="hunter2", token="t0k"))
        )
        self.assertNotIn("hunter2", shown)
        self.assertNotIn("t0k", shown)
