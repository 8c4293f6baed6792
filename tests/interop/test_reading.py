"""Real clients in a mailbox that lives here: reading, writing, being told."""

from __future__ import annotations

import imaplib
from pathlib import Path

from tests.interop.programs import PINERC, mbsync
from tests.interop.support import InteropCase, need
from tests.interop.terminal import Terminal
from tests.proves import proves

USERS = "bob:{PLAIN}secret::::::\n"
SERVED = '[auth]\nsasl = false\n[serve]\nstore = "memory"'
CLEARTEXT = 'tls = "none"\nallow_cleartext = true'
BIG = b"Subject: big\r\n\r\n" + b"0123456789abcd\r\n" * 200_000


class Reading(InteropCase):
    def setUp(self) -> None:
        self.front = self.start_referrald(USERS, SERVED, CLEARTEXT)

    def log_in(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.front.port)
        client.login("bob", "secret")
        client.select("INBOX")
        return client

    @proves("base:APPEND", "base:SEARCH", "base:COPY", "base:STORE", "base:unsolicited data")
    def test_imaplib_reads_writes_and_is_told(self) -> None:
        client, other = self.log_in(), self.log_in()
        self.addCleanup(other.logout)
        self.addCleanup(client.logout)
        self.assertEqual(client.append("INBOX", "", "", BIG)[0], "OK")  # type: ignore[arg-type]
        data = client.fetch("3", "(RFC822.SIZE BODY.PEEK[])")[1][0]
        assert isinstance(data, tuple)
        self.assertEqual(data[1], BIG)
        self.assertEqual(client.search(None, "SUBJECT", "big")[1], [b"3"])
        self.assertEqual(client.uid("SEARCH", "UNSEEN")[1], [b"1 2 3"])
        client.create("Archive")
        self.assertEqual(client.copy("1:2", "Archive")[0], "OK")
        client.store("1", "+FLAGS", "\\Deleted")
        self.assertEqual(client.expunge()[1], [b"1"])
        other.noop()
        self.assertEqual(other.response("EXPUNGE")[1], [b"1"])
        self.assertEqual(other.response("EXISTS")[1][-1], b"2")
        self.assertEqual(client.status("Archive", "(MESSAGES)")[1], [b"Archive (MESSAGES 2)"])

    @proves("base:APPEND", "base:STORE", "base:EXPUNGE/CLOSE", "base:FETCH parser")
    def test_mbsync_syncs_both_ways(self) -> None:
        folder = self.folder()
        inbox = folder / "mail" / "INBOX"
        archive = folder / "mail" / "Archive"
        self.sync(folder)
        first, second = sorted((inbox / "new").iterdir())
        self.assertIn("Subject: Welcome home", first.read_text(encoding="ascii"))
        first.rename(inbox / "cur" / f"{first.name.partition(':')[0]}:2,FST")
        for name in ("cur", "new", "tmp"):
            (archive / name).mkdir(parents=True)
        (archive / "new" / "1.local").write_text("Subject: local\n\nbody\n", encoding="ascii")
        (inbox / "new" / "2.local").write_text("Subject: newer\n\nbody\n", encoding="ascii")
        self.sync(folder)
        client = self.log_in()
        self.addCleanup(client.logout)
        self.assertEqual(client.search(None, "ALL")[1], [b"1 2"])
        self.assertEqual(client.search(None, "SUBJECT", "newer")[1], [b"2"])
        client.select("Archive")
        self.assertEqual(client.search(None, "SUBJECT", "local")[1], [b"1"])
        client.store("1", "FLAGS", "(\\Seen \\Answered)")
        self.sync(folder)
        self.assertTrue(next((archive / "cur").iterdir()).name.endswith(":2,RS"))
        self.assertTrue(second.exists())

    def sync(self, folder: Path) -> None:
        done = mbsync(folder, self.front.port, "bob", create="Both")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("error", done.stderr.lower())

    @proves("base:FETCH BODY[HEADER] etc.", "base:ENVELOPE", "base:BODYSTRUCTURE")
    def test_alpine_shows_a_message(self) -> None:
        folder = self.folder()
        text = PINERC.format(port=self.front.port).replace("user=alice", "user=bob")
        (folder / "pinerc").write_text(text, encoding="ascii")
        terminal = Terminal([need("alpine"), "-p", str(folder / "pinerc"), "-i"], folder)
        self.addCleanup(terminal.close)
        while (
            shown := terminal.expect("ENTER PASSWORD: ", "Welcome home", "[Yes]")
        ) != "Welcome home":
            terminal.type("n" if shown == "[Yes]" else "secret\r")
        terminal.type("\r")
        terminal.expect("This mailbox lives in the memory")
        terminal.type("n")
        terminal.expect("It is gone when the server stops")
