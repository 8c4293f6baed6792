from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.auth.names import Names


class NameTests(SynchronousTestCase):
    def test_a_plain_name_stays_as_it_is(self) -> None:
        self.assertEqual(Names().normalise("Joe User"), "Joe User")

    def test_case_and_domain_are_filled_in_when_asked_for(self) -> None:
        names = Names(lowercase=True, default_domain="example.com")
        self.assertEqual(names.normalise("Joe"), "joe@example.com")
        self.assertEqual(names.normalise("Joe@Other.Example"), "joe@other.example")

    def test_two_ways_to_write_a_letter_give_one_name(self) -> None:
        self.assertEqual(Names().normalise("ju\u0308rgen"), Names().normalise("j\u00fcrgen"))

    def test_names_that_nobody_can_have_are_refused(self) -> None:
        domain = Names(default_domain="example.com")
        for name in ("", "a\0b", "a\r\nb", "\x1b[2J", "a\x7f", "\udcff", "x" * 256, "é" * 128):
            with self.assertRaises(ValueError):
                Names().normalise(name)
            with self.assertRaises(ValueError):
                domain.normalise(name)

    def test_255_bytes_are_not_too_many(self) -> None:
        self.assertEqual(len(Names().normalise("x" * 255)), 255)

    @given(st.text(), st.booleans(), st.sampled_from(["", "example.com"]))
    def test_a_name_is_normal_or_refused(self, name: str, lowercase: bool, domain: str) -> None:
        names = Names(lowercase=lowercase, default_domain=domain)
        try:
            normal = names.normalise(name)
        except ValueError:
            return
        self.assertTrue(normal)
        self.assertLessEqual(len(normal.encode("utf-8")), 255)
        self.assertFalse({"\0", "\r", "\n"} & set(normal))
