"""Mail programs that know nothing of referrals, relayed: each reads mail and adds some."""

from __future__ import annotations

import imaplib
import subprocess
from pathlib import Path

from tests.interop.programs import mbsync, mutt
from tests.interop.shared import message, subjects
from tests.interop.support import PATIENCE, SUBJECT, need
from tests.interop.terminal import Terminal
from tests.interop.together import HOST, TwoHomes


class RelayedClients(TwoHomes):
    def client(self, user: str) -> imaplib.IMAP4:
        """Open a session through the front door."""
        client = imaplib.IMAP4(HOST, self.front.port, timeout=PATIENCE)
        self.addCleanup(client.logout)
        client.login(user, "secret")
        return client

    def test_imaplib_finds_each_user_at_the_own_home(self) -> None:
        for user, home in (("alice", self.home), ("bob", self.other)):
            client = self.client(user)
            subject = f"For {user}"
            client.append("Sent", "", "", message(subject))
            self.assertIn(f"Subject: {subject}", subjects(client, "Sent"))
            self.assertIn(subject, "".join(home.messages(user, "Sent")))
        self.assertNotIn("For bob", "".join(self.home.messages("alice", "Sent")))

    def test_curl_adds_a_message_and_reads_it(self) -> None:
        folder = self.folder()
        (folder / "mail").write_bytes(message("By curl"))
        self.client("bob").create("Curl")
        self.curl("/Curl", "-T", str(folder / "mail"))
        self.assertIn("Subject: By curl", self.curl("/Curl;MAILINDEX=1"))
        self.assertIn("Subject: By curl", self.other.messages("bob", "Curl")[0])

    def curl(self, path: str, *options: str) -> str:
        """Run curl as bob; give what it wrote."""
        done = subprocess.run(
            [need("curl"), "-sS", "--user", "bob:secret", *options,
             f"imap://{HOST}:{self.front.port}{path}"],
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_mbsync_goes_both_ways_and_has_nothing_to_do_the_second_time(self) -> None:
        folder = self.folder()
        self.mbsync(folder)
        near = folder / "mail"
        self.assertIn(SUBJECT, "".join(each.read_text() for each in near.glob("INBOX/*/*")))
        (near / "INBOX/new/1.near").write_bytes(message("From here"))
        self.client("alice").append("Sent", "\\Seen", "", message("From there"))
        self.mbsync(folder)
        self.assertIn("From here", "".join(self.home.messages("alice", "")))
        self.assertIn("From there", "".join(each.read_text() for each in near.glob("Sent/*/*")))
        before = self.state(folder)
        output = self.mbsync(folder)
        self.assertEqual(self.state(folder), before, output)

    def state(self, folder: Path) -> list[object]:
        """Give what both sides have."""
        here = sorted(str(each) for each in folder.rglob("*") if each.is_file())
        there = [self.home.messages("alice", name) for name in ("", "Sent")]
        return [here, there]

    def mbsync(self, folder: Path) -> str:
        """Run mbsync for all mailboxes of alice."""
        done = mbsync(folder, self.front.port, "alice")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_mutt_saves_a_message_to_a_file_and_another_mailbox_and_sends_one(self) -> None:
        folder = self.folder()
        self.client("bob").create("Copies")
        keys = f"<copy-message>{folder}/saved<enter><copy-message>=Copies<enter><quit>"
        command = mutt(folder, self.front.port, "bob", keys)
        terminal = Terminal(command, folder)
        self.addCleanup(terminal.close)
        terminal.finish()
        self.assertIn(SUBJECT, (folder / "saved").read_text())
        self.assertIn(SUBJECT, "".join(self.other.messages("bob", "Copies")))
        # A message that is sent is kept in the mailbox for sent mail: an APPEND.
        subprocess.run(
            [*command, "-s", "By mutt", "dodo@home.example"],
            input=b"Hello.\n", timeout=PATIENCE, check=True, capture_output=True,
        )  # fmt: skip
        self.assertIn("Subject: By mutt", "".join(self.other.messages("bob", "Sent")))
