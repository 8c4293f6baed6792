"""Globs over user names."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.patterns import Pattern


class Patterns(SynchronousTestCase):
    def test_what_fits_and_what_does_not(self) -> None:
        for glob, fits, others in (
            ("*.student", ["a.student", ".student", "a.b.student"], ["student", "a.student "]),
            ("lab-*", ["lab-", "lab-1"], ["lab", "xlab-1"]),
            ("a*b", ["ab", "axb", "abb"], ["a", "b", "aba"]),
            ("*", ["", "anything at all"], []),
            ("alice", ["alice"], ["alicee", "alic", "Alice"]),
            ("????", ["abcd"], ["abc", "abcde"]),
            ("a?c*x?z", ["abcxyz", "abc--xyz"], ["acxyz", "abcxz"]),
            ("*a*a*", ["aa", "xaxax"], ["a", "xax"]),
            ("ab*ba", ["abba", "abxba"], ["aba"]),
            ("*@*.example.org", ["a@b.example.org"], ["a@example.org"]),
            ("[ab]", ["[ab]"], ["a", "b"]),
            ("a.c", ["a.c"], ["abc"]),
        ):
            pattern = Pattern(glob)
            for name in fits:
                self.assertTrue(pattern.matches(name), (glob, name))
            for name in others:
                self.assertFalse(pattern.matches(name), (glob, name))

    @given(st.text("ab*?", max_size=8), st.text("ab\n", max_size=12))
    def test_it_says_what_a_regular_expression_says(self, glob: str, name: str) -> None:
        slow = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
        self.assertEqual(
            Pattern(glob).matches(name), re.fullmatch(slow, name, re.DOTALL) is not None
        )

    def test_no_name_takes_long(self) -> None:
        pattern = Pattern("*a*?a*a*?a*a*a*a*b")
        before = time.process_time()
        self.assertFalse(pattern.matches("a" * 255))
        self.assertLess(time.process_time() - before, 0.1)
