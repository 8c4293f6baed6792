"""The patterns of LIST."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import WireError
from referrald.wire.listing import ListQuery
from referrald.wire.patterns import MAX_PATTERN, matcher
from tests.proves import proves


def compiled(reference: str, pattern: str, delimiter: str | None) -> Callable[[str], bool]:
    return matcher(ListQuery(reference=reference, patterns=(pattern,)), delimiter or "")


def model(pattern: str, name: str) -> bool:
    wild = {"*": ".*", "%": "[^/]*"}
    expression = "".join(wild.get(char) or re.escape(char) for char in pattern)
    return re.fullmatch(expression, name, re.DOTALL) is not None


class Patterns(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.text("ab/*%.", max_size=8), st.text("ab/.", max_size=10))
    def test_it_matches_what_the_obvious_expression_matches(self, pattern: str, name: str) -> None:
        self.assertEqual(compiled("", pattern, "/")(name), model(pattern, name))

    def test_the_reference_goes_before_the_pattern(self) -> None:
        matches = compiled("a/", "%", "/")
        self.assertEqual(
            [name for name in ("a", "a/", "a/b", "a/b/c") if matches(name)], ["a/", "a/b"]
        )

    def test_without_a_delimiter_percent_matches_anything(self) -> None:
        self.assertTrue(compiled("", "a%", None)("a/b.c"))

    def test_inbox_is_meant_in_any_case(self) -> None:
        self.assertTrue(compiled("", "inBox", "/")("INBOX"))
        self.assertTrue(compiled("inbox", "/%", "/")("INBOX/a"))
        self.assertTrue(compiled("", "inbox", None)("INBOX"))
        self.assertFalse(compiled("", "inboxes", "/")("INBOXES"))
        self.assertFalse(compiled("", "\u0131nbox", "/")("INBOX"))

    def test_special_characters_of_expressions_mean_nothing(self) -> None:
        self.assertFalse(compiled("", "a.c*", "/")("abc"))
        self.assertTrue(compiled("", "(a[*", "/")("(a[x"))

    @proves("base:CPU traps")
    def test_many_wildcards_cost_no_more_than_one(self) -> None:
        started = time.process_time()
        for pattern in ("*a" * 400 + "b", "%a" * 400 + "b", "*%" * 500, "*" * 999 + "b"):
            self.assertEqual(compiled("", pattern, "/")("a" * 20_000), pattern.endswith("%"))
        self.assertLess(time.process_time() - started, 3.0)

    @proves("S2")
    def test_a_pattern_has_a_greatest_length(self) -> None:
        compiled("", "*" * MAX_PATTERN, "/")
        self.assertRaises(WireError, compiled, "a", "*" * MAX_PATTERN, "/")
