"""Faults under mailboxes on disk: each has its answer, nothing is lost, and check names it."""

from __future__ import annotations

import fcntl
import imaplib
import subprocess
import sys

from tests.interop.kept import HOST, USER, KeptHere
from tests.interop.support import PATIENCE, ROOT
from tests.proves import proves

TEXTS = [b"Subject: %d\r\n\r\ntext %d\r\n" % (number, number) for number in range(4)]


@proves("K11", "K13")
class Faults(KeptHere):
    def setUp(self) -> None:
        super().setUp()
        client = self.client()
        for text in TEXTS:
            client.append("INBOX", "\\Flagged", "", text)
        client.logout()
        self.box = self.mail / USER

    def check(self) -> str:
        """Have referralctl look at the account."""
        config = str(self.front.folder / "referrald.toml")
        tool = [sys.executable, "-m", "referrald.ctl.main", "-c", config, "store", "check", USER]
        return subprocess.run(
            tool, capture_output=True, cwd=ROOT, timeout=PATIENCE, check=False, text=True
        ).stdout.strip()

    def bodies(self, client: imaplib.IMAP4) -> list[bytes]:
        """Give all messages of the selected mailbox."""
        data = client.fetch("1:*", "(BODY.PEEK[])")[1]
        return [part[1] for part in data if isinstance(part, tuple)]

    def stop(self) -> None:
        """End the server."""
        self.front.process.terminate()
        self.front.process.wait(PATIENCE)

    def test_a_file_that_has_vanished(self) -> None:
        """The message is gone for everybody, and the others are as they were."""
        (gone,) = (file for file in (self.box / "cur").iterdir() if TEXTS[1] in file.read_bytes())
        gone.unlink()
        self.assertEqual(self.check(), "INBOX: the file of message 2 is not there")
        client = self.client()
        self.assertEqual(client.select()[1], [b"3"])
        self.assertEqual(self.bodies(client), [TEXTS[0], TEXTS[2], TEXTS[3]])
        self.assertEqual(self.check(), "all is well")
        self.assertNotIn("Traceback", self.front.log)

    def test_an_index_that_is_damaged(self) -> None:
        """Who meets it is told; the next one finds another, with all messages and flags."""
        client = self.client()
        client.select()
        validity = client.response("UIDVALIDITY")[1]
        client.logout()
        self.stop()
        with (self.box / "referrald-index").open("r+b") as file:
            file.write(b"\xa5" * 8192)
        self.assertIn("the index is damaged", self.check())
        self.front = self.restarted(self.front)
        refused = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        with self.assertRaisesRegex(imaplib.IMAP4.error, r"\[CORRUPTION\]"):
            refused.login(USER, "secret")
        refused.shutdown()
        client = self.client()
        client.select()
        self.assertNotEqual(client.response("UIDVALIDITY")[1], validity)
        self.assertEqual(self.bodies(client), TEXTS)
        self.assertEqual(client.search(None, "FLAGGED")[1], [b"1 2 3 4"])
        self.assertIn("is an index that was put away", self.check())
        self.assertNotIn("Traceback", self.front.log)

    def test_another_process_that_holds_the_account(self) -> None:
        """Others wait for a while, are told so then, and read meanwhile."""
        client = self.client()
        client.select()
        with (self.box / "referrald-lock").open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertEqual(self.bodies(client), TEXTS)
            status, data = client.store("1", "+FLAGS", "(\\Deleted)")
            self.assertEqual((status, data[0][:7]), ("NO", b"[INUSE]"))
            self.assertEqual(self.bodies(client), TEXTS)
        self.assertEqual(client.search(None, "DELETED")[1], [b""])
        self.assertEqual(client.store("1", "+FLAGS", "(\\Deleted)")[0], "OK")
        self.assertEqual(client.expunge()[1], [b"1"])
        self.assertNotIn("Traceback", self.front.log)
