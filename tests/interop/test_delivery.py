"""Others deliver into the mailboxes on disk: the sessions that are open are told."""

from __future__ import annotations

import mailbox
import select
import smtplib
import time
from pathlib import Path

from tests.interop.postfix import start_postfix
from tests.interop.stress import Session
from tests.interop.support import PATIENCE, InteropCase
from tests.proves import proves

USER = "alice@example.org"


@proves("K5")
class Deliveries(InteropCase):
    def setUp(self) -> None:
        self.mail = self.folder() / "mail"
        self.mail.mkdir()
        self.mail.chmod(0o755)

    def start(self) -> Session:
        """Start a server on that mail, and give a session with INBOX open."""
        serve = f'[serve]\nstore = "maildir"\nroot = "{self.mail}/%d/%n"\n'
        front = self.start_referrald(f"{USER}:{{PLAIN}}secret::::::\n", serve)
        session = Session(front.port, USER, "secret")
        self.addCleanup(session.close)
        return session

    def content(self, session: Session, number: int) -> bytes:
        """Read a message."""
        _answer, told = session.ask(f"FETCH {number} (UID FLAGS BODY.PEEK[])")
        return told[-1]

    def test_postfix_delivers_and_a_client_that_waits_is_told(self) -> None:
        """Before the first login the directory is Postfix's; later deliveries are seen in IDLE."""
        port = start_postfix(self, self.mail)
        self.send(port, "first")
        end = self.mail / "example.org" / "alice" / "new"
        self.wait_for_file(end)
        session = self.start()
        self.assertEqual(len(session.view), 1)
        session.idle()
        self.send(port, "second")
        session.wait_for(b"EXISTS")
        session.done()
        for number, subject in ((1, b"first"), (2, b"second")):
            text = self.content(session, number)
            self.assertIn(b"\r\nSubject: " + subject + b"\r\n", text)
            self.assertIn(b"\r\n\r\nFrom here\r\n", text)
        session.ask("STORE 1 +FLAGS (\\Seen)")
        self.assertEqual(session.flags[session.view[0] or 0], {"\\Seen"})

    def send(self, port: int, subject: str) -> None:
        """Give Postfix a message."""
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            text = f"From: bob@example.net\nTo: {USER}\nSubject: {subject}\n\nFrom here\n"
            client.sendmail("bob@example.net", [USER], text)

    def wait_for_file(self, folder: Path) -> None:
        """Wait until something is in a folder."""
        end = time.monotonic() + PATIENCE
        while not (folder.is_dir() and any(folder.iterdir())):
            self.assertTrue(time.monotonic() < end, "nothing was delivered")
            select.select([], [], [], 0.05)

    def test_a_program_that_knows_maildir_delivers_into_every_mailbox(self) -> None:
        """With the flags that it gives; what it takes away is gone."""
        session = self.start()
        session.ask("CREATE Work")
        work = mailbox.Maildir(str(self.mail / "example.org" / "alice" / ".Work"), create=False)
        keys = [work.add(f"Subject: {number}\n\nx\n") for number in range(3)]
        message = mailbox.MaildirMessage("Subject: read\n\nx\n")
        message.set_subdir("cur")
        message.set_flags("FS")
        work.add(message)
        session.view.clear()
        session.ask("SELECT Work")
        session.ask("FETCH 1:* (UID FLAGS)")
        flags = sorted(map(sorted, session.flags.values()))
        self.assertEqual(flags, [[], [], [], ["\\Flagged", "\\Seen"]])
        work.discard(keys[1])
        session.idle()
        session.wait_for(b"EXPUNGE")
        session.done()
        self.assertEqual(len(session.view), 3)
