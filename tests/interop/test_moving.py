"""Users who move between two real Dovecots while they are logged in."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

from tests.interop.shared import message, open_client
from tests.interop.support import PATIENCE, Dovecot, InteropCase, Referrald
from tests.proves import proves

HOST = "127.0.0.1"
SETTINGS = f"""
[referral]
login = "relay"
allow_clear = ["{HOST}"]

[relay]
grace = "1s"
spread = "2s"
hold = "30s"
"""


class Raw:
    """A client that sees every line, and says things at its own pace."""

    def __init__(self, front: Referrald, user: str) -> None:
        self.socket = front.connect()
        self.file = self.socket.makefile("rb")
        self.say(f"a LOGIN {user} secret")

    def say(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\r\n")

    def wait_for(self, *starts: bytes) -> bytes:
        """Read lines until one begins so; give it."""
        while line := self.file.readline():
            if line.startswith(starts):
                return line
        raise AssertionError(f"closed before {starts}")

    def ask(self, line: str) -> bytes:
        """Say a command with the tag b and give the answer."""
        self.say(f"b {line}")
        return self.wait_for(b"b ")

    def is_silent(self, seconds: float) -> bool:
        return not select.select([self.socket], [], [], seconds)[0]

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Moving(InteropCase):
    def setUp(self) -> None:
        names = ("alice", "bob")
        self.old, self.new = (
            self.start_home([(name, "secret") for name in names]) for _ in range(2)
        )
        self.places: dict[str, tuple[Dovecot, str]] = dict.fromkeys(names, (self.old, ""))
        self.front = self.start_referrald(self.users(), SETTINGS)

    def users(self) -> str:
        return "".join(
            f"{name}:{{PLAIN}}secret::::::host={HOST} port={home.port} nologin{more}\n"
            for name, (home, more) in self.places.items()
        )

    def change(self, user: str, home: Dovecot, more: str = "") -> None:
        """Write another home into the file that the front door reads."""
        self.places[user] = home, more
        path = self.front.folder / "users"
        fresh = path.with_suffix(".new")
        fresh.write_text(self.users(), encoding="utf-8")
        os.replace(fresh, path)

    def client(self, user: str) -> Raw:
        client = Raw(self.front, user)
        self.addCleanup(client.close)
        return client

    def logged_in(self, user: str) -> Raw:
        client = self.client(user)
        self.assertIn(b"a OK", client.wait_for(b"a "))
        client.socket.settimeout(PATIENCE)
        return client

    def copies(self, subject: str) -> tuple[int, int]:
        """Count the messages with a subject in alice's inboxes, old and new."""
        old, new = (
            sum(f"Subject: {subject}" in text for text in home.messages("alice", ""))
            for home in (self.old, self.new)
        )
        return old, new

    @proves("S1")
    def test_users_end_up_at_the_new_home_and_nobody_else_notices(self) -> None:
        idle, busy, other = (self.logged_in(user) for user in ("alice", "alice", "bob"))
        idle.ask("SELECT INBOX")
        idle.say("c IDLE")
        idle.wait_for(b"+ ")
        other.ask("SELECT INBOX")
        self.change("alice", self.new)
        self.front.wait_for_log(r"2 sessions of 1 moved user \(alice\): to end within 3 s")
        for client in (idle, busy):
            self.assertIn(b"* BYE Your mailbox has moved", client.wait_for(b"* BYE"))
            self.assertEqual(client.file.read(), b"")
        self.front.wait_for_log(r"2 sessions of 1 moved user \(alice\): ended")
        with open_client(self.front.port) as again:
            again.append("INBOX", "", None, message("afterwards"))  # type: ignore[arg-type]
        self.assertEqual(self.copies("afterwards"), (0, 1))
        self.assertIn(b"b OK", other.ask("NOOP"))
        self.assertEqual(self.front.log.count("bob relayed to"), 0)
        self.assertNotIn("bob", self.new.log)

    @proves("S3")
    def test_mail_appended_during_the_move_is_at_exactly_one_home(self) -> None:
        text = message("on its way")
        client = self.logged_in("alice")
        client.say(f"b APPEND INBOX {{{len(text)}}}")
        client.wait_for(b"+ ")
        self.change("alice", self.new)
        self.front.wait_for_log("1 session of 1 moved user")
        # Piece by piece, beyond grace and spread: it would be cut off by then.
        step = len(text) // 5 + 1
        for at in range(0, len(text), step):
            client.socket.sendall(text[at : at + step])
            self.assertTrue(client.is_silent(1.0))
        client.say("")
        self.assertIn(b"b OK", client.wait_for(b"b "))
        with open_client(self.front.port) as again:
            again.append("INBOX", "", None, message("meanwhile"))  # type: ignore[arg-type]
        self.assertIn(b"* BYE", client.wait_for(b"* BYE"))
        self.assertEqual(self.copies("on its way"), (1, 0))
        self.assertEqual(self.copies("meanwhile"), (0, 1))

    def test_a_mailbox_is_copied_while_its_user_is_held(self) -> None:
        before = self.logged_in("alice")
        self.assertIn(b"b OK", before.ask("CREATE Kept"))
        self.change("alice", self.old, " held")
        self.assertIn(b"This mailbox is being moved", before.wait_for(b"* BYE"))
        waiting = self.client("alice")
        self.assertTrue(waiting.is_silent(0.5))
        wrong = self.front.connect()
        self.addCleanup(wrong.close)
        wrong.sendall(b"a LOGIN alice wrong\r\n")
        self.assertIn(b"[AUTHENTICATIONFAILED]", wrong.recv(4096))
        self.copy("alice")
        self.change("alice", self.new)
        self.assertIn(b"a OK", waiting.wait_for(b"a "))
        self.assertIn(b"b OK", waiting.ask("SELECT Kept"))
        line = self.front.wait_for_log(f"result=relayed target={HOST}:{self.new.port}")
        self.assertIn('user="alice"', line)

    def copy(self, user: str) -> None:
        """Put the mail of the old home in place of that at the new one."""
        source, target = (Path(home.folder / "mail" / user) for home in (self.old, self.new))
        shutil.rmtree(target)
        shutil.copytree(source, target)
        subprocess.run(["chown", "-R", "mail:mail", str(target)], check=True)

    def test_referralctl_says_that_a_user_is_held(self) -> None:
        self.change("alice", self.old, " held")
        config = str(self.front.folder / "referrald.toml")
        done = subprocess.run(
            [sys.executable, "-m", "referrald.ctl.main", "-c", config, "lookup", "alice"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^cause +held: .*\n(.*\n)*held +yes$")
