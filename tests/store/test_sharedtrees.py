"""Whose a mailbox is, by its name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.store.rightsfile import PUBLIC
from referrald.store.sharedtrees import Prefixes, Tree

BOTH = Prefixes(public="Public", others="Other Users")
LEVELS = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs", "Cc")), min_size=1)
NAMES = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)


class Whose(SynchronousTestCase):
    def test_names_have_owners(self) -> None:
        for name, own, owner in (
            ("INBOX", True, None), ("Publicity", True, None), ("public", True, None),
            ("Public", False, PUBLIC), ("Public/a", False, PUBLIC), ("Other Users", False, None),
            ("Other Users/bob", False, None), ("Other Users/bob/a/b", False, "bob"),
            ("Other Users//a", False, None), ("Other Users/bob/", False, None),
            ("a/Other Users/bob/x", True, None),
        ):  # fmt: skip
            self.assertEqual((BOTH.is_own(name), BOTH.any_owner(name)), (own, owner), name)

    @given(NAMES)
    def test_without_prefixes_all_is_ones_own(self, name: str) -> None:
        self.assertTrue(Prefixes().is_own(name))
        self.assertIsNone(Prefixes().any_owner(name))


class Names(SynchronousTestCase):
    @given(NAMES, LEVELS)
    def test_a_name_for_others_leads_back(self, name: str, owner: str) -> None:
        for whose in (owner, PUBLIC):
            tree = Tree(owner=whose, root=BOTH.root(whose), account=None)
            outer = tree.outer(name)
            if outer is None:
                self.assertEqual((whose, name.upper()[:5]), (PUBLIC, "INBOX"))
                continue
            self.assertEqual(BOTH.any_owner(outer), whose)
            if name.upper().partition("/")[0] != "INBOX":
                self.assertEqual((tree.inner(outer), tree.key(name)), (name, name))

    def test_inbox_is_the_top_of_what_is_public(self) -> None:
        tree = Tree(owner=PUBLIC, root="Public", account=None)
        self.assertEqual((tree.outer("INBOX"), tree.inner("Public")), ("Public", "INBOX"))
        self.assertEqual(tree.key("INBOX"), "")
        for name in ("INBOX", "inbox", "Inbox/a", "INBOX/a"):
            self.assertIsNone(tree.inner("Public/" + name))
        self.assertEqual(tree.inner("Public/INBOXES"), "INBOXES")

    def test_inbox_of_a_user_is_that_in_any_case(self) -> None:
        tree = Tree(owner="bob", root="Other Users/bob", account=None)
        self.assertEqual(tree.outer("INBOX"), "Other Users/bob/INBOX")
        for name, inner in (("inbox", "INBOX"), ("Inbox/a", "INBOX/a"), ("inboxes", "inboxes")):
            self.assertEqual(tree.inner("Other Users/bob/" + name), inner)
        self.assertEqual(tree.key("INBOX"), "INBOX")
