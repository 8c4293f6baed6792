"""Whose word counts whether a client is referred or relayed."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.model import How
from referrald.networks import Networks, parse_address
from referrald.session.choosing import Choice, Choosing, NetworkRule

HOWS = st.sampled_from(get_args(How))
TEXTS = ("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "192.0.2.7")
HOSTS = ("10.1.2.3", "::ffff:10.2.3.4", "2001:db8::7", "192.0.2.7", "192.0.2.8", "unix", "")
RULES = st.lists(
    st.builds(
        lambda texts, how: NetworkRule(networks=Networks(texts), how=how),
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2),
        HOWS,
    ),
    max_size=3,
)


class TheChoice(SynchronousTestCase):
    def test_user_then_network_then_listener(self) -> None:
        rules = (
            NetworkRule(networks=Networks(("10.1.0.0/16",)), how="refer"),
            NetworkRule(networks=Networks(("10.0.0.0/8",)), how="relay"),
        )
        listener = Choosing(how="auto", said_by="listener imaps", rules=rules)
        for word, host, how, said_by in (
            ("refer", "10.2.0.1", "refer", "backend"),
            ("auto", "10.1.0.1", "auto", "backend"),
            (None, "10.1.0.1", "refer", "network 10.1.0.0/16"),
            (None, "10.2.0.1", "relay", "network 10.0.0.0/8"),
            (None, "::ffff:10.2.0.1", "relay", "network 10.0.0.0/8"),
            (None, "192.0.2.7", "auto", "listener imaps"),
            (None, "unix", "auto", "listener imaps"),
        ):
            self.assertEqual(listener.explain(word, host), Choice(how=how, said_by=said_by))
            self.assertEqual(listener.choose(word, host), how)

    def test_where_nobody_says_anything_clients_are_referred(self) -> None:
        self.assertEqual(
            Choosing().explain(None, "192.0.2.7"), Choice(how="refer", said_by="referral.login")
        )

    @given(HOWS | st.none(), HOWS, RULES, st.sampled_from(HOSTS))
    def test_it_is_the_first_word_there_is(
        self, word: How | None, listener: How, rules: list[NetworkRule], host: str
    ) -> None:
        choosing = Choosing(how=listener, rules=tuple(rules))
        address = parse_address(host)
        fitting = [rule.how for rule in rules if rule.networks.find(address)]
        words = [word, *fitting, listener]
        expected = next(each for each in words if each is not None)
        self.assertEqual(choosing.choose(word, host), expected)
        self.assertEqual(choosing.explain(word, host).how, expected)
