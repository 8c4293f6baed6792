"""What is done about a login, and where clients are never sent."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.imapurl import parse
from referrald.model import Home, Refer, Refuse, Security, Serve, Server
from referrald.routing.policy import PolicySettings, decide
from tests.proves import proves
from tests.routing.support import clear, home, login

OPEN = PolicySettings()


def refused(decision: Any) -> Refuse:
    """Give a decision that must be a refusal."""
    assert isinstance(decision, Refuse), decision
    return decision


def referred(decision: Any) -> Refer:
    """Give a decision that must be a referral."""
    assert isinstance(decision, Refer), decision
    return decision


class DecideTests(SynchronousTestCase):
    @proves("L2", "L3", "L8")
    def test_a_user_whose_home_is_elsewhere_is_referred(self) -> None:
        decision = decide(login("alice"), home("h.example", source="table"), OPEN)
        server = Server(host="h.example")
        expected = Refer(
            url="imap://alice;AUTH=*@h.example/",
            server=server,
            servers=(server,),
            user="alice",
            source="table",
        )
        self.assertEqual(decision, expected)

    @proves("L8")
    def test_the_url_names_the_user_and_the_mechanism_to_use_there(self) -> None:
        decision = decide(login("alice"), home("h.example", user="a@b", auth="GSSAPI"), OPEN)
        self.assertEqual(referred(decision).url, "imap://a%40b;AUTH=GSSAPI@h.example/")

    @proves("L4")
    def test_a_user_with_public_mailboxes_here_is_let_in_as_well(self) -> None:
        decision = decide(login(), home(public_here=True), OPEN)
        self.assertTrue(referred(decision).authenticated)

    def test_a_user_whose_home_is_here_is_served(self) -> None:
        self.assertEqual(decide(login(), Home(source="table"), OPEN), Serve(source="table"))

    def test_a_user_without_a_home_is_told_whom_to_ask(self) -> None:
        self.assertEqual(refused(decide(login(), None, OPEN)).code, "CONTACTADMIN")

    def test_a_closed_account_is_refused_with_its_text_whatever_else_stands_there(self) -> None:
        for parts in ({}, {"servers": (Server(host="h"),), "public_here": True}):
            decision = refused(decide(login(), Home(closed="Moved away.", **parts), OPEN))
            self.assertEqual((decision.code, decision.text), (None, "Moved away."))
        self.assertTrue(refused(decide(login(), Home(closed=""), OPEN)).text)

    def test_the_first_server_without_an_objection_is_taken(self) -> None:
        settings = PolicySettings(
            own_names=frozenset({("front.example", 143)}), allowed=("*.example",)
        )
        servers = (
            "front.example",
            "h.elsewhere",
            "::1",
            "b a d.example",
            "good.example",
            "x.example",
        )
        there = Home(servers=tuple(Server(host=host) for host in servers))
        self.assertEqual(referred(decide(login(), there, settings)).server.host, "good.example")


class ObjectionsTests(SynchronousTestCase):
    def cause(self, there: Home, **settings: Any) -> str:
        """Give the cause of a refusal that must be temporary."""
        decision = refused(decide(login(), there, PolicySettings(**settings)))
        self.assertEqual(decision.code, "UNAVAILABLE")
        self.assertNotIn("example", decision.text)
        return decision.cause

    @proves("L9", "M11")
    def test_nobody_is_sent_to_this_server_itself_however_it_is_written(self) -> None:
        own = frozenset({("Front.Example.", 143), ("192.0.2.1", 993), ("bücher.example", 143)})
        own_servers = [
            Server(host="front.example"),
            Server(host="FRONT.example."),
            Server(host="192.0.2.1", port=993),
            Server(host="xn--bcher-kva.example"),
            Server(host="BÜCHER.example"),
        ]
        for server in own_servers:
            with self.subTest(repr(server)):
                self.assertIn("itself", self.cause(Home(servers=(server,)), own_names=own))

    @proves("L9")
    def test_another_port_under_the_same_name_is_another_server(self) -> None:
        settings = PolicySettings(own_names=frozenset({("h.example", 143)}))
        decision = decide(login(), Home(servers=(Server(host="h.example", port=993),)), settings)
        self.assertEqual(referred(decision).url, "imap://alice;AUTH=*@h.example:993/")

    @proves("L12")
    def test_only_allowed_targets(self) -> None:
        self.assertIn("allowed", self.cause(home("h.example"), allowed=("*.example.org",)))
        self.assertIn("allowed", self.cause(home("h.example"), allowed=()))
        self.assertIn("allowed", self.cause(home("evil.org"), allowed=("*.example", "h.org")))
        self.assertIn("allowed", self.cause(home("h.example.evil"), allowed=("*.example",)))
        for pattern in ("*.example", "H.EXAMPLE", "h.example.", "?.example", "*"):
            settings = PolicySettings(allowed=("nothing", pattern))
            for host in ("h.example", "H.Example", "h.example."):
                referred(decide(login(), home(host), settings))

    @proves("L12")
    def test_no_password_is_sent_in_the_clear_unless_allowed_by_name(self) -> None:
        there = Home(servers=(clear("h.example"),))
        self.assertIn("TLS", self.cause(there))
        self.assertIn("TLS", self.cause(there, allow_clear=("other.example",)))
        self.assertIn("allowed", self.cause(there, allowed=(), allow_clear=("*",)))
        for secure in (True, False):
            decision = decide(login(secure=secure), there, PolicySettings(allow_clear=("h.*",)))
            referred(decision)

    @proves("U4")
    def test_an_address_that_no_referral_can_carry(self) -> None:
        self.assertIn("IPv6", self.cause(home("2001:db8::9")))

    @proves("S5", "U5")
    def test_a_user_that_no_url_can_carry(self) -> None:
        for user in ("a\r\nb", "\udcff", "a\0"):
            with self.subTest(repr(user)):
                self.cause(home(user=user))

    @proves("L9")
    def test_the_cause_names_every_server_and_what_is_against_it(self) -> None:
        there = Home(
            servers=(Server(host="front"), Server(host="::1"), clear("c"), Server(host="/"))
        )
        cause = self.cause(there, own_names=frozenset({("front", 143)}))
        self.assertEqual(
            cause,
            "no server to refer to: front: this server itself; "
            "::1: an IPv6 address, which no referral can carry; "
            "c: without TLS, and not allowed in the clear; /: not a host name",
        )


HOSTS = st.sampled_from(
    [
        "a.example",
        "A.EXAMPLE.",
        "b.example",
        "c.test",
        "192.0.2.7",
        "::1",
        "[::1]",
        "a b",
        "",
        "127.1",
    ]
)
SERVERS = st.builds(
    Server,
    host=HOSTS,
    port=st.sampled_from([143, 993, 0, 70000]),
    security=st.sampled_from(Security),
)
HOMES = st.builds(
    Home,
    servers=st.lists(SERVERS, max_size=4).map(tuple),
    user=st.none() | st.text(max_size=5),
    auth=st.sampled_from(["*", "PLAIN", "", "a b"]),
    public_here=st.booleans(),
    closed=st.none() | st.text(max_size=3),
)
PATTERNS = st.lists(st.sampled_from(["*", "a.*", "*.EXAMPLE", "c.test.", "192.*"])).map(tuple)
SETTINGS = st.builds(
    PolicySettings,
    own_names=st.frozensets(st.tuples(HOSTS, st.sampled_from([143, 993]))),
    allowed=PATTERNS,
    allow_clear=PATTERNS,
)


class PropertiesTests(SynchronousTestCase):
    @proves("L2", "L8", "L9", "L12", "U4")
    @given(st.text(max_size=5), st.booleans(), st.none() | HOMES, SETTINGS)
    def test_no_referral_leads_where_it_must_not(
        self, user: str, secure: bool, there: Home | None, settings: PolicySettings
    ) -> None:
        decision = decide(login(user, secure=secure), there, settings)
        if not isinstance(decision, Refer):
            return
        assert there is not None
        url = parse(decision.url)
        host, port = url.host.rstrip("."), url.port or 143
        self.assertIn(decision.server, there.servers)
        self.assertEqual(port, decision.server.port)
        self.assertEqual(url.kind, "server")
        self.assertEqual(url.user, there.user or user)
        self.assertIsNotNone(url.auth)
        self.assertNotIn("]", decision.url)
        own = {(name.lower().rstrip("."), number) for name, number in settings.own_names}
        self.assertNotIn((host, port), own)
        self.assertTrue(matches(host, settings.allowed))
        if decision.server.security is Security.CLEAR:
            self.assertTrue(matches(host, settings.allow_clear))


def matches(host: str, patterns: tuple[str, ...]) -> bool:
    """Match a host in the simplest way."""
    return any(fnmatchcase(host, pattern.lower().rstrip(".")) for pattern in patterns)
