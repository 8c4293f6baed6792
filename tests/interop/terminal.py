"""A program on a pseudo terminal, for tests of clients that are used at a screen."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from pathlib import Path

from tests.interop.support import PATIENCE

ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")


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
        self.seen += ESCAPE.sub(b"", data).replace(b"\0", b"")
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

    def settle(self) -> None:
        """Wait until nothing is shown for a while: keys that come earlier may be dropped."""
        shown = -1
        while shown != len(self.seen):
            shown = len(self.seen)
            self.read(0.3)

    def type(self, keys: str) -> None:
        """Press keys."""
        self.seen = b""
        os.write(self.terminal, keys.encode())

    def finish(self) -> None:
        """Wait until the program ends by itself."""
        end = time.monotonic() + PATIENCE
        while self.read(0.2):
            if time.monotonic() > end:
                raise AssertionError(f"it goes on, and shows {self.seen[-2000:]!r}")

    def close(self) -> None:
        """End the program."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)
