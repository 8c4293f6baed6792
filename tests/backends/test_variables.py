"""Variables in names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.backends.servers import Wrong
from referrald.backends.variables import expand, is_template


class Variables(SynchronousTestCase):
    def test_they_are_filled_in_as_dovecot_does(self) -> None:
        for template, filled in (
            ("%u", "Bob@Dom.example"),
            ("%n", "Bob"),
            ("%d", "Dom.example"),
            ("%{user}+%{username}+%{domain}", "Bob@Dom.example+Bob+Dom.example"),
            ("%Ln@%Ud", "bob@DOM.EXAMPLE"),
            ("100%%", "100%"),
            ("%%n", "%n"),
            ("x-%n%n", "x-BobBob"),
        ):
            self.assertEqual(expand(template, "Bob@Dom.example"), filled)

    def test_without_a_domain_it_is_empty(self) -> None:
        self.assertEqual(expand("%u+%n+%d", "bob"), "bob+bob+")

    def test_the_domain_begins_at_the_first_at_sign(self) -> None:
        self.assertEqual(expand("%n|%d", "a@b@c"), "a|b@c")

    def test_a_text_without_a_percent_sign_is_no_template(self) -> None:
        self.assertFalse(is_template("bob@example.com"))
        self.assertTrue(is_template("%n"))
        self.assertTrue(is_template("100%%"))

    def test_a_variable_that_is_not_known_is_refused(self) -> None:
        for text in ("%x", "%", "a%", "%{nosuch}", "%{", "%{}", "%L", "%w", "%{password}", "% n"):
            self.assertRaises(Wrong, is_template, text)

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_a_name_is_never_taken_for_a_template(self, before: str, user: str) -> None:
        literal = before.replace("%", "%%")
        self.assertEqual(expand(literal + "%u", user), before + user)
