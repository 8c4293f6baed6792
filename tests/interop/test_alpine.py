"""Alpine: the client that follows login referrals, from the front door to a real Dovecot."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from pathlib import Path

from tests.interop.support import PATIENCE, SUBJECT, InteropCase, need
from tests.proves import proves

ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")

PINERC = """\
inbox-path={{127.0.0.1:{port}/user=alice/notls}}INBOX
user-domain=home.example
last-version-used=9.99
disable-password-caching=yes
feature-list=disable-password-caching,disable-password-file-saving,quell-maildomain-warning
"""


class Terminal:
    """A program on a pseudo terminal of 100 by 30 characters."""

    def __init__(self, command: list[str], home: Path) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = os.environ | {
                "HOME": str(home), "TERM": "vt100", "COLUMNS": "100", "LINES": "30",
            }  # fmt: skip
            os.execve(command[0], command, environment)
        self.seen = b""

    def read(self, seconds: float) -> bool:
        """Read what comes within a time; False when the program has ended."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.terminal, 65_536)
        except OSError:
            return False
        self.seen += ESCAPE.sub(b"", data)
        return bool(data)

    def expect(self, *texts: str) -> str:
        """Wait until one of the texts has been shown since the last key; give it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for text in texts:
                if text.encode() in self.seen:
                    return text
            if not self.read(0.2):
                break
        raise AssertionError(f"none of {texts} was shown, but {self.seen[-2000:]!r}")

    def type(self, keys: str) -> None:
        """Press keys."""
        self.seen = b""
        os.write(self.terminal, keys.encode())

    def close(self) -> None:
        """End the program."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


class Alpine(InteropCase):
    @proves("L3", "L8")
    def test_it_is_referred_and_shows_the_inbox_that_lies_in_dovecot(self) -> None:
        home = self.start_dovecot([("alice", "secret")])
        front = self.start_referrald(
            f"alice:{{PLAIN}}secret::::::host=127.0.0.1 port={home} nologin\n",
            '[referral]\nallow_clear = ["127.0.0.1"]\n[auth]\nsasl = false',
        )
        folder = self.folder()
        (folder / "pinerc").write_text(PINERC.format(port=front.port), encoding="ascii")
        terminal = Terminal([need("alpine"), "-p", str(folder / "pinerc"), "-i"], folder)
        self.addCleanup(terminal.close)
        asked = []
        while True:
            shown = terminal.expect("ENTER PASSWORD: ", SUBJECT[:20], "[Yes]")
            if shown == SUBJECT[:20]:
                break
            if shown == "[Yes]":
                terminal.type("n")
                continue
            found = re.findall(rb"HOST: (\S+)", terminal.seen)
            asked.append(found[-1].decode().rpartition(":")[2])
            terminal.type("secret\r")
        # Once at the front door and once at home: it followed at the first referral.
        self.assertEqual(asked, [str(front.port), str(home)])
        line = front.wait_for_log("result=referred")
        self.assertIn(f"target=127.0.0.1:{home}", line)
