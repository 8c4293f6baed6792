"""Expressions that were made into globs mean what they meant."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.patterns import Pattern
from referrald.backends.servers import Wrong
from referrald.ctl.origins.regex import MOST_GLOBS, globs_of

LETTERS = "ab@."


def expressions() -> st.SearchStrategy[str]:
    """Make expressions of all that is understood."""
    one = st.sampled_from(["a", "b", "@", r"\.", "[ab]", "[a-b@]"])
    atom = st.one_of(one, st.sampled_from([".", ".*", ".+", ".?", "a?", "[ab]?"]))
    branch = st.lists(atom, max_size=4).map("".join)
    group = st.lists(branch, min_size=1, max_size=3).map(lambda each: f"({'|'.join(each)})")
    piece = st.one_of(atom, group, group.map(lambda each: each + "?"))
    body = st.lists(piece, max_size=4).map("".join)
    whole = st.tuples(st.sampled_from(["^", ""]), body, st.sampled_from(["$", ""])).map("".join)
    return st.lists(whole, min_size=1, max_size=2).map("|".join)


class Globs(SynchronousTestCase):
    @given(expressions(), st.lists(st.text(LETTERS, max_size=6), max_size=20))
    def test_a_name_fits_a_glob_when_it_begins_with_a_match(
        self, regex: str, names: list[str]
    ) -> None:
        try:
            globs = globs_of(regex)
        except Wrong as error:
            self.assertIn(f"more than {MOST_GLOBS}", str(error))
            return
        expression = re.compile(regex)
        for name in names:
            fits = any(Pattern(glob).matches(name) for glob in globs)
            self.assertEqual(fits, expression.match(name) is not None, (regex, name, globs))

    def test_what_no_glob_can_say_is_refused(self) -> None:
        for regex in (
            "[[:digit:]]", "[^a]", "a*", "a+", "a{2}", "(ab)*", "a^b", "a$b", "(a", "a)", "[", "[]",
            r"\d", "a\\", "*", "?", r"\*", "[*]", "[b-a]", "[\0-\U0010ffff]", "(" * 30 + ")" * 30,
            "[a-z][a-z]",
        ):  # fmt: skip
            self.assertRaises(Wrong, globs_of, regex)

    def test_a_name_without_a_domain_is_said_by_a_star(self) -> None:
        self.assertEqual(globs_of("^[^@]+@example[.]org$"), ("?*@example.org",))
