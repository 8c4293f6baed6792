"""A disk that is full in the middle of a change: nothing has happened, and reading goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import OverQuota
from referrald.store.maildir.checking import check
from referrald.store.maildir.index import Index
from tests.proves import proves
from tests.store.maildir.support import Site, folder, look, messages, put
from tests.store.support import now

Work = Callable[[Any], Any]


@proves("K11")
class Unwritable(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.addCleanup(self.site.close)
        self.full_at = ""
        self.account = self.site.open(self.step)
        for name in ("tree/leaf", "target"):
            now(self.account.create(name))
        put(self.account, "INBOX", b"Subject: a\r\n\r\n", b"Subject: b\r\n\r\n", b"c")
        put(self.account, "tree/leaf", b"d")

    def step(self, name: str) -> None:
        """Have no room at a step of a change."""
        if name == self.full_at:
            raise OSError(errno.ENOSPC, "no room")

    @contextmanager
    def no_writing(self) -> Iterator[None]:
        """Have no room for any change of the index."""

        def writing(_index: Index, **_how: Any) -> Any:
            raise OSError(errno.ENOSPC, "no room")

        patch = self.patch(Index, "writing", writing)
        try:
            yield
        finally:
            patch.restore()

    def refused_at(self, work: Work, *steps: str) -> None:
        """See that a change that is broken off at a step leaves all as it was."""
        before = look(self.account)
        for step in steps:
            self.full_at = step
            with self.assertRaises(OverQuota):
                now(work(self.account))
            self.full_at = ""
            self.assertEqual(look(self.account), before, step)
            self.assertEqual(check(self.site.root), [], step)
        now(work(self.account))
        self.assertNotEqual(look(self.account), before)

    def test_create(self) -> None:
        self.refused_at(lambda account: account.create("a/b/c"), "folder made", "recorded")

    def test_rename_of_a_tree(self) -> None:
        self.refused_at(lambda account: account.rename("tree", "x/y"), "folder made", "recorded")

    def test_rename_of_inbox(self) -> None:
        self.refused_at(lambda account: account.rename("INBOX", "x/y"), "folder made", "recorded")

    def test_delete(self) -> None:
        self.refused_at(lambda account: account.delete("target"), "recorded")

    def test_copy_and_move(self) -> None:
        self.refused_at(
            lambda account: folder(account).copy([1, 2], "target"), "written", "recorded"
        )
        self.refused_at(lambda account: folder(account).move([1, 2], "target"), "recorded")

    def test_what_was_not_described_is_shown_all_the_same(self) -> None:
        """Though the index cannot take it."""
        columns = ("envelope", "size", "fields")
        box = folder(self.account)
        with self.no_writing():
            rows = now(box.rows([1, 2, 3], columns))
            self.assertEqual([row[3] for row in rows], [b"Subject: a\r\n", b"Subject: b\r\n", b""])
            self.assertIn(b'"a"', rows[0][1])
            self.assertEqual(len(messages(self.account)), 3)
        self.assertEqual(now(box.rows([1, 2, 3], columns)), rows)

    def test_what_arrives_meanwhile_is_taken_in_later(self) -> None:
        with self.no_writing():
            self.site.deliver(b"new\n", "1700000001.1.host")
            self.assertEqual(len(messages(self.account)), 3)
            self.assertEqual(now(self.account.status("INBOX")).messages, 3)
        self.assertEqual(messages(self.account)[-1], (b"new\r\n", ()))

    def test_a_folder_that_others_make_meanwhile_is_listed_later(self) -> None:
        with self.no_writing():
            for part in ("cur", "new", "tmp"):
                os.makedirs(self.site.path(".made", part))
            self.site.touch("")
            names = [entry.name for entry in now(self.account.entries())]
            self.assertNotIn("made", names)
        self.assertIn("made", [entry.name for entry in now(self.account.entries())])

    def test_the_store_stops_though_flags_cannot_be_noted(self) -> None:
        now(folder(self.account).store([1], ["\\Seen"], 1))
        self.assertTrue(self.account._keeper.behind)
        with self.no_writing():
            self.site.close()
        self.account = self.site.open()
        self.assertEqual(messages(self.account)[0][1], ("\\Seen",))
        self.assertEqual(check(self.site.root), [])
