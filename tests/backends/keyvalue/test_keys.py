"""Keys of users, and values."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.keyvalue.keys import Values, check_prefix, key_of, user_of
from referrald.backends.servers import Wrong
from referrald.errors import Unavailable
from referrald.model import Home, Server
from referrald.testing import ODD_NAMES

HOME = Home(servers=(Server(host="a.example"),))


class Keys(SynchronousTestCase):
    def test_usual_names_stand_in_keys_as_they_are(self) -> None:
        for name in ("ann", "Ann.B_c-d+e=f@example.org", "..a", "a.."):
            self.assertEqual(key_of("homes/", name), f"homes/{name}")

    def test_all_else_is_percent_encoded(self) -> None:
        for name, key in (
            ("a/b", "a%2Fb"),
            ("100%", "100%25"),
            ("a b", "a%20b"),
            ("o'x", "o%27x"),
            ("\u00e4", "%C3%A4"),
            ("*", "%2A"),
            ("a\\", "a%5C"),
            (".", "%2E"),
            ("..", "%2E%2E"),
        ):
            self.assertEqual(key_of("homes/", name), f"homes/{key}")
            self.assertEqual(user_of("homes/", f"homes/{key}".encode()), name)

    def test_nobody_can_have_such_a_name(self) -> None:
        for name in ("", "a\n", "a\0", "\r\n", "\ud800", " a", "a ", "x" * 256, "x" * 10_000):
            self.assertIsNone(key_of("homes/", name), name[:20])

    def test_only_the_one_key_of_a_user_is_the_users(self) -> None:
        for key in (b"", b"ann/", b"a/b", b"%61nn", b"%2f", b"a%", b"%zz", b"\xff", b"%FF", b"."):
            self.assertIsNone(user_of("homes/", b"homes/" + key), key)

    @given(st.text(max_size=20) | st.sampled_from(ODD_NAMES))
    def test_a_key_is_the_users_or_there_is_none(self, user: str) -> None:
        key = key_of("homes/", user)
        if key is not None:
            self.assertTrue(key.startswith("homes/") and "/" not in key[6:])
            self.assertTrue(key.isascii() and key.isprintable())
            self.assertEqual(user_of("homes/", key.encode()), user)

    @given(st.binary(max_size=20))
    def test_any_key_is_of_one_user_at_most(self, key: bytes) -> None:
        user = user_of("homes/", b"homes/" + key)
        if user is not None:
            self.assertEqual(key_of("homes/", user), "homes/" + key.decode())

    def test_prefixes_are_levels(self) -> None:
        for text in ("a/", "/a/b/", "referrald/homes/", "A-1._x/"):
            check_prefix(text)
        for text in ("", "/", "a", "a//", "a b/", "./", "../a/", "a/./", "%41/", "\u00e4/", "a/\n"):
            self.assertRaises(Wrong, check_prefix, text)


class ValuesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.values = Values()

    def test_what_else_stands_in_a_value_stays_there(self) -> None:
        before = b'{"quota": 7, "home": "b.example", "password": null}'
        written = self.values.write("ann", HOME, before)
        self.assertEqual(json.loads(written)["quota"], 7)
        self.assertIn("password", json.loads(written))
        self.assertEqual(self.values.read("ann", written), HOME)
        self.assertEqual(self.values.read("ann", self.values.write("ann", HOME, None)), HOME)

    def test_a_value_that_cannot_be_read_is_not_written_over(self) -> None:
        self.assertRaises(Unavailable, self.values.write, "ann", HOME, b"b.example")

    def test_a_home_that_would_not_come_back_is_told(self) -> None:
        self.assertEqual(self.values.kept(HOME), HOME)
        for home in (
            Home(servers=(Server(host="::1"),)),
            Home(servers=(Server(host="a.example", port=0),)),
            Home(servers=(Server(host="a.example"),) * 2),
            Home(servers=(Server(host="a.example"),), user="a\n"),
        ):
            self.assertRaises(Wrong, self.values.kept, home)
