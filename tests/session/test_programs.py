"""Lists of mail programs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.session.programs import Programs

NAMES = st.text(st.characters(exclude_characters="*?", exclude_categories=["Cs"]), min_size=1)


def has(entries: tuple[str, ...], name: str | None, version: str | None = None) -> bool:
    return Programs(entries).include({"name": name, "version": version})


class ThePrograms(SynchronousTestCase):
    def test_a_name_stands_for_all_versions(self) -> None:
        for name in ("Alpine", "alpine", "ALPINE"):
            self.assertTrue(has(("alpine",), name))
            self.assertTrue(has(("Alpine",), name, "2.26"))
        for name in ("alpine2", "pine", "", None):
            self.assertFalse(has(("alpine",), name, "2.26"), name)

    def test_a_version_may_be_a_pattern(self) -> None:
        for entry, versions in (
            ("alpine/2.2*", ("2.2", "2.26")),
            ("alpine/2.2?", ("2.26",)),
            ("alpine/2.26", ("2.26",)),
            ("ALPINE/2.2*", ("2.2", "2.26")),
        ):
            taken = tuple(v for v in ("2.2", "2.26", "1.0", None) if has((entry,), "Alpine", v))
            self.assertEqual(taken, versions, entry)

    def test_a_name_may_be_a_pattern_and_may_have_a_slash(self) -> None:
        self.assertTrue(has(("k-9*",), "K-9 Mail", "6.8"))
        self.assertTrue(has(("one/two",), "One/Two", "3"))
        self.assertTrue(has(("a[1]",), "A[1]"))
        self.assertFalse(has(("a[1]",), "a1"))

    def test_one_of_several_will_do(self) -> None:
        self.assertTrue(has(("mutt", "alpine/2*"), "alpine", "2.26"))
        self.assertFalse(has(("mutt", "alpine/2*"), "alpine", "1.0"))

    def test_who_says_nothing_is_none_of_them(self) -> None:
        for ident in (None, {}, {"name": None}, {"version": "2"}, {"name": ""}):
            self.assertFalse(Programs(("*", "*/*")).include(ident))
        self.assertFalse(Programs().include({"name": "alpine"}))

    @given(st.lists(NAMES, max_size=4), NAMES, NAMES | st.none())
    def test_without_wildcards_it_is_the_name_or_name_and_version(
        self, entries: list[str], name: str, version: str | None
    ) -> None:
        texts = {name.lower(), f"{name.lower()}/{(version or '').lower()}"}
        expected = any(entry.lower() in texts for entry in entries)
        self.assertEqual(has(tuple(entries), name, version), expected)
        self.assertTrue(has((*entries, name), name, version))
