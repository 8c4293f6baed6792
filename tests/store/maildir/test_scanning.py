"""What others do to the files is found in the mailbox, and nothing is ever told twice."""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import CorruptMailbox, NoSuchMailbox, OverQuota, Unavailable
from referrald.store.maildir import index as indexes
from referrald.store.maildir.delivery import Limits
from referrald.store.maildir.filenames import bits_of, info_of
from referrald.store.maildir.index import INDEX, translated
from tests.proves import proves
from tests.store.maildir.support import Site, folder, look, messages, put
from tests.store.support import now


class Others(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.addCleanup(self.site.close)
        self.account = self.site.open()

    def texts(self, name: str = "INBOX") -> list[bytes]:
        return [text for text, _flags in messages(self.account, name)]

    def files(self, directory: str = "") -> list[str]:
        return sorted(os.listdir(self.site.path(directory, "cur")))

    def rename(self, old: str, new: str) -> None:
        os.rename(self.site.path("cur", old), self.site.path("cur", new))
        self.site.touch("cur")

    @proves("K5")
    def test_deliveries_get_uids_in_the_order_of_their_names(self) -> None:
        self.site.deliver(b"second\n", "1700000002.9.host")
        self.site.deliver(b"first\n", "1700000001.100.host")
        self.assertEqual(self.texts(), [b"first\r\n", b"second\r\n"])
        self.site.deliver(b"third\n", "1600000000.1.host")
        self.assertEqual(self.texts()[2:], [b"third\r\n"])
        self.site.deliver(b"fifth\n", "1700000003.M100000P7Q2.host")
        self.site.deliver(b"fourth\n", "1700000003.M99999P7Q10.host")
        self.assertEqual(self.texts()[3:], [b"fourth\r\n", b"fifth\r\n"])
        self.assertEqual(os.listdir(self.site.path("new")), [])

    def test_their_size_is_what_is_sent_and_their_date_that_of_the_file(self) -> None:
        path = self.site.deliver(b"Subject: x\n\na\r\nb\n\r\r\n", "1700000001.1.host")
        os.utime(path, (1_600_000_000, 1_600_000_000))
        box = folder(self.account)
        (uid,) = now(box.state()).uids
        (found,) = now(box.fetch([uid]))
        text = b"Subject: x\r\n\r\na\r\nb\r\n\r\r\n"
        self.assertEqual((found.size, found.received.timestamp()), (len(text), 1_600_000_000))
        content = now(box.read(uid))
        pieces = [now(content.read(at, 4)) for at in range(0, len(text), 4)]
        self.assertEqual(b"".join(pieces), text)
        self.assertEqual(now(content.read(3, 7)), text[3:10])
        content.close()

    def test_line_ends_are_counted_across_pieces(self) -> None:
        """Whatever lies at the end of one piece and the beginning of the next."""
        text = b"\n" * 65535 + b"\r" + b"\n" + b"x" * 65534 + b"\n" * 3 + b"\r\n"
        text += b"y" * (4 * 65536 - len(text) - 1) + b"\r" + b"\n\n"
        self.site.deliver(text, "1700000001.1.host")
        sent = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        box = folder(self.account)
        (found,) = now(box.fetch(now(box.state()).uids))
        self.assertEqual((found.size, self.texts()), (len(sent), [sent]))

    @proves("K5")
    def test_a_folder_for_a_delivery_is_a_mailbox(self) -> None:
        """Whoever has made it; one whose name means nothing to us is left alone."""
        for name in (".made", ".made.low", ".Entw&APw-rfe", ".bad&name", ".no&AC8-", ".x..y"):
            for part in ("cur", "new", "tmp"):
                os.makedirs(self.site.path(name, part))
        self.site.deliver(b"x\n", "1700000001.1.host", ".made.low")
        self.site.touch("")
        found = look(self.account)
        self.assertEqual(set(found), {"INBOX", "made", "made/low", "Entw\u00fcrfe"})
        self.assertEqual(self.texts("made/low"), [b"x\r\n"])

    def test_a_folder_that_is_removed_is_no_mailbox(self) -> None:
        """One of its name, later, is another."""
        now(self.account.create("box"))
        put(self.account, "box", b"x")
        box = folder(self.account, "box")
        state = now(box.state())
        shutil.rmtree(self.site.path(".box"))
        with self.assertRaises(NoSuchMailbox):
            now(box.changes(state.modseq))
        self.site.touch("")
        self.assertEqual(set(look(self.account)), {"INBOX"})
        now(self.account.create("box"))
        self.assertNotEqual(now(self.account.status("box")).uid_validity, state.uid_validity)

    @proves("K14")
    def test_a_changed_file_name_is_a_change_of_flags(self) -> None:
        """What only we have changed meanwhile stays; letters of others are kept."""
        put(self.account, "INBOX", b"a", flags=("\\Seen", "$Work"))
        box = folder(self.account)
        since = now(box.state()).modseq
        (name,) = self.files()
        now(box.store([1], ["\\Flagged"], 1))
        self.rename(name, name.replace(":2,S", ":2,Pac"))
        found = now(box.changes(since))
        self.assertEqual(dict(found.flags), {1: ("$Work", "\\Flagged")})
        self.assertEqual(now(self.account.status("INBOX")).unseen, 1)
        now(box.store([1], ["\\Deleted"], 1))
        self.account = self.site.open()
        self.assertEqual([each.partition(":")[2] for each in self.files()], ["2,FPTac"])

    @proves("K5")
    def test_a_file_that_is_gone_is_a_message_that_is_gone(self) -> None:
        put(self.account, "INBOX", b"a", b"b", b"c")
        box = folder(self.account)
        state = now(box.state())
        os.unlink(self.site.path("cur", self.files()[1]))
        self.site.touch("cur")
        found = now(box.changes(state.modseq))
        self.assertEqual((found.gone, found.arrived, found.uids), ((2,), (), None))
        self.assertEqual(self.texts(), [b"a", b"c"])

    def test_a_file_that_is_gone_before_anybody_looks_is_passed_over(self) -> None:
        """In all that reads it."""
        put(self.account, "INBOX", b"a", b"b")
        now(self.account.create("box"))
        box = folder(self.account)
        for number, read in enumerate(
            (
                lambda: now(box.content(1)),
                lambda: now(box.read(1)),
                lambda: next(iter(now(box.rows([1], ("envelope",)))), None),
                lambda: next(iter(now(box.copy([1], "box")).uids), None),
            ),
            1,
        ):
            for name in self.files():
                if self.site.path("cur", name) and number == 1:
                    with open(self.site.path("cur", name), "rb") as file:
                        if file.read() == b"a":
                            os.unlink(self.site.path("cur", name))
            self.assertIsNone(read(), number)
        self.assertEqual(tuple(now(box.state()).uids), (2,))

    def test_looking_again_changes_nothing(self) -> None:
        """Not even what is known of the directories."""
        self.site.deliver(b"x\n", "1700000001.1.host")
        self.texts()
        self.site.touch("new", "cur")
        before = now(folder(self.account).state())
        written = self.written()
        for _ in range(3):
            self.assertEqual(now(folder(self.account).state()), before)
        self.assertEqual(self.written(), written)

    def written(self) -> Any:
        def total(index: Any) -> int:
            count: int = index.database.total_changes
            return count

        return now(self.account._keeper.run(total))

    @proves("K4")
    def test_a_file_that_comes_back_is_a_new_message(self) -> None:
        """Its old UID was told to be gone."""
        put(self.account, "INBOX", b"a")
        (name,) = self.files()
        os.rename(self.site.path("cur", name), self.site.path("aside"))
        self.site.touch("cur")
        self.assertEqual(self.texts(), [])
        os.rename(self.site.path("aside"), self.site.path("cur", name))
        self.assertEqual(tuple(now(folder(self.account).state()).uids), (2,))

    @proves("K6")
    def test_a_lost_index_is_made_anew(self) -> None:
        """Bytes, flags and dates come from the files; UIDs count from another UIDVALIDITY."""
        put(self.account, "INBOX", b"bare\nline", b"b\r\n", flags=("\\Seen", "\\Flagged"))
        now(self.account.create("\u53f0\u5317/a.b"))
        before = look(self.account)
        self.site.close()
        for name in os.listdir(self.site.root):
            if name.startswith(INDEX):
                os.unlink(self.site.path(name))
        self.patch(indexes.time, "time", lambda: 4_000_000_000.0)
        found = look(self.site.open())
        self.assertEqual(set(found), set(before))
        for name, box in found.items():
            old = before[name]
            assert box is not None and old is not None
            self.assertEqual(box[1], old[1])
            self.assertNotEqual(box[0], old[0])

    @proves("K6")
    def test_a_damaged_index_is_put_away_and_made_anew(self) -> None:
        """Who met it is told; the operator as well."""
        put(self.account, "INBOX", b"a")
        self.site.close()
        for suffix in ("-wal", "-shm"):
            if os.path.exists(self.site.path(INDEX + suffix)):
                os.unlink(self.site.path(INDEX + suffix))
        with open(self.site.path(INDEX), "r+b") as file:
            file.write(b"\xa5" * 4096)
        with self.assertRaises(CorruptMailbox):
            self.site.open()
        self.assertEqual([text for text, _ in messages(self.site.open())], [b"a"])
        left = [name for name in os.listdir(self.site.root) if "damaged" in name]
        self.assertEqual(len(left), 1)


class Faults(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site(self.mktemp())
        self.addCleanup(self.site.close)

    @proves("K11")
    def test_a_disk_that_is_full_leaves_nothing_half_done(self) -> None:
        """At any step at which it is found to be full."""
        for step in ("written", "recorded"):
            account = self.site.open(step=Full(step))
            before = look(account)
            with self.assertRaises(OverQuota):
                put(account, "INBOX", b"a", b"b")
            self.assertEqual(look(account), before)
            self.assertEqual(os.listdir(self.site.path("tmp")), [])

    def test_a_file_that_cannot_be_placed_is_read_where_it_is(self) -> None:
        """And is placed when that is possible again."""
        account = self.site.open()
        rename = os.rename

        def refuse(source: str, target: str) -> None:
            if os.sep + "cur" + os.sep in target:
                raise OSError(28, "No space left on device")
            rename(source, target)

        self.patch(os, "rename", refuse)
        put(account, "INBOX", b"a")
        self.assertEqual(messages(account), [(b"a", ())])
        self.patch(os, "rename", rename)
        self.site.touch("cur")
        self.assertEqual(messages(account), [(b"a", ())])
        self.assertEqual(os.listdir(self.site.path("tmp")), [])
        self.assertEqual(len(os.listdir(self.site.path("cur"))), 1)

    @proves("K11")
    def test_each_fault_has_an_answer_of_its_own(self) -> None:
        self.assertIsInstance(translated(OSError(28, "full"), "/r"), OverQuota)
        self.assertIsInstance(translated(OSError(30, "read-only"), "/r"), Unavailable)
        self.assertIn("/r: PermissionError", str(translated(PermissionError(13, "no"), "/r")))

    @proves("K9")
    def test_a_limit_is_kept_by_copies_too(self) -> None:
        account = self.site.open(limits=Limits(messages=2))
        put(account, "INBOX", b"a", b"b")
        before = look(account)
        with self.assertRaises(OverQuota):
            now(folder(account).copy([1], "INBOX"))
        self.assertEqual(look(account), before)
        now(folder(account).move([1], "INBOX"))
        self.assertEqual([text for text, _ in messages(account)], [b"b", b"a"])


class Full:
    """Says at a step that there is no room left."""

    def __init__(self, step: str) -> None:
        self.step = step

    def __call__(self, step: str) -> None:
        if step == self.step:
            raise OSError(28, "No space left on device")


class FileNames(SynchronousTestCase):
    @proves("K14")
    def test_flags_are_letters_and_letters_flags(self) -> None:
        for bits in range(32):
            self.assertEqual(bits_of(info_of(bits)), bits)
            self.assertEqual(bits_of(info_of(bits, ":2,Pac")), bits)
        self.assertEqual(info_of(31), ":2,DFRST")
        self.assertEqual(bits_of(":1,S"), 0)
