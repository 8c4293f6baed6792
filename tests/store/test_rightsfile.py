"""The table of rights: what it keeps, who sees it, and what becomes of faults."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NotPossible, Unavailable
from referrald.store.rightsfile import PUBLIC, RightsFile


class Table(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.table = self.opened()

    def opened(self) -> RightsFile:
        table = RightsFile(self.path)
        self.addCleanup(table.close)
        return table

    def test_another_process_sees_what_was_changed(self) -> None:
        other = self.opened()
        before = other.version()
        self.assertEqual(other.lists("alice"), {})
        self.table.change("alice", "Work", "bob", "rl", 0)
        self.assertNotEqual(other.version(), before)
        self.assertEqual(other.lists("alice"), {"Work": {"bob": "lr"}})
        other.change("alice", "Work", "bob", "s", 1)
        self.assertEqual(self.table.lists("alice"), {"Work": {"bob": "lrs"}})
        version = self.table.version()
        self.assertEqual(self.table.version(), version)

    def test_it_is_for_the_server_alone(self) -> None:
        self.table.change("alice", "Work", "bob", "lr", 0)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.path).st_uid, os.stat(os.path.dirname(self.path)).st_uid)

    def test_owners_are_those_who_give_something(self) -> None:
        for owner, identifier, letters in (
            ("alice", "bob", "l"), ("carol", "anyone", "l"), ("dave", "erin", "l"),
            ("frank", "-bob", "l"), (PUBLIC, "bob", "l"),
        ):  # fmt: skip
            self.table.change(owner, "x", identifier, letters, 0)
        self.assertEqual(self.table.owners("bob"), ["alice", "carol"])

    def test_a_list_of_its_own_begins_as_the_one_above_and_may_be_empty(self) -> None:
        self.table.change("alice", "a", "bob", "lr", 0)
        self.table.change("alice", "a/b", "bob", "lr", -1)
        self.assertEqual(self.table.lists("alice"), {"a": {"bob": "lr"}, "a/b": {}})
        self.assertTrue(self.table.drop("alice", "a/b"))
        self.assertFalse(self.table.drop("alice", "a/b"))
        self.assertEqual(self.table.every(), [("alice", "a", {"bob": "lr"})])

    def test_a_name_gets_the_lists_of_another_and_of_all_below(self) -> None:
        for name in ("a", "a/b", "ab", "c", "c/x/stale"):
            self.table.change("alice", name, name, "l", 0)
        self.table.change("dave", "a", "bob", "l", 0)
        self.assertTrue(self.table.copy("alice", "a", "c/x"))
        lists = self.table.lists("alice")
        self.assertEqual(set(lists), {"a", "a/b", "ab", "c", "c/x", "c/x/b"})
        self.assertEqual(lists["c/x/b"], lists["a/b"])
        self.table.drop_tree("alice", "a")
        self.assertEqual(set(self.table.lists("alice")), {"ab", "c", "c/x", "c/x/b"})
        self.assertEqual(set(self.table.lists("dave")), {"a"})
        self.assertFalse(self.table.copy("alice", "other", "name"))

    def test_it_goes_by_the_same_list_as_before(self) -> None:
        self.table.change("alice", "a", "bob", "l", 0)
        self.assertTrue(self.table.copy("alice", "a/b", "c"))
        self.assertTrue(self.table.copy("alice", "d", "a/d"))
        self.assertFalse(self.table.copy("alice", "a/b", "a/e"))
        self.assertEqual(self.table.lists("alice"),
                         {"a": {"bob": "l"}, "c": {"bob": "l"}, "a/d": {}})  # fmt: skip

    def test_what_is_no_right_changes_nothing(self) -> None:
        self.table.change("alice", "a", "bob", "l", 0)
        with self.assertRaises(NotPossible):
            self.table.change("alice", "a", "bob", "lq", 0)
        self.assertEqual(self.table.lists("alice"), {"a": {"bob": "l"}})

    def test_a_file_that_was_put_back_is_read(self) -> None:
        self.table.change("alice", "a", "bob", "lr", 0)
        kept = Path(self.path).read_bytes()
        self.table.change("alice", "a", "bob", "", 0)
        version = self.table.version()
        Path(self.path + ".new").write_bytes(kept)
        os.rename(self.path + ".new", self.path)
        self.assertEqual(self.table.lists("alice"), {"a": {"bob": "lr"}})
        self.assertNotEqual(self.table.version(), version)

    def test_a_file_that_is_gone_gives_nobody_anything(self) -> None:
        self.table.change("alice", "a", "bob", "lr", 0)
        os.unlink(self.path)
        self.assertEqual(self.table.lists("alice"), {})

    def test_a_file_that_is_none_is_told_of_and_works_again_once_mended(self) -> None:
        Path(self.path).write_bytes(b"no table" * 1000)
        for _turn in range(2):
            with self.assertRaises(Unavailable):
                self.table.lists("alice")
        os.unlink(self.path)
        self.table.change("alice", "a", "bob", "lr", 0)
        self.assertEqual(self.table.faults(), [])

    def test_one_of_a_later_version_is_left_alone(self) -> None:
        database = sqlite3.connect(self.path)
        database.execute("PRAGMA user_version = 99")
        database.close()
        with self.assertRaises(Unavailable):
            self.table.change("alice", "a", "bob", "lr", 0)

    def test_what_others_have_written_that_is_none_is_found(self) -> None:
        self.table.change("alice", "a", "bob", "lr", 0)
        self.assertEqual(self.table.faults(), [])
        database = sqlite3.connect(self.path)
        database.execute("UPDATE rights SET letters = 'lrZ' WHERE identifier = 'bob'")
        database.commit()
        database.close()
        (fault,) = self.table.faults()
        self.assertIn("'bob' has 'lrZ' on 'a' of 'alice'", fault)
