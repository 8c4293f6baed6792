from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.redis.keys import Keys, events_of, key_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


class KeysOfUsers(SynchronousTestCase):
    @given(NAMES, NAMES)
    def test_no_two_users_have_a_key_in_common(self, one: str, other: str) -> None:
        keys = Keys("p:")
        fixed = {keys.homes, keys.version, keys.history, keys.changes.encode()}

        def of(user: str) -> set[bytes]:
            return {keys.home(user), keys.password(user), keys.history_of(user)}

        self.assertEqual(len(of(one)), 3)
        self.assertTrue(of(one).isdisjoint(fixed))
        self.assertEqual(one == other, not of(one).isdisjoint(of(other)))

    def test_the_prefix_stands_in_front_of_all(self) -> None:
        self.assertEqual(Keys("mail:").home("alice"), b"mail:home:alice")


class Events(SynchronousTestCase):
    def test_a_prefix_is_no_pattern(self) -> None:
        (pattern,) = events_of(3, ["a*[b]?:home:"])
        self.assertEqual(pattern, r"__keyspace@3__:a\*\[b\]\?:home:*")

    def test_the_key_is_what_stands_behind_the_first_colon(self) -> None:
        self.assertEqual(key_of(b"__keyspace@0__:referrald:home:a:b"), "referrald:home:a:b")
        self.assertTrue(fnmatchcase("__keyspace@0__:x:home:al", events_of(0, ["x:home:"])[0]))
