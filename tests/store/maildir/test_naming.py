"""Users and mailboxes as directories."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NotPossible, Unavailable
from referrald.store.maildir.naming import LONGEST, directory_of, name_of, root_of
from tests.proves import proves


@proves("K7")
class Users(SynchronousTestCase):
    def test_their_names_fill_in_the_template(self) -> None:
        self.assertEqual(root_of("/m/%d/%n", "a.b+c@example.org"), "/m/example.org/a.b+c")
        self.assertEqual(root_of("/m/%u/Maildir", "a@b"), "/m/a@b/Maildir")
        self.assertEqual(root_of("/m/%d/%n", "a@b@c"), "/m/c/a@b")

    def test_a_user_without_a_domain_has_no_place_in_one(self) -> None:
        for user in ("a", "@b", "a@"):
            self.assertRaises(Unavailable, root_of, "/m/%d/%n", user)
        self.assertRaises(Unavailable, root_of, "/m/%u", "")
        self.assertRaises(Unavailable, root_of, "/m/%u", "x" * 300)

    @given(some.text(min_size=1, max_size=60), some.text(min_size=1, max_size=60))
    def test_no_name_leads_elsewhere_or_to_another(self, one: str, other: str) -> None:
        try:
            roots = [root_of("/m/%u", user) for user in (one, other)]
        except Unavailable:  # A character can take twelve.
            self.assertGreater(12 * max(len(one), len(other)), LONGEST)
            return
        for root in roots:
            self.assertEqual(os.path.dirname(os.path.normpath(root)), "/m")
            self.assertFalse(os.path.basename(root).startswith("."))
            self.assertNotIn("\0", root)
        self.assertEqual(roots[0] == roots[1], one == other)


@proves("K7")
class Mailboxes(SynchronousTestCase):
    def test_they_are_folders_of_maildir(self) -> None:
        for name, directory in (
            ("INBOX", ""),
            ("Work", ".Work"),
            ("Work/Reports", ".Work.Reports"),
            ("INBOX/low", ".INBOX.low"),
            ("R&D", ".R&-D"),
            ("a.b", ".a&AC4-b"),
            ("..", ".&AC4ALg-"),
            ("\u53f0\u5317", ".&U,BTFw-"),
        ):
            self.assertEqual(directory_of(name), directory)
            self.assertEqual(name_of(directory), name if directory else None)

    def test_what_is_not_the_one_way_to_write_a_name_is_none(self) -> None:
        for directory in (
            ".INBOX", ".a&", ".a&AC8-b", ".&AGE-", ".a..b", ".a.", ".&2D0-", ".&AC4-&AC4-",
            ".\u00fc", ".&A-", ".a\n",
        ):  # fmt: skip
            self.assertIsNone(name_of(directory), directory)

    def test_a_name_that_no_file_can_have_is_refused(self) -> None:
        for name in ("x" * 255, "\u00e9" * 200, "/".join(["abcdefgh"] * 40)):
            self.assertRaises(NotPossible, directory_of, name)

    @given(some.text(min_size=1, max_size=40))
    def test_whatever_can_be_written_can_be_read(self, name: str) -> None:
        try:
            directory = directory_of(name)
        except NotPossible:
            return
        self.assertNotIn("/", directory)
        if name != "INBOX":
            self.assertEqual(name_of(directory), name)
            self.assertRegex(directory, r"\A\.[^/]")
