"""A disk that is full, and one that can only be read, under mailboxes that are kept here."""

from __future__ import annotations

import imaplib
import subprocess
import sys
from typing import IO, Any

from tests.interop.kept import leave
from tests.interop.smalldisk import SmallDisk
from tests.interop.support import PATIENCE, ROOT, InteropCase, Referrald
from tests.proves import proves

TEXT = b"Subject: %d\r\nFrom: x@example.org\r\n\r\n" + b"words\r\n" * 30
LARGE = b"Subject: large\r\n\r\n" + b"x" * 300_000 + b"\r\n"


@proves("K11")
class OnASmallDisk(InteropCase):
    def setUp(self) -> None:
        folder = self.folder()
        self.disk = SmallDisk(folder, 4 << 20)
        self.addCleanup(self.disk.close)
        self.front: Referrald = self.start_referrald(
            "alice:{PLAIN}secret::::::\n", f'[serve]\nstore = "maildir"\nroot = "{folder}/%u"\n'
        )
        client = self.client()
        for name in ("other", "third"):
            client.create(name)
        for number in range(6):
            self.assertEqual(client.append("INBOX", "", "", TEXT % number)[0], "OK")
        client.select()
        client.fetch("1:2", "(ENVELOPE)")
        client.logout()

    def run_server(
        self, command: list[str], out: IO[bytes], port: int, greets: bool = True
    ) -> subprocess.Popen[bytes]:
        """Start a server where the disk is."""
        started = command[: len(self.disk.enter)] == self.disk.enter
        within = command if started else [*self.disk.enter, *command]
        return super().run_server(within, out, port, greets)

    def client(self) -> imaplib.IMAP4:
        """Open a session of alice."""
        client = imaplib.IMAP4("127.0.0.1", self.front.port, timeout=PATIENCE)
        self.addCleanup(leave, client)
        client.login("alice", "secret")
        return client

    def check(self) -> str:
        """Have referralctl look at the account."""
        config = str(self.front.folder / "referrald.toml")
        tool = [sys.executable, "-m", "referrald.ctl.main", "-c", config]
        found = subprocess.run(
            [*self.disk.enter, *tool, "store", "check", "alice"],
            capture_output=True,
            cwd=ROOT,
            timeout=PATIENCE,
            check=False,
        )
        return (found.stdout + found.stderr).decode()

    def look(self) -> dict[str, Any]:
        """Read all that there is, in a session that begins now; nothing goes wrong with that."""
        client, found = self.client(), {}
        for name in self.names(client):
            status, count = client.select(name)
            self.assertEqual(status, "OK", count)
            if count == [b"0"]:
                found[name] = {}
                continue
            status, data = client.fetch("1:*", "(UID ENVELOPE BODY[])")
            self.assertEqual(status, "OK", data)
            parts = [part for part in data if isinstance(part, tuple)]
            found[name] = {head.split()[2]: body for head, body in parts}
            status, numbers = client.search(None, "SUBJECT", "3")
            self.assertEqual(status, "OK", numbers)
            status, counts = client.status(name, "(MESSAGES)")
            self.assertIn(b"(MESSAGES %d)" % len(parts), counts[0])
        client.logout()
        return found

    def names(self, client: imaplib.IMAP4) -> list[str]:
        """Name the mailboxes."""
        return sorted(line.split()[-1].decode() for line in client.list()[1])

    def changes(self, client: imaplib.IMAP4) -> dict[str, tuple[str, bytes]]:
        """Try all that changes something; gives the answers."""
        work = {
            "APPEND": lambda: client.append("INBOX", "\\Seen", "", TEXT % 9),
            "a large APPEND": lambda: client.append("INBOX", "", "", LARGE),
            "COPY": lambda: client.copy("1:6", "other"),
            "MOVE": lambda: client._simple_command("MOVE", "2:3", "other"),
            "STORE": lambda: client.store("1:6", "+FLAGS", "($Label1 \\Flagged)"),
            "CREATE": lambda: client.create("new/below"),
            "RENAME": lambda: client.rename("third", "up/there"),
            "RENAME INBOX": lambda: client.rename("INBOX", "old"),
            "SUBSCRIBE": lambda: client.subscribe("third"),
        }
        imaplib.Commands.setdefault("MOVE", ("SELECTED",))
        return {name: _answer(*do()) for name, do in work.items()}

    def refused(self, code: bytes) -> None:
        """See that all of it is refused with a code, in a session that went on and in a new one."""
        for client in (self.client(), self.going_on):
            client.select()
            for name, (status, text) in self.changes(client).items():
                self.assertEqual((status, text[: len(code)]), ("NO", code), (name, text))

    def test_a_full_disk(self) -> None:
        self.going_on = self.client()
        self.going_on.select()
        before = self.look()
        self.disk.fill()
        self.refused(b"[OVERQUOTA]")
        self.assertEqual(self.look(), before)
        self.assertIn("the disk is full", self.check())
        self.disk.make_room()
        self.assertEqual(self.look(), before)
        self.assertNotIn("full", self.check())
        files = [path.name for path in self.disk.path.glob("alice/**/tmp/*")]
        self.assertEqual(files, [], "what came in part is gone")
        for name, (status, text) in self.changes(self.going_on).items():
            self.assertEqual(status, "OK", (name, text))
        after = self.look()
        self.assertEqual(len(after["other"]), 8)
        self.assertEqual(len(after["old"]), 6)
        self.front.process.terminate()
        self.front.process.wait(PATIENCE)
        self.assertNotIn("Traceback", self.front.log)
        self.assertEqual(self.check().strip(), "all is well")

    def test_room_for_some_of_a_message(self) -> None:
        """It breaks off in the middle, and leaves nothing."""
        client = self.client()
        before = self.look()
        self.disk.fill()
        with (self.disk.path / "filler").open("r+b") as file:
            file.truncate((self.disk.path / "filler").stat().st_size - 150_000)
        status, text = _answer(*client.append("INBOX", "", "", LARGE))
        self.assertEqual((status, text[:11]), ("NO", b"[OVERQUOTA]"))
        self.assertEqual(client.append("INBOX", "", "", TEXT % 7)[0], "OK")
        found = self.look()
        self.assertEqual(list(found["INBOX"].values())[:-1], list(before["INBOX"].values()))
        self.assertEqual(len(found["INBOX"]), 7)

    def test_a_disk_that_can_only_be_read(self) -> None:
        before = self.look()
        self.restart("ro")
        self.going_on = self.client()
        self.refused(b"[UNAVAILABLE]")
        self.assertEqual(self.look(), before)
        self.assertIn("nothing can be written", self.check())
        self.assertNotIn("Traceback", self.front.log)
        # Once it can be written to again nobody has to start anything.
        self.disk.remount("rw")
        self.assertEqual(self.look(), before)
        for name, (status, text) in self.changes(self.going_on).items():
            self.assertEqual(status, "OK", (name, text))
        self.assertEqual(len(self.look()["other"]), 8)

    def restart(self, how: str) -> None:
        """Stop the server, make the disk another kind, and start the server."""
        self.front.process.terminate()
        self.front.process.wait(PATIENCE)
        self.disk.remount(how)
        self.front = self.restarted(self.front)


def _answer(status: str, data: list[Any]) -> tuple[str, bytes]:
    return status, data[0] or b""
