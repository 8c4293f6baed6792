from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.auth.saslprep import saslprep


class SaslprepTests(SynchronousTestCase):
    def test_the_examples_of_the_rfc_come_out_as_it_says(self) -> None:
        for text, prepared in (
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
        ):
            self.assertEqual(saslprep(text), prepared)

    def test_other_spaces_become_a_space_and_letters_are_composed(self) -> None:
        self.assertEqual(saslprep("a\u00a0b"), "a b")
        self.assertEqual(saslprep("A\u0308"), "\u00c4")

    def test_prohibited_characters_are_refused(self) -> None:
        for text in ("\x07", "a\0b", "\x7f", "a\u0080", "\ue000", "\ud800", "\ufffd", "\u2028x"):
            with self.assertRaises(ValueError):
                saslprep(text)

    def test_mixed_writing_directions_are_refused(self) -> None:
        self.assertEqual(saslprep("\u0627\u0628"), "\u0627\u0628")
        for text in ("\u0627a", "\u0627\u0031", "a\u0627"):
            with self.assertRaises(ValueError):
                saslprep(text)

    @given(st.text())
    def test_what_is_prepared_stays_as_it_is(self, text: str) -> None:
        try:
            prepared = saslprep(text)
        except ValueError as error:
            self.assertNotIn("'", str(error))
        else:
            self.assertEqual(saslprep(prepared), prepared)
