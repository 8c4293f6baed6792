"""What can be the name of a mailbox."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NotPossible
from referrald.store.names import LEVEL, LONGEST, above, checked, is_below, undelimited

LEVELS = st.lists(st.text("ab*% .\u00e9", min_size=1, max_size=5), min_size=1, max_size=6)


class Names(SynchronousTestCase):
    @given(LEVELS)
    def test_levels_without_control_characters_make_a_name(self, levels: list[str]) -> None:
        name = "/".join(levels)
        self.assertEqual(checked(name), name)
        self.assertEqual(above(name), ["/".join(levels[:n]) for n in range(1, len(levels))])
        self.assertTrue(all(is_below(name, top) for top in above(name)))

    @given(LEVELS, st.integers(0, 6), st.sampled_from(["", "a\0", "\x9f", "\u2028", "\ud800"]))
    def test_one_bad_level_spoils_the_name(self, levels: list[str], at: int, bad: str) -> None:
        levels.insert(at, bad)
        self.assertRaises(NotPossible, checked, "/".join(levels))

    def test_names_are_only_so_long(self) -> None:
        fits = "x" * LEVEL
        self.assertEqual(checked(fits), fits)
        self.assertRaises(NotPossible, checked, fits + "x")
        long = ("x" * 99 + "/") * (LONGEST // 100)
        self.assertEqual(checked(long[:-1] + "y"), long[:-1] + "y")
        self.assertRaises(NotPossible, checked, long + "y")

    def test_the_client_is_told_what_is_wrong(self) -> None:
        for name, word in (
            ("", "name"),
            ("a\n", "characters"),
            ("a//b", "level"),
            ("x" * 256, "lo"),
        ):
            refusal = self.assertRaises(NotPossible, checked, name)
            self.assertIn(word, refusal.public)
            self.assertTrue(refusal.public.isascii())

    def test_one_delimiter_at_the_end_is_dropped(self) -> None:
        self.assertEqual([undelimited(n) for n in ("a/", "a", "a//", "/")], ["a", "a", "a/", ""])

    def test_a_name_that_only_begins_alike_is_not_below(self) -> None:
        self.assertFalse(is_below("ab", "a") or is_below("a", "a") or is_below("A/b", "a"))
