"""A small disk of memory, in a mount namespace that only the servers of one test are in."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from unittest import SkipTest

from tests.interop.support import PATIENCE, missing, need

FILLER = "filler"


class SmallDisk:
    """A file system of so many bytes, mounted at a directory, until `close`.

    Root needs nothing more for it; others need user namespaces, and skip the test without.
    enter: what begins a command that is to see it. path: where everybody else sees it.
    """

    def __init__(self, mount: Path, size: int) -> None:
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = f'mount -t tmpfs -o size={size} none "$0" && echo ready && exec cat'
        # It holds the namespace for as long as nobody closes its input.
        self._holder = subprocess.Popen(
            [need("unshare"), "--mount", *own, "sh", "-c", script, os.fspath(mount)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            if os.geteuid() == 0:
                missing("nothing can be mounted here")
            raise SkipTest("no user namespaces for a disk of our own")
        pid = self._holder.pid
        same = ["--user", "--preserve-credentials"] if own else []
        self.enter = [need("nsenter"), f"--target={pid}", "--mount", *same]
        self.mount = mount
        self.path = Path(f"/proc/{pid}/root{mount}")

    def close(self) -> None:
        """Let go of it."""
        assert self._holder.stdin is not None and self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(PATIENCE)

    def remount(self, how: str) -> None:
        """Make it ``ro`` or ``rw``; nobody may have a file open for writing."""
        command = [*self.enter, "mount", "-o", f"remount,bind,{how}", os.fspath(self.mount)]
        subprocess.run(command, check=True, timeout=PATIENCE)

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.path / FILLER).open("ab", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(b"x" * size)
                except OSError:
                    size //= 2

    def make_room(self) -> None:
        """Give back what `fill` has taken."""
        with suppress(FileNotFoundError):
            (self.path / FILLER).unlink()
