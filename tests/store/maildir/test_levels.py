"""Levels above mailboxes on disk that are no mailboxes themselves (RFC 3501 section 6.3.4)."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import HasChildren, NoSuchMailbox
from tests.proves import proves
from tests.store.maildir.support import Site, messages, put
from tests.store.support import now


@proves("K20")
class Levels(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.account = self.site.open()
        self.addCleanup(self.site.close)

    def listed(self) -> dict[str, tuple[str, ...]]:
        return {entry.name: entry.attributes for entry in now(self.account.entries())}

    def test_a_folder_of_others_has_its_levels(self) -> None:
        for part in ("cur", "new", "tmp"):
            os.makedirs(self.site.path(".a.b.c", part))
        self.assertEqual(
            self.listed(),
            {"INBOX": (), "a": ("\\Noselect",), "a/b": ("\\Noselect",), "a/b/c": ()},
        )
        for name in ("a", "a/b"):
            with self.assertRaises(NoSuchMailbox):
                now(self.account.open(name, False))
            with self.assertRaises(HasChildren):
                now(self.account.delete(name))
        self.assertEqual(now(self.account.statuses(["a", "a/b/c"])).keys(), {"a/b/c"})

    def test_a_deleted_mailbox_leaves_its_name_and_nothing_else(self) -> None:
        now(self.account.create("a/b"))
        put(self.account, "a", b"gone")
        put(self.account, "a/b", b"kept")
        now(self.account.delete("a"))
        self.assertFalse(os.path.exists(self.site.path(".a")))
        for _turn in range(2):
            self.assertEqual(self.listed(), {"INBOX": (), "a": ("\\Noselect",), "a/b": ()})
            self.assertEqual(messages(self.account, "a/b"), [(b"kept", ())])
            self.account = self.site.open()
        now(self.account.create("a"))
        self.assertEqual(messages(self.account, "a"), [])
        self.assertEqual(self.listed()["a"], ())

    def test_a_name_goes_when_others_remove_the_last_folder_below(self) -> None:
        now(self.account.create("a/b"))
        now(self.account.delete("a"))
        for part in ("cur", "new", "tmp"):
            os.rmdir(self.site.path(".a.b", part))
        os.remove(self.site.path(".a.b", "maildirfolder"))
        os.rmdir(self.site.path(".a.b"))
        self.assertEqual(self.listed(), {"INBOX": ()})

    def test_a_rename_takes_a_mere_name_along(self) -> None:
        now(self.account.create("a/b/c"))
        now(self.account.delete("a/b"))
        now(self.account.rename("a/b", "x"))
        self.assertEqual(self.listed(), {"INBOX": (), "a": (), "x": ("\\Noselect",), "x/c": ()})
