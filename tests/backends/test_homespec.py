"""Homes as a table says them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends import homespec
from referrald.backends.homespec import Faults, HomeReader, Spec, words_of
from referrald.model import Home, Security, Server

A = Server(host="a.example")
B = Server(host="b.example", port=993, security=Security.TLS)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*homespec.KEYS, "other"]), inner, max_size=4)
    ),
    max_leaves=8,
)


class HomeSpecs(SynchronousTestCase):
    def setUp(self) -> None:
        self.reader = HomeReader({"a": A, "b": B})

    def faults(self, value: Any) -> list[tuple[str, str]]:
        error = self.assertRaises(Faults, self.reader.read, value)
        return [(key, str(wrong)) for key, wrong in error.faults]

    def test_the_forms_of_a_home(self) -> None:
        for value, home in (
            ("here", Home()),
            ("a", Home(servers=(A,))),
            (["b", "a"], Home(servers=(B, A))),
            ("c.example", Home(servers=(Server(host="c.example"),))),
            ("b.example:993", Home(servers=(B,))),
            ({"server": "here"}, Home()),
            ({"server": "a", "held": True}, Home(servers=(A,), held=True)),
            ({"server": ["a", "b"], "public_here": True}, Home(servers=(A, B), public_here=True)),
            ({"server": "a", "auth": "plain", "ttl": 5}, Home(servers=(A,), auth="PLAIN", ttl=5.0)),
            ({"server": "a", "login": "relay"}, Home(servers=(A,), how="relay")),
            ({"server": ["a", "b"], "spread": True}, Home(servers=(A, B), spread=True)),
            ({"closed": "Moved."}, Home(closed="Moved.")),
        ):
            self.assertEqual(self.reader.read(value), Spec(home=home), value)

    def test_the_name_to_use_there(self) -> None:
        for text, user, template in (
            ("bob", "bob", False),
            ("%n", "%n", True),
            ("100%%", "100%", False),
            ("%u@x", "%u@x", True),
        ):
            spec = self.reader.read({"server": "a", "user": text})
            self.assertEqual((spec.user, spec.is_template), (user, template))

    def test_every_mistake_in_a_home_is_told_at_once(self) -> None:
        self.assertEqual(
            self.faults(
                {
                    "servr": "a",
                    "server": "c",
                    "user": "%x",
                    "auth": "a b",
                    "public_here": "yes",
                    "login": "proxy",
                    "closed": "a\nb",
                    "ttl": -1,
                }
            ),
            [
                ("servr", "there is no such key"),
                ("server", 'there is no server "c"'),
                ("user", '"%x" is not a variable'),
                ("auth", "is not a SASL mechanism"),
                ("public_here", "is neither true nor false"),
                ("login", "is not a choice"),
                ("closed", "has a control character in it"),
                ("ttl", "is not a time"),
            ],
        )

    def test_what_is_no_home(self) -> None:
        for value in (None, 1, True, [], ["here"], ["a", "here"], ["a", "a"], [1], "", "::1", {}):
            self.faults(value)
        for value in ("[::1]:143", "a.example:0", "a b.example", {"server": []}, {"user": "x"}):
            self.faults(value)

    def test_a_server_that_is_not_known_gets_the_nearest_suggested(self) -> None:
        reader = HomeReader({"north": A, "south": B})
        error = self.assertRaises(Faults, reader.read, "nort")
        self.assertEqual(error.faults[0][1].right, 'did you mean "north"?')

    def test_what_means_nothing_for_a_home_that_is_here_is_a_mistake(self) -> None:
        self.assertIn("means nothing", self.faults({"server": "here", "user": "bob"})[0][1])
        self.assertIn("means nothing", self.faults({"server": "here", "auth": "PLAIN"})[0][1])
        self.assertIn("means nothing", self.faults({"server": "here", "login": "relay"})[0][1])

    def test_a_line_of_words_says_the_same_as_toml(self) -> None:
        for words, value in (
            ("here", "here"),
            ("a", "a"),
            ("a,b", ["a", "b"]),
            ("a user=bob", {"server": "a", "user": "bob"}),
            ("a login=auto", {"server": "a", "login": "auto"}),
            ("a,b spread", {"server": ["a", "b"], "spread": True}),
            (
                "b,a public_here  auth=PLAIN ttl=2.5",
                {"server": ["b", "a"], "public_here": True, "auth": "PLAIN", "ttl": 2.5},
            ),
            ("closed  Moved  away = gone", {"closed": "Moved  away = gone"}),
        ):
            self.assertEqual(words_of(words), value)
            self.assertEqual(self.reader.read(words_of(words)), self.reader.read(value))

    def test_a_line_of_words_may_be_wrong(self) -> None:
        for words in ("", "a,", ",a", "a bogus", "a ttl=soon", "a user=", "closed", "a user"):
            self.faults(words_of(words))
        for words in ("a login", "a login=", "a login=x"):
            self.faults(words_of(words))

    @given(ANY)
    def test_any_value_is_a_home_or_a_list_of_faults(self, value: object) -> None:
        try:
            spec = self.reader.read(value)
        except Faults as error:
            self.assertTrue(error.faults)
        else:
            self.assertIsInstance(spec, Spec)

    @given(st.text(max_size=30))
    def test_any_words_are_a_home_or_a_list_of_faults(self, words: str) -> None:
        try:
            self.reader.read(words_of(words))
        except Faults as error:
            self.assertTrue(error.faults)
