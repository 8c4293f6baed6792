"""What is wrong with an account is found, and put right without losing a message."""

from __future__ import annotations

import os
import shutil

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import NoSuchMailbox
from referrald.store.maildir.checking import check, reindex, repair
from tests.proves import proves
from tests.store.maildir.support import Site, folder, messages, put
from tests.store.support import now


@proves("K13")
class Checked(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.addCleanup(self.site.close)
        account = self.site.open()
        now(account.create("box/low"))
        put(account, "INBOX", b"a", b"bb", b"ccc", flags=("\\Seen",))
        put(account, "box", b"d")
        self.site.close()

    def faults(self) -> list[str]:
        return [str(fault) for fault in check(self.site.root)]

    def files(self) -> list[str]:
        cur = self.site.path("cur")
        return [os.path.join(cur, name) for name in sorted(os.listdir(cur))]

    def sql(self, text: str) -> None:
        account = self.site.open()
        account._keeper.do(lambda index: index.database.execute(text).fetchall())
        self.site.close()

    def test_what_is_well_is_left_alone(self) -> None:
        self.assertEqual(self.faults(), [])
        self.assertEqual(repair(self.site.root), [])
        self.assertEqual(len(messages(self.site.open())), 3)

    def test_a_message_without_a_file_and_a_file_without_a_message(self) -> None:
        os.unlink(self.files()[1])
        self.site.deliver(b"new\n", "1.2.host", part="cur")
        self.site.deliver(b"newer\n", "1.3.host")
        self.assertEqual(
            self.faults(),
            [
                "INBOX: the file of message 2 is not there",
                "INBOX: 1 files in cur are not in the index",
            ],
        )
        self.assertEqual(repair(self.site.root), [])
        found = [text for text, _flags in messages(self.site.open())]
        self.assertEqual(found, [b"a", b"ccc", b"new\r\n", b"newer\r\n"])

    @proves("K4")
    def test_a_file_that_was_rewritten_is_another_message(self) -> None:
        with open(self.files()[0], "ab") as file:
            file.write(b"more\n")
        self.assertEqual(self.faults(), ["INBOX: the file of message 1 has 6 bytes, not 1"])
        self.assertEqual(repair(self.site.root), [])
        account = self.site.open()
        self.assertEqual(tuple(now(folder(account).state()).uids), (2, 3, 4))
        self.assertEqual(messages(account)[-1], (b"amore\r\n", ("\\Seen",)))

    def test_counts_that_are_wrong(self) -> None:
        self.sql("UPDATE folders SET messages = 7, size = 1 WHERE name = 'INBOX'")
        self.assertEqual(
            self.faults(), ["INBOX: the counts are (7, 0, 0, 1, 0, 3), not (3, 0, 0, 6, 0, 3)"]
        )
        self.assertEqual(repair(self.site.root), [])
        status = now(self.site.open().status("INBOX"))
        self.assertEqual((status.messages, status.size), (3, 6))

    def test_folders_that_nobody_knows_or_that_are_gone(self) -> None:
        shutil.rmtree(self.site.path(".box"))
        for name in (".made", ".b&d"):
            for part in ("cur", "new", "tmp"):
                os.makedirs(self.site.path(name, part))
        self.assertEqual(
            self.faults(),
            [
                "no mailbox can have the folder .b&d",
                "made: is not in the index",
                "box: its folder is not there",
            ],
        )
        left = repair(self.site.root)
        self.assertEqual(
            [(each.wrong, each.mended) for each in left],
            [("no mailbox can have the folder .b&d", False)],
        )

    def test_files_that_were_given_up(self) -> None:
        path = self.site.deliver(b"half", "half", part="tmp")
        self.site.deliver(b"young", "young", part="tmp")
        os.utime(path, (0, 0))
        self.assertEqual(self.faults(), ["INBOX: 1 files in tmp were given up"])
        self.assertEqual(repair(self.site.root), [])
        self.assertEqual(os.listdir(self.site.path("tmp")), ["young"])

    def test_a_change_that_was_broken_off(self) -> None:
        self.sql("INSERT INTO pending_files VALUES('x', ':2,', NULL, 1)")
        # Opening it again, as `check` does not, would go on with that.
        self.assertEqual(
            self.faults(), ["a change was broken off: 1 in pending_files are to be done"]
        )
        self.assertEqual(repair(self.site.root), [])

    def test_a_new_index_has_all_messages_and_other_uids(self) -> None:
        """A server that has the old one open goes over to the new one."""
        account = self.site.open()
        box = folder(account)
        validity = now(box.state()).uid_validity
        now(
            account._keeper.run(
                lambda index: (
                    index.database.execute(
                        "UPDATE folders SET uid_validity = uid_validity - 100"
                    ).rowcount
                )
            )
        )
        (put_away,) = reindex(self.site.root)
        self.assertIn("is an index that was put away", put_away.wrong)
        self.assertEqual([text for text, _flags in messages(account)], [b"a", b"bb", b"ccc"])
        self.assertGreaterEqual(now(account.status("INBOX")).uid_validity, validity)
        put(account, "INBOX", b"dddd")
        self.assertEqual(len(messages(self.site.open())), 4)

    def test_a_damaged_index_is_made_anew(self) -> None:
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(self.site.path("referrald-index"), "r+b") as file:
            file.write(b"\xa5" * 4096)
        (line,) = self.faults()
        self.assertIn("the index is damaged", line)
        (left,) = repair(self.site.root)
        self.assertIn("was put away", left.wrong)
        self.assertEqual(len(messages(self.site.open())), 3)

    def test_where_there_is_nothing(self) -> None:
        """Nothing is made by a look."""
        nowhere = self.mktemp()
        self.assertEqual(len(check(nowhere)), 1)
        self.assertFalse(os.path.exists(nowhere))
        self.assertRaises(NoSuchMailbox, repair, nowhere)
