"""Mailboxes on disk that several people use, each with a mail program of theirs."""

from __future__ import annotations

import contextlib
import imaplib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from mailbox import Maildir
from pathlib import Path

from tests.interop.programs import mbsync, mutt
from tests.interop.shared import message
from tests.interop.support import PATIENCE, InteropCase, Referrald, need
from tests.interop.terminal import Terminal
from tests.proves import proves

HOST = "127.0.0.1"
WORK = '"Other Users/alice/Work"'
CTL = "import sys; from referrald.ctl.main import main; sys.exit(main())"
CYRADM = ("--norc", "--notls", "--auth", "PLAIN", "-w", "secret", "--user")


class SharedHere(InteropCase):
    """alice has a mailbox with three messages, and bob is there too."""

    def setUp(self) -> None:
        self.place = self.folder()
        (self.place / "mail").mkdir()
        self.front: Referrald = self.start_referrald(
            "alice:{PLAIN}secret::::::\nbob:{PLAIN}secret::::::\n",
            f"""
[serve]
store = "maildir"
root = "{self.place}/mail/%u"
public = "Public"
public_root = "{self.place}/public"
others = "Other Users"
rights = "{self.place}/rights"
""",
        )
        self.alice = self.client("alice")
        self.alice.create("Work")
        for subject in ("one", "two", "three"):
            self.alice.append("Work", "", "", message(subject))
        self.bob = self.client("bob")

    def client(self, user: str) -> imaplib.IMAP4:
        client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        self.addCleanup(_leave, client)
        client.login(user, "secret")
        return client

    def give(self, letters: str, mailbox: str = "Work") -> None:
        self.assertEqual(self.alice.setacl(mailbox, "bob", letters)[0], "OK")

    def referralctl(self, *words: str) -> str:
        """Run referralctl beside the server."""
        config = str(self.front.folder / "referrald.toml")
        done = subprocess.run(
            [sys.executable, "-c", CTL, "-c", config, "store", *words],
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def wait_until(self, happened: Callable[[], object]) -> None:
        """Ask again and again, until it is so."""
        end = time.monotonic() + PATIENCE
        while not happened():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def counted(self, client: imaplib.IMAP4, mailbox: str) -> bytes:
        """Give the number of messages in a mailbox."""
        (line,) = client.status(mailbox, "(MESSAGES)")[1]
        assert isinstance(line, bytes)
        return line.rpartition(b"MESSAGES ")[2].rstrip(b")")


class Imaplib(SharedHere):
    @proves("K17")
    def test_two_users_work_on_one_mailbox(self) -> None:
        self.give("lrswite")
        self.assertIn(b"Other Users/", self.bob.namespace()[1][0])
        self.assertEqual(self.bob.select(WORK), ("OK", [b"3"]))
        self.alice.select("Work")
        self.bob.store("1", "+FLAGS", "(\\Deleted $Done)")
        self.alice.noop()
        self.assertIn(b"$Done", self.alice.response("FETCH")[1][-1])
        self.bob.append(WORK, "\\Seen", "", message("four"))
        self.alice.noop()
        self.assertEqual(self.alice.response("EXISTS")[1][-1], b"4")
        self.bob.expunge()
        self.alice.noop()
        self.assertEqual(self.alice.response("EXPUNGE")[1], [b"1"])
        self.assertEqual(self.bob.copy("1", "INBOX")[0], "OK")
        self.assertEqual(self.counted(self.bob, "INBOX"), b"1")

    @proves("K18", "K19")
    def test_rights_are_told_and_taken(self) -> None:
        self.assertEqual(self.bob.select(WORK)[0], "NO")
        self.give("lr")
        self.assertEqual(self.bob.myrights(WORK)[1], [WORK.encode() + b" lr"])
        with self.assertRaises(imaplib.IMAP4.readonly):
            self.bob.select(WORK)
        self.assertEqual(self.bob.select(WORK, readonly=True), ("OK", [b"3"]))
        self.assertEqual(self.bob.append(WORK, "", "", message("x"))[0], "NO")
        self.assertEqual(self.bob.setacl(WORK, "bob", "lra")[0], "NO")
        self.referralctl("rights", "remove", "Other Users/alice/Work", "bob")
        self.wait_until(lambda: self.bob.noop() and "CLOSED" in self.bob.untagged_responses)
        self.assertEqual(self.bob.select(WORK)[0], "NO")
        self.assertNotIn(b"Work", b"".join(filter(None, self.bob.list()[1])))

    def test_what_is_delivered_to_public_mailboxes_is_read_by_all(self) -> None:
        self.referralctl("rights", "set", "Public", "alice", "lrswipkxtea")
        self.referralctl("rights", "set", "Public", "anyone", "lr")
        self.referralctl("create", "alice", "Public/News")
        self.assertEqual(self.bob.select("Public/News", readonly=True), ("OK", [b"0"]))
        box = Maildir(os.fspath(self.place / "public" / ".News"), create=False)
        box.add(message("news"))
        self.wait_until(lambda: self.bob.noop() and self.bob.response("EXISTS")[1][-1:] == [b"1"])
        self.assertEqual(self.bob.search(None, "SUBJECT", "news")[1], [b"1"])
        self.assertEqual(self.alice.append("Public", "", "", message("all"))[0], "OK")
        self.assertEqual(self.counted(self.bob, "Public"), b"1")
        self.assertIn("all is well", self.referralctl("check", "--public"))


class Cyradm(SharedHere):
    @proves("K19")
    def test_it_gives_shows_and_takes_rights(self) -> None:
        self.cyradm("setaclmailbox Work bob lrs anyone l")
        shown = self.cyradm("listaclmailbox Work")
        for line in ("alice lrswipkxteacd", "bob lrs", "anyone l"):
            self.assertIn(line, " ".join(shown.split()))
        self.assertEqual(self.bob.select(WORK), ("OK", [b"3"]))
        self.cyradm("deleteaclmailbox Work bob")
        self.assertEqual(self.bob.myrights(WORK)[1], [WORK.encode() + b" l"])

    def cyradm(self, command: str) -> str:
        done = subprocess.run(
            [need("cyradm"), *CYRADM, "alice", HOST, str(self.front.port)],
            input=f"{command}\n", capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.stderr, "")
        return done.stdout


class Mbsync(SharedHere):
    def test_it_brings_both_sides_together(self) -> None:
        self.give("lrswite")
        folder = self.folder()
        self.mbsync(folder)
        near = folder / "mail" / "Other Users" / "alice" / "Work"
        found = {each.read_text().split()[3]: each for each in (near / "new").iterdir()}
        self.assertEqual(set(found), {"one", "two", "three"})
        found["one"].rename(near / "cur" / f"{found['one'].name}:2,ST")
        (near / "new" / "1.near").write_bytes(message("near"))
        self.alice.select("Work")
        self.alice.store("2", "+FLAGS", "\\Answered")
        self.mbsync(folder)
        self.alice.select("Work", readonly=True)
        self.assertEqual(self.alice.search(None, "SUBJECT", "one")[1], [b""])
        self.assertEqual(self.alice.search(None, "SUBJECT", "near")[1], [b"3"])
        names = [each.name for part in ("cur", "new") for each in (near / part).iterdir()]
        self.assertEqual(len(names), 3)
        self.assertEqual(len([name for name in names if "R" in name.partition(":2,")[2]]), 1)

    def mbsync(self, folder: Path) -> None:
        (folder / "mail" / "Other Users" / "alice").mkdir(parents=True, exist_ok=True)
        done = mbsync(folder, self.front.port, "bob", patterns='"Other Users/alice/*"')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Mutt(SharedHere):
    def test_it_reads_and_marks_what_it_may(self) -> None:
        self.give("lrs")
        folder = self.folder()
        keys = f"<copy-message>{folder}/saved<enter><flag-message>"
        name = WORK.strip('"')
        terminal = Terminal(mutt(folder, self.front.port, "bob", keys, mailbox=name), folder)
        self.addCleanup(terminal.close)
        terminal.expect("Operation not permitted by ACL")
        terminal.type("q")
        terminal.finish()
        self.assertIn("Subject: one", (folder / "saved").read_text())
        self.alice.select("Work", readonly=True)
        self.assertEqual(self.alice.search(None, "FLAGGED")[1], [b""])
        self.assertEqual(self.counted(self.alice, "Work"), b"3")


def _leave(client: imaplib.IMAP4) -> None:
    with contextlib.suppress(imaplib.IMAP4.abort):
        client.logout()
