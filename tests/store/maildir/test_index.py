"""The index of an account: what is kept of it in memory."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from referrald.store.maildir import trees
from referrald.store.maildir.index import Index
from tests.store.maildir.support import Site
from tests.store.support import now


class KeptTests(TestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.account = self.site.open()
        self.addCleanup(self.site.close)
        self.index = self.open()

    def open(self) -> Index:
        """Open the index as another process would."""
        index = Index(self.site.root)
        self.addCleanup(index.close)
        return index

    def names(self) -> list[str]:
        """Name the mailboxes."""
        return [entry.name for entry in trees.entries(self.index)]

    def test_it_is_found_once_as_long_as_nothing_changes(self) -> None:
        asked: list[Index] = []
        for _ in range(3):
            self.index.kept("something", asked.append)
        self.assertEqual(asked, [self.index])

    def test_what_another_process_changes_is_seen(self) -> None:
        self.assertEqual(self.names(), ["INBOX"])
        now(self.account.create("a/b"))
        self.assertEqual(self.names(), ["INBOX", "a", "a/b"])

    def test_what_is_changed_here_is_seen(self) -> None:
        self.assertEqual(self.names(), ["INBOX"])
        trees.create(self.index, "b")
        self.assertEqual(self.names(), ["INBOX", "b"])
        trees.delete(self.index, "b")
        self.assertEqual(self.names(), ["INBOX"])

    def test_what_is_taken_back_is_not_kept(self) -> None:
        with self.assertRaises(ZeroDivisionError), self.index.writing() as database:
            database.execute("UPDATE folders SET name = 'other'")
            self.assertEqual(self.names(), ["other"])
            raise ZeroDivisionError
        self.assertEqual(self.names(), ["INBOX"])

    def test_who_gets_the_names_may_do_with_the_list_what_he_likes(self) -> None:
        trees.entries(self.index).clear()
        self.assertEqual(self.names(), ["INBOX"])
