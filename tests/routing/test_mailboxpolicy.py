"""What is done about a mailbox."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.mailmodel import MailboxDecision, MailboxLocation, ReferMailbox, Replica
from referrald.model import Home, Refuse, Security, Serve, Server
from referrald.routing.mailboxpolicy import decide_mailbox
from referrald.routing.policy import PolicySettings
from tests.proves import proves
from tests.routing.support import at, home

OWN = PolicySettings(own_names=frozenset({("own.example", 143), ("own.example", 993)}))


def decided(
    location: MailboxLocation | None = None,
    *,
    name: str = "A",
    home: Home | None = None,
    policy: PolicySettings = OWN,
    public: str = "",
    **more: Any,
) -> MailboxDecision:
    """Decide about a mailbox of alice."""
    return decide_mailbox("alice", name, location, home, policy, public, **more)


class LocationTests(SynchronousTestCase):
    @proves("M2")
    def test_all_replicas_are_named_in_order(self) -> None:
        location = at("c.example", "a.example", "b.example", name="X", source="b0")
        decision = decided(location)
        assert isinstance(decision, ReferMailbox)
        self.assertEqual(
            decision.urls,
            tuple(f"imap://alice;AUTH=*@{host}.example/X" for host in "cab"),
        )
        self.assertEqual(decision.replicas, location.replicas)
        self.assertEqual((decision.personal, decision.source), (False, "b0"))

    @proves("M13")
    def test_name_user_mechanism_and_port_are_those_of_the_replica(self) -> None:
        replica = Replica(
            server=Server(host="a.example", port=993, security=Security.TLS),
            name="Teams/Entw\u00fcrfe",
            user="al@x",
            auth="GSSAPI",
        )
        decision = decided(MailboxLocation(replicas=(replica,)))
        assert isinstance(decision, ReferMailbox)
        self.assertEqual(
            decision.urls, ("imap://al%40x;AUTH=GSSAPI@a.example:993/Teams/Entw%C3%BCrfe",)
        )

    def test_a_place_that_is_named_twice_is_told_once(self) -> None:
        decision = decided(at("a.example", "b.example", "A.Example"))
        assert isinstance(decision, ReferMailbox)
        self.assertEqual(len(decision.urls), 2)
        self.assertEqual(
            [each.server.host for each in decision.replicas], ["a.example", "b.example"]
        )

    def test_a_location_that_says_here_is_served(self) -> None:
        self.assertEqual(decided(MailboxLocation(source="b0")), Serve(source="b0"))

    def test_what_a_backend_says_wins_over_home_and_public(self) -> None:
        homes = [None, Home(), home("h.example"), Home(closed="No."), home(closed="No.")]
        for each in homes:
            for name in ("A", "INBOX", "Public/A"):
                with self.subTest(f"{each} {name}"):
                    elsewhere = decided(at("a.example"), home=each, name=name, public="Public")
                    self.assertIsInstance(elsewhere, ReferMailbox)
                    self.assertEqual(elsewhere, decided(at("a.example")))
                    here = decided(MailboxLocation(), home=each, name=name, public="Public")
                    self.assertIsInstance(here, Serve)


class MovingTests(SynchronousTestCase):
    def test_on_its_way_without_a_place_it_is_in_use(self) -> None:
        decision = decided(MailboxLocation(moving=True, source="b0"))
        assert isinstance(decision, Refuse)
        self.assertEqual((decision.code, decision.source), ("INUSE", "b0"))
        self.assertIn("being moved", decision.text)

    def test_a_name_that_no_server_can_have_is_refused_for_good(self) -> None:
        decision = decided(MailboxLocation(nowhere=True))
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.code, "CANNOT")

    def test_on_its_way_to_a_place_clients_are_sent_there(self) -> None:
        self.assertEqual(decided(at("a.example", moving=True)), decided(at("a.example")))

    @proves("M11")
    def test_on_its_way_to_this_server_nobody_is_served_yet(self) -> None:
        decision = decided(at("own.example", moving=True))
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.code, "UNAVAILABLE")


class ObjectionTests(SynchronousTestCase):
    @proves("M11")
    def test_this_server_itself_is_never_named(self) -> None:
        for host in ("own.example", "OWN.example", "own.example."):
            decision = decided(at(host, name="A"))
            assert isinstance(decision, Refuse)
            self.assertEqual(decision.code, "UNAVAILABLE")
            self.assertEqual(
                decision.cause, f"no server to refer to for mailbox A: {host}: this server itself"
            )
        decision = decided(at("own.example", "a.example", "own.example"))
        assert isinstance(decision, ReferMailbox)
        self.assertEqual([each.server.host for each in decision.replicas], ["a.example"])

    @proves("U4", "M13")
    def test_a_place_that_no_url_can_name_is_left_out_and_its_cause_told(self) -> None:
        good = at("a.example").replicas[0]
        bad = {
            "IPv6": attrs.evolve(good, server=Server(host="::1")),
            "no host": attrs.evolve(good, server=Server(host="")),
            "not a host name": attrs.evolve(good, server=Server(host="a b")),
            "holds NUL, CR, LF": attrs.evolve(good, name="a\r\nb"),
            "half a character": attrs.evolve(good, name="\ud800"),
            "the mailbox: empty": attrs.evolve(good, name=""),
            "the user": attrs.evolve(good, user="a\nb"),
            "SASL mechanism": attrs.evolve(good, auth="a b"),
            "not a number from 1": attrs.evolve(good, server=Server(host="a", port=70000)),
        }
        for cause, replica in bad.items():
            with self.subTest(cause):
                decision = decided(MailboxLocation(replicas=(replica,), source="b0"))
                assert isinstance(decision, Refuse)
                self.assertEqual((decision.code, decision.source), ("UNAVAILABLE", "b0"))
                self.assertIn(cause, decision.cause)
                self.assertNotIn(cause, decision.text)
                decision = decided(MailboxLocation(replicas=(replica, good)))
                assert isinstance(decision, ReferMailbox)
                self.assertEqual(decision.replicas, (good,))
        decision = decided(MailboxLocation(replicas=tuple(bad.values())))
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.cause.count(";"), len(bad) - 1)

    @proves("L12")
    def test_nobody_is_sent_where_the_policy_does_not_allow(self) -> None:
        clear = Replica(server=Server(host="a.example", security=Security.CLEAR), name="A")
        location = MailboxLocation(replicas=(clear,))
        self.assertIsInstance(decided(location), Refuse)
        allowing = PolicySettings(allow_clear=("a.example",))
        self.assertIsInstance(decided(location, policy=allowing), ReferMailbox)
        strict = PolicySettings(allowed=("*.example.org",))
        self.assertIsInstance(decided(at("a.example"), policy=strict), Refuse)


class HomeTests(SynchronousTestCase):
    @proves("M12")
    def test_what_nobody_speaks_of_is_here(self) -> None:
        for each in (None, Home(), Home(public_here=True)):
            for name in ("A", "INBOX", "Public/A"):
                self.assertIsInstance(decided(home=each, name=name, public="Public"), Serve)

    @proves("L4")
    def test_where_the_home_is_elsewhere_public_is_here_and_all_else_there(self) -> None:
        lives = home("h.example", public_here=True, source="b0")
        for name in ("Public", "Public/A", "Public/A/B"):
            self.assertEqual(decided(home=lives, name=name, public="Public"), Serve(source="b0"))
        for name in ("INBOX", "A", "PublicA", "Publi", "public/A", "A/Public", "Public.A"):
            decision = decided(home=lives, name=name, public="Public")
            assert isinstance(decision, ReferMailbox)
            self.assertEqual(decision.urls, (f"imap://alice;AUTH=*@h.example/{name}",))
            self.assertEqual((decision.personal, decision.source), (True, "b0"))

    @proves("L4")
    def test_without_a_public_level_all_is_there(self) -> None:
        for name in ("Public", "", "/A", "A"):
            decision = decided(home=home("h.example", public_here=True), name=name)
            self.assertNotIsInstance(decision, Serve)

    def test_the_level_ends_where_the_delimiter_stands(self) -> None:
        lives = home("h.example")
        kept = [
            name
            for name in ("Public/A", "Public.A")
            if decided(home=lives, name=name, public="Public", delimiter=".").outcome == "serve"
        ]
        self.assertEqual(kept, ["Public.A"])

    @proves("L4", "M2")
    def test_all_home_servers_are_named_with_the_name_to_use_there(self) -> None:
        servers = (Server(host="h1"), Server(host="::1"), Server(host="h2", port=1143))
        lives = Home(servers=servers, user="al", auth="PLAIN")
        decision = decided(home=lives, name="INBOX")
        assert isinstance(decision, ReferMailbox)
        self.assertEqual(
            decision.urls,
            ("imap://al;AUTH=PLAIN@h1/INBOX", "imap://al;AUTH=PLAIN@h2:1143/INBOX"),
        )
        self.assertEqual([each.server for each in decision.replicas], [servers[0], servers[2]])

    @proves("M11")
    def test_a_home_that_is_this_server_under_another_name_is_no_referral(self) -> None:
        decision = decided(home=home("own.example"), name="INBOX")
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.code, "UNAVAILABLE")

    def test_a_closed_account_is_refused_as_at_login(self) -> None:
        for lives in (Home(closed="Gone."), home("h.example", closed="Gone.")):
            for name in ("INBOX", "Public/A"):
                decision = decided(home=lives, name=name, public="Public")
                assert isinstance(decision, Refuse)
                self.assertEqual((decision.code, decision.text), (None, "Gone."))


class ShapeTests(SynchronousTestCase):
    @proves("M2", "M11", "U4")
    @given(
        st.lists(
            st.builds(
                Replica,
                server=st.builds(
                    Server,
                    host=st.sampled_from(["a.example", "own.example", "::1", "", "b.example."]),
                    port=st.sampled_from([143, 993, 0]),
                    security=st.sampled_from(Security),
                ),
                name=st.text(max_size=5),
                user=st.none() | st.text(max_size=5),
            ),
            max_size=4,
        )
    )
    def test_a_referral_names_at_least_one_other_server_and_fits_into_the_answer(
        self, replicas: list[Replica]
    ) -> None:
        decision = decided(MailboxLocation(replicas=tuple(replicas)))
        if isinstance(decision, ReferMailbox):
            self.assertEqual(len(decision.urls), len(decision.replicas))
            self.assertGreater(len(decision.urls), 0)
            order = [replicas.index(each) for each in decision.replicas]
            self.assertEqual(order, sorted(set(order)))
            for url in decision.urls:
                self.assertRegex(url, r"\Aimap://[!#-\\^-~]+\Z")
                self.assertNotIn("own.example", url)
        elif replicas:
            self.assertTrue(decision.outcome == "refuse" and decision.cause)
        else:
            self.assertEqual(decision, Serve())
