"""What letters, lists and identifiers mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NotPossible
from referrald.store import rights
from referrald.store.rights import ALL, Held

LETTERS = st.text(st.sampled_from(ALL))
NAMES = st.sampled_from(["alice", "bob", "anyone", "-alice", "-bob", "-anyone", "-", "--bob"])
LISTS = st.dictionaries(NAMES, LETTERS)


class Letters(SynchronousTestCase):
    def test_old_letters_are_what_they_stand_for(self) -> None:
        for given_letters, known in (("c", "kx"), ("d", "te"), ("lrlr", "lr"), ("ard", "rtea")):
            self.assertEqual(rights.expanded(given_letters), known)
        for wrong in ("q", "L", "lr0", "é"):
            self.assertRaises(NotPossible, rights.expanded, wrong)

    def test_a_flag_has_its_right_in_any_case(self) -> None:
        flags = ("\\SEEN", "\\Deleted", "\\Flagged", "$Seen", "\\*")
        for letters, kept in (
            ("s", flags[:1]), ("t", flags[1:2]), ("w", flags[2:]), ("lri", ()), (ALL, flags),
        ):  # fmt: skip
            self.assertEqual(rights.settable(flags, letters), kept)

    @given(LISTS, NAMES, LETTERS, LETTERS)
    def test_what_is_added_is_there_and_what_is_removed_is_not(
        self, entries: dict[str, str], name: str, more: str, less: str
    ) -> None:
        added = rights.changed(entries, name, more, 1)
        self.assertEqual(set(added.get(name, "")), set(entries.get(name, "")) | set(more))
        removed = rights.changed(added, name, less, -1)
        self.assertEqual(set(removed.get(name, "")), set(added.get(name, "")) - set(less))
        self.assertEqual(set(rights.changed(removed, name, more, 0).get(name, "")), set(more))
        others = {each: held for each, held in entries.items() if each != name}
        for found in (added, removed):
            self.assertEqual({k: v for k, v in found.items() if k != name}, others)
            self.assertTrue(found.get(name, "x"))


class Users(SynchronousTestCase):
    @given(LISTS)
    def test_a_user_has_what_is_given_without_what_is_taken(self, entries: dict[str, str]) -> None:
        given_letters = set(entries.get("bob", "") + entries.get("anyone", ""))
        taken = set(entries.get("-bob", "") + entries.get("-anyone", ""))
        self.assertEqual(set(rights.of_user(entries, "bob")), given_letters - taken)

    @given(LISTS)
    def test_what_is_taken_from_one_is_given_to_nobody(self, entries: dict[str, str]) -> None:
        """A user whose name begins like that has only what everybody has."""
        odd = rights.of_user(entries, "-bob")
        self.assertLessEqual(set(odd), set(entries.get("anyone", "")))

    @given(LISTS, LETTERS)
    def test_more_taken_is_never_more(self, entries: dict[str, str], letters: str) -> None:
        less = rights.changed(entries, "-anyone", letters, 1)
        for user in ("alice", "bob", "carol"):
            before, after = rights.of_user(entries, user), rights.of_user(less, user)
            self.assertLessEqual(set(after), set(before) - set(letters))


class Nearest(SynchronousTestCase):
    LISTS = {"": {"bob": "l"}, "a": {"bob": "lr"}, "a/b/c": {}, "ab": {"bob": "a"}}

    def test_the_next_list_above_counts(self) -> None:
        held = Held(self.LISTS, "bob")
        for name, letters in (
            ("", "l"), ("x/y", "l"), ("a", "lr"), ("a/b", "lr"), ("a/b/c", ""), ("a/b/c/d", ""),
            ("ab", "a"), ("abc", "l"), ("ab/c", "a"), ("a/", "lr"),
        ):  # fmt: skip
            self.assertEqual(held.letters(name), letters, name)

    def test_without_any_nobody_may_anything(self) -> None:
        self.assertEqual(Held({"a": {"bob": "l"}}, "bob").letters("b"), "")
