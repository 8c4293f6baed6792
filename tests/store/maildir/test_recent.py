"""What nobody was told of yet, as the files and the index say it."""

from __future__ import annotations

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from referrald.store.maildir.index import INDEX
from tests.proves import proves
from tests.store.maildir.support import Site, folder, put
from tests.store.support import now


@proves("K16")
class Recent(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.addCleanup(self.site.close)
        self.account = self.site.open()

    def recent(self) -> tuple[int, int]:
        """Give how many messages there are, and of how many nobody was told."""
        state = now(folder(self.account).state())
        status = now(self.account.status("INBOX"))
        self.assertEqual((status.messages, status.recent), (len(state.uids), state.recent))
        return status.messages, status.recent

    def told(self) -> int:
        """Be told of all."""
        box = folder(self.account)
        first: int = now(box.recent_from(now(box.state()).uid_next - 1))
        return first

    def sql(self, *statements: str) -> None:
        self.site.close()
        with sqlite3.connect(self.site.path(INDEX)) as database:
            for statement in statements:
                database.execute(statement)
        database.close()
        self.account = self.site.open()

    def test_what_is_delivered_is_new(self) -> None:
        self.site.deliver(b"a\n", "1700000001.1.host")
        self.assertEqual(self.recent(), (1, 1))
        self.told()
        self.site.deliver(b"b\n", "1700000002.1.host")
        self.site.deliver(b"c\n", "1700000003.1.host")
        self.assertEqual(self.recent(), (3, 2))

    def test_what_another_program_has_shown_is_not(self) -> None:
        """It has taken it from ``new`` to ``cur``."""
        self.site.deliver(b"a\n", "1700000001.1.host:2,S", part="cur")
        self.site.deliver(b"b\n", "1700000002.1.host:2,", part="cur")
        self.assertEqual(self.recent(), (2, 0))
        self.site.deliver(b"c\n", "1700000003.1.host")
        self.assertEqual(self.recent(), (3, 1))
        self.assertEqual(self.told(), 3)

    def test_behind_one_that_is_new_it_counts_as_new(self) -> None:
        """There is one limit in a mailbox, and none may be passed over."""
        self.site.deliver(b"a\n", "1700000001.1.host")
        self.assertEqual(self.recent(), (1, 1))
        self.site.deliver(b"b\n", "1700000002.1.host:2,", part="cur")
        self.site.touch("cur")
        self.assertEqual(self.recent(), (2, 2))

    def test_a_lost_index_makes_nothing_new_that_was_told_of(self) -> None:
        put(self.account, "INBOX", b"a", b"b")
        self.assertEqual(self.recent(), (2, 2))
        self.site.close()
        os.unlink(self.site.path(INDEX))
        self.site.deliver(b"c\n", "1700000003.1.host")
        self.account = self.site.open()
        self.assertEqual(self.recent(), (3, 1))

    def test_what_was_there_before_anybody_counted_is_not_new(self) -> None:
        """An index of the first version is brought to this one."""
        put(self.account, "INBOX", b"a", b"b")
        self.sql(
            "ALTER TABLE folders DROP COLUMN first_recent",
            "ALTER TABLE folders DROP COLUMN recent",
            "PRAGMA user_version = 1",
        )
        self.assertEqual(self.recent(), (2, 0))
        put(self.account, "INBOX", b"c")
        self.assertEqual(self.recent(), (3, 1))
        self.assertEqual(self.told(), 3)

    def test_where_nothing_can_be_written_the_next_one_is_told_again(self) -> None:
        put(self.account, "INBOX", b"a")
        box = folder(self.account)
        now(box._keeper.run(lambda index: index.database.execute("PRAGMA query_only = 1")))
        self.assertEqual([now(box.recent_from(1)) for _ in range(2)], [1, 1])
        now(box._keeper.run(lambda index: index.database.execute("PRAGMA query_only = 0")))
        self.assertEqual([now(box.recent_from(1)) for _ in range(2)], [1, 2])
