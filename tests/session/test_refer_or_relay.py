"""Who is referred and who is relayed: every row of precedence, through a session."""

from __future__ import annotations

from typing import Any

import attrs

from referrald.model import Refuse
from referrald.networks import Networks
from referrald.relay.settings import RelaySettings
from referrald.session.choosing import NetworkRule
from referrald.session.relaying import Secret, secret_of
from tests.session.relaycase import AWAY, LOGIN, RelayCase

ALPINE = b'ID ("name" "Alpine" "version" "2.26")'
REFERRED = b"NO [REFERRAL imap://al;AUTH=*@home.example/] "
TEXT = b"Your mailbox is on another server."
UNFOLLOWED = b"Your mailbox is on another server: home.example."
LIMIT = b"NO [LIMIT] storm"
RELAYED = b"OK [CAPABILITY IMAP4rev1 IDLE XHOME] Logged in."
STORM = Refuse(code="LIMIT", text="storm", instead=AWAY)


class ReferOrRelay(RelayCase):
    how = "auto"
    follow = ("alpine",)

    def setUp(self) -> None:
        super().setUp()
        self.serve("home.example")

    def answer(self, ident: bytes = b"") -> bytes:
        """Log in with a password; gives the answer without its tag."""
        client = self.connect()
        if ident:
            client.say(b"i " + ident)
        return client.say(b"a " + LOGIN).removeprefix(b"a ").removesuffix(b"\r\n")

    def answer_to_scram(self, ident: bytes = b"") -> bytes:
        """Log in without a password that could be used at home."""
        client = self.connect()
        client.session.door.authenticator.exchange = self.exchange
        client.session.door.authenticator.offered = ("SCRAM-SHA-256",)
        if ident:
            client.say(b"i " + ident)
        line = b"a AUTHENTICATE SCRAM-SHA-256 eA=="
        return client.say(line).removeprefix(b"a ").removesuffix(b"\r\n")

    async def exchange(self, mechanism: str, channel: Any) -> str:
        return "alice"

    def test_each_policy_for_each_kind_of_client(self) -> None:
        # What is said, to whom: known to follow or not, and come back from a referral or not.
        for how, follows, other, follows_back, other_back in (
            ("refer", REFERRED + TEXT, REFERRED + TEXT, LIMIT, LIMIT),
            ("relay", RELAYED, RELAYED, RELAYED, RELAYED),
            ("auto", REFERRED + TEXT, RELAYED, RELAYED, RELAYED),
        ):
            self.how = how
            self.decision = AWAY
            self.assertEqual((self.answer(ALPINE), self.answer()), (follows, other), how)
            self.decision = STORM
            self.assertEqual((self.answer(ALPINE), self.answer()), (follows_back, other_back), how)

    def test_each_policy_where_no_password_is_known(self) -> None:
        for how, follows, other in (
            ("refer", TEXT, TEXT), ("relay", TEXT, UNFOLLOWED), ("auto", TEXT, UNFOLLOWED)
        ):  # fmt: skip
            self.how = how
            self.decision = AWAY
            self.assertEqual(self.answer_to_scram(ALPINE), REFERRED + follows, how)
            self.assertEqual(self.answer_to_scram(), REFERRED + other, how)
            self.decision = STORM
            self.assertEqual(self.answer_to_scram(), LIMIT, how)

    def test_with_a_master_user_no_password_is_needed(self) -> None:
        self.assertEqual(secret_of("SCRAM-SHA-256", [b"n,,n=alice,r=x"]), Secret())
        self.settings = RelaySettings(
            allowed=("*.example",), master_user="root", master_password="m"
        )
        self.assertEqual(self.answer_to_scram(), RELAYED)
        self.assertEqual(self.made[-1].seen, [b"AUTHENTICATE PLAIN YWwAcm9vdABt"])

    def test_the_word_about_the_user_then_that_about_the_network_then_the_listeners(self) -> None:
        for user, network, listener, outcome in (
            (None, None, "refer", REFERRED + TEXT),
            (None, None, "relay", RELAYED),
            (None, "relay", "refer", RELAYED),
            (None, "refer", "relay", REFERRED + TEXT),
            (None, "auto", "refer", RELAYED),
            ("refer", None, "relay", REFERRED + TEXT),
            ("relay", None, "refer", RELAYED),
            ("auto", None, "refer", RELAYED),
            ("refer", "relay", "relay", REFERRED + TEXT),
            ("relay", "refer", "refer", RELAYED),
        ):
            self.how = listener
            rule = network and NetworkRule(networks=Networks(("192.0.2.0/24",)), how=network)
            self.rules = (rule,) if rule else ()
            self.decision = attrs.evolve(AWAY, how=user)
            self.assertEqual(self.answer(), outcome, (user, network, listener))

    def test_the_word_about_the_user_counts_for_one_that_came_back_too(self) -> None:
        for user, listener, outcome in (("refer", "relay", LIMIT), ("relay", "refer", RELAYED)):
            self.how = listener
            self.decision = attrs.evolve(STORM, instead=attrs.evolve(AWAY, how=user))
            self.assertEqual(self.answer(), outcome, (user, listener))

    def test_only_clients_that_are_sent_away_count_as_such(self) -> None:
        # Else one user's relayed program would turn away the other, that follows.
        self.answer()
        self.assertEqual(self.router.sent_away, [])
        self.answer(ALPINE)
        self.assertEqual(self.router.sent_away, [("alice", "192.0.2.7")])
        self.answer_to_scram()
        self.assertEqual(self.router.sent_away, [("alice", "192.0.2.7")])
        self.decision = attrs.evolve(AWAY, authenticated=True, memo={})
        self.answer(ALPINE)
        self.assertEqual(self.router.sent_away, [])

    def test_a_program_in_the_list_that_comes_back_is_relayed_at_its_second_login(self) -> None:
        # So does Horde's, which goes round in circles: with the name as it stood in the URL.
        client = self.connect()
        client.say(b'i ID ("name" "Alpine" "version" "2.26")')
        self.assertEqual(client.say(b"a " + LOGIN), b"a " + REFERRED + TEXT + b"\r\n")
        self.assertEqual(client.say(b"b " + LOGIN), b"b " + RELAYED + b"\r\n")

    def test_both_texts_of_one_decision_are_kept_apart(self) -> None:
        self.decision = attrs.evolve(AWAY, memo={})
        for _ in range(2):
            self.assertEqual(self.answer_to_scram(), REFERRED + UNFOLLOWED)
            self.assertEqual(self.answer_to_scram(ALPINE), REFERRED + TEXT)
        self.assertEqual(len(self.decision.memo), 2)

    def test_a_user_with_public_mailboxes_here_is_told_the_same_with_ok(self) -> None:
        self.decision = attrs.evolve(AWAY, authenticated=True, memo={})
        self.assertEqual(self.answer_to_scram(), b"OK" + REFERRED[2:] + UNFOLLOWED)

    def test_without_a_relay_everybody_is_referred(self) -> None:
        client = self.connect(relay=None)
        self.assertIn(b"a " + REFERRED + UNFOLLOWED, client.say(b"a " + LOGIN))

    def test_the_programs_version_may_count(self) -> None:
        for entry, outcome in (
            ("alpine/2.2*", REFERRED + TEXT), ("alpine/2.25", RELAYED), ("pine", RELAYED)
        ):  # fmt: skip
            self.follow = (entry,)
            self.assertEqual(self.answer(ALPINE), outcome, entry)
